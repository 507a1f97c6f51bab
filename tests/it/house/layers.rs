//! The rules of the house as tests over the sources: who may know whom, how long a file may be, what lies
//! where. A failure names file, line and rule.

use std::fs::{read_dir, read_to_string};

use circles::circles;
use source::{Code, Source, sources, top};
use table::{AUDITED, AUDITED_ALONE, LAYERS, LIBRARY_NEEDS, Layer};

mod circles;
pub mod source;
mod table;

const FILE_LINES_MAX: usize = 400;

/// What may lie at the top, besides dotfiles.
const TOP: &str = "Cargo.toml Cargo.lock src tests benches docs README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE \
     target";

/// What a path may begin with besides crates, our own names and types; `clippy` and `rustfmt` in attributes.
const LANGUAGE: &str = "std core alloc clippy rustfmt bool char str u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize \
                        f32 f64";

fn has(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|one| one == name)
}

fn assert_none(mut violations: Vec<String>) {
    violations.sort();
    violations.dedup();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// Where the code mentions a word that is forbidden to it.
fn places(code: &Code, word: &str) -> Vec<usize> {
    let is_anywhere = word.starts_with(char::is_uppercase) || has("dyn unsafe", word);
    if is_anywhere {
        let words = code.words.iter().filter(|(_, one)| one == word);
        return words.map(|&(line, _)| line).collect();
    }
    let naming = code
        .foreign()
        .filter(|mention| mention.names.iter().any(|name| name == word));
    naming.map(|mention| mention.line).collect()
}

/// What a source of one layer does that it may not.
fn trespasses(source: &Source, layer: &Layer) -> Vec<String> {
    let code = source.read();
    let name = layer.name;
    let mut found = Vec::new();
    for word in layer.words.split_whitespace() {
        for line in places(&code, word) {
            found.push(source.violation(line, &format!("{name} must not mention `{word}`")));
        }
    }
    for word in AUDITED_ALONE.split_whitespace() {
        for line in places(&code, word) {
            if source.path != AUDITED {
                let rule = format!("only {AUDITED} may say `{word}`");
                found.push(source.violation(line, &rule));
            }
        }
    }
    for (line, path) in code.own() {
        let root = &path[0];
        if root != name && !has(layer.layers, root) {
            found.push(source.violation(line, &format!("no arrow from {name} to `{root}`")));
        }
    }
    let Some(crates) = layer.crates else {
        return found;
    };
    for mention in code.foreign() {
        let root = &mention.names[0];
        let is_type = root.starts_with(char::is_uppercase);
        if !(is_type || has(LANGUAGE, root) || has(crates, root)) {
            let rule = format!("{name} must not use the crate `{root}`");
            found.push(source.violation(mention.line, &rule));
        }
    }
    found
}

/// One `key = value` of `Cargo.toml`.
struct Entry {
    line: usize,
    section: String,
    key: String,
    value: String,
}

fn manifest() -> Vec<Entry> {
    let text = read_to_string(top().join("Cargo.toml")).unwrap();
    let mut section = String::new();
    let mut entries = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if let Some(name) = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
        {
            section = name.to_owned();
        } else if let Some((key, value)) = text.split_once('=').filter(|_| !text.starts_with('#')) {
            entries.push(Entry {
                line,
                section: section.clone(),
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
            });
        }
    }
    entries
}

#[test]
fn every_layer_keeps_to_its_arrows() {
    let mut violations = Vec::new();
    for source in sources(&["src"]) {
        let folder = source.path.split('/').nth(1).unwrap_or_default();
        let layer = LAYERS
            .iter()
            .find(|layer| layer.name == folder.trim_end_matches(".rs"));
        match (layer, folder) {
            (Some(layer), _) => violations.extend(trespasses(&source, layer)),
            // It only says which layers there are.
            (None, "lib.rs") => {}
            (None, "main.rs") => violations.extend(beyond_cli(&source)),
            (None, _) => violations.push(source.violation(1, &format!("`{folder}` is no layer"))),
        }
    }
    assert_none(violations);
}

#[test]
fn the_arrows_go_down() {
    let names = LAYERS.map(|layer| layer.name);
    for (nth, layer) in LAYERS.iter().enumerate() {
        for below in layer.layers.split_whitespace() {
            let is_below = names[..nth].contains(&below);
            assert!(is_below, "{below} is not below {}", layer.name);
        }
    }
}

/// main.rs knows nothing but `cli`.
fn beyond_cli(main: &Source) -> Vec<String> {
    let code = main.read();
    let ours = code.foreign().filter(|path| path.names[0] == "epollo");
    let others = ours.filter(|path| path.names.get(1).is_none_or(|layer| layer != "cli"));
    let rule = "main knows nothing but cli";
    others.map(|path| main.violation(path.line, rule)).collect()
}

#[test]
fn no_files_know_each_other_in_a_circle() {
    let found = circles(&sources(&["src"])).into_iter();
    let told = found.map(|circle| format!("{}:\n  {}", circle.files, circle.arrows.join("\n  ")));
    assert_none(told.collect());
}

#[test]
fn no_file_is_too_long() {
    let mut violations = Vec::new();
    for source in sources(&["src", "tests", "benches"]) {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            let rule = format!("{lines} lines in a file, {FILE_LINES_MAX} are the most");
            violations.push(source.violation(1, &rule));
        }
    }
    assert_none(violations);
}

#[test]
fn every_file_opens_with_a_sentence_about_itself() {
    let is_opened = |source: &&Source| {
        let lines = source
            .text
            .lines()
            .map_while(|line| line.strip_prefix("//! "));
        let paragraph = lines.collect::<Vec<_>>().join(" ");
        paragraph.contains(". ") || paragraph.ends_with('.')
    };
    let sources = sources(&["src"]);
    let silent = sources.iter().filter(|source| !is_opened(source));
    let rule = "a file opens with `//!` and a sentence that says what it is";
    assert_none(silent.map(|source| source.violation(0, rule)).collect());
}

#[test]
fn the_top_of_the_repository_holds_what_it_must_and_nothing_else() {
    let names = read_dir(top()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let strangers = names.filter(|name| !name.starts_with('.') && !has(TOP, name));
    assert_none(
        strangers
            .map(|name| format!("{name}:1: does not belong at the top"))
            .collect(),
    );
}

#[test]
fn the_manifest_keeps_the_library_small_and_safe() {
    let entries = manifest();
    let mut violations = Vec::new();
    for entry in &entries {
        let Entry {
            line,
            section,
            key,
            value,
        } = entry;
        let is_needed = has(LIBRARY_NEEDS, key) || value.contains("optional = true");
        if section == "dependencies" && !is_needed {
            violations.push(format!(
                "Cargo.toml:{line}: the library does not need `{key}`"
            ));
        }
        let is_known = has("dependencies dev-dependencies", section);
        if section.contains("dependencies") && !is_known {
            violations.push(format!(
                "Cargo.toml:{line}: dependencies stand in [dependencies]"
            ));
        }
    }
    let is_safe = entries.iter().any(|entry| {
        (&*entry.section, &*entry.key, &*entry.value) == ("lints.rust", "unsafe_code", "\"deny\"")
    });
    if !is_safe {
        violations.push("Cargo.toml:1: [lints.rust] says unsafe_code = \"deny\"".to_owned());
    }
    assert_none(violations);
}

#[test]
fn the_oldest_rust_is_the_same_wherever_it_is_named() {
    let entries = manifest();
    let promised = entries.iter().find(|entry| entry.key == "rust-version");
    let version = promised.unwrap().value.trim_matches('"');
    let places = [
        ("README.md", "Rust "),
        ("docs/ko/README.md", "Rust "),
        ("docs/CONTRIBUTING.md", "Rust "),
        ("docs/CONTRIBUTING.md", "cargo +"),
        (".github/workflows/ci.yml", "toolchain install "),
        (".github/workflows/ci.yml", "cargo +"),
    ];
    let is_wrong = |(file, before): &&(&str, &str)| {
        let text = read_to_string(top().join(file)).unwrap();
        !text.contains(&format!("{before}{version} "))
    };
    let wrong = places.iter().filter(is_wrong);
    assert_none(
        wrong
            .map(|(file, before)| format!("{file}:1: lacks `{before}{version}`"))
            .collect(),
    );
}

#[test]
fn the_rules_see_what_they_forbid() {
    let bad = [
        ("protocol", "use std::{fmt, io as other};"),
        ("protocol", "use std::{fmt, net::{SocketAddr, TcpStream}};"),
        ("protocol", "fn f() -> std::io::Result<()> { Ok(()) }"),
        ("protocol", "fn f() -> Vec<std::io::Error> { Vec::new() }"),
        ("protocol", "use crate::{protocol::Time, reactor::Token};"),
        ("protocol", "use super::super::reactor::Token;"),
        ("protocol", "fn f() { crate::made_up::go() }"),
        ("protocol", "fn f(x: &'a dyn fmt::Debug) {}"),
        (
            "protocol",
            "fn f() { let _ = ('\"', Instant::now(), '\"'); }",
        ),
        (
            "protocol",
            "fn f() { assert!(Instant::now() > x, \"{}\", 1); }",
        ),
        (
            "protocol",
            "fn f() { println!(\"{}\", crate::cli::name()); }",
        ),
        (
            "protocol",
            "fn f() { println!(\"{}\", vec![std::env::args()].len()); }",
        ),
        ("protocol", "use rand::Rng;"),
        ("protocol", "use rand;"),
        ("protocol", "use std as s; fn f() { s::io::sink() }"),
        ("protocol", "#[derive(Debug, serde::Serialize)] struct S;"),
        (
            "protocol",
            "mod inner { fn f() { super::super::super::trace::go() } }",
        ),
        ("protocol", "fn f() { /* \" */ log::info!(\"\"); }"),
        ("protocol", "fn f() { ::mio::Poll::new(); }"),
        ("protocol", "impl crate::trace::Observer for S {}"),
        ("reactor", "use crate::cli::run;"),
        ("reactor", "fn f() { super::super::cli::run(); }"),
        ("reactor", "struct S(Rc<u8>);"),
        ("reactor", "use ::clap::Parser;"),
        ("reactor", "fn f() { unsafe { g() } }"),
        ("reactor", "use libc::c_int;"),
        ("trace", "fn f() { crate::reactor::go() }"),
        ("trace", "use mio::Poll;"),
        ("sim", "use crate::system::log;"),
        ("sim", "fn f() { mio::Poll::new(); }"),
        ("cli", "unsafe impl Send for S {}"),
        ("cli", "fn f(fd: libc::c_int) {}"),
        ("cli", "use crate::attic::Junk;"),
    ];
    for (name, code) in bad {
        let layer = LAYERS.iter().find(|layer| layer.name == name).unwrap();
        let path = format!("src/{name}/made_up.rs");
        let found = trespasses(&Source::new(&path, &format!("\n{code}")), layer);
        assert!(!found.is_empty(), "nothing wrong with {code}");
        let is_named = |line: &String| line.starts_with(&format!("{path}:2: "));
        assert!(found.iter().all(is_named), "{found:?}");
    }
    for code in [
        "fn main() { epollo::reactor::run() }",
        "use epollo::{cli, trace};",
        "use epollo;",
    ] {
        let found = beyond_cli(&Source::new("src/main.rs", code));
        assert_eq!(
            found,
            ["src/main.rs:1: main knows nothing but cli"],
            "{code}"
        );
    }
}

#[test]
fn the_rules_leave_the_rest_alone() {
    let good = [
        "// mio::Poll",
        "/* dyn /* unsafe */ Instant */",
        "/// See [`std::io::Error`] and `unsafe`.\nstruct S;",
        "const A: &str = \"std::io::Error \\\" unsafe\";",
        "const A: &str = r#\"\"unsafe\"#;",
        "const A: (char, u8) = ('\\'', b'\"'); // dyn",
        "fn f<'a>(x: &'a str) -> Arc<str> { let io = 1; x.net(io).process }",
        "use std::{fmt, ops::Range}; use super::{Time, Context}; use Kind::A;",
        "use std::mem; fn f() { mem::take(x); println!(\"{}\", mem::size_of::<u8>()) }",
        "fn f() -> u64 { u64::from(T::MAX).max(self.net) }",
        "mod guest; pub use guest::Remote; use super::super::protocol::Time;",
        "mod guest; fn f() { guest::greet(); matches!(x, guest::Kind::A) }",
        "pub(crate) fn f() {} pub(super) struct S;",
    ];
    for code in good {
        let source = Source::new("src/protocol/made_up.rs", code);
        assert_none(trespasses(&source, &LAYERS[0]));
    }
    let main = Source::new("src/main.rs", "fn main() { epollo::cli::main() }");
    assert_none(beyond_cli(&main));
}
