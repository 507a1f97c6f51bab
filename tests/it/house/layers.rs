//! The rules of the house as tests over the text of the sources: who may know whom, how long things
//! may be, what lies where. Comments and literals trip nothing; a failure names file, line and rule.

use std::fs::{read_dir, read_to_string};

use source::{Source, functions, places, roots_known, sources, top, used_paths};

mod source;

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// What may lie at the top, besides dotfiles.
const TOP: &str = "Cargo.toml Cargo.lock src tests benches docs README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE \
     target";

/// What the library may depend on when the feature `cli` is off.
const LIBRARY_NEEDS: &str = "log slab";

/// The one file that may say `unsafe` and `libc`: a system call that no safe crate has.
const AUDITED: &str = "src/reactor/os/tcp_info.rs";

/// What one folder of `src/` may know; names are separated by spaces.
struct Layer {
    name: &'static str,
    /// Layers of ours besides itself.
    layers: &'static str,
    /// Crates besides `std`; `None` is any.
    crates: Option<&'static str>,
    /// What it must not mention.
    words: &'static str,
}

/// The arrows. A folder that is not here is no layer.
const LAYERS: [Layer; 10] = [
    Layer {
        name: "protocol",
        layers: "",
        crates: Some(""),
        words: "mio net:: io:: log:: env:: fs:: thread:: Instant SystemTime Rc< Rc:: RefCell dyn \
                unsafe crate::reactor crate::cli",
    },
    Layer {
        name: "trace",
        layers: "protocol",
        crates: Some("log nix serde serde_json"),
        words: "mio unsafe",
    },
    Layer {
        name: "reactor",
        layers: "protocol trace",
        crates: Some("libc mio slab log rustix socket2"),
        words: "clap env_logger signal_hook Rc< Rc:: RefCell dyn unsafe libc",
    },
    Layer {
        name: "services",
        layers: "protocol trace reactor",
        crates: Some("log"),
        words: "mio unsafe fs:: env:: thread::",
    },
    Layer {
        name: "system",
        layers: "protocol trace reactor",
        crates: None,
        words: "unsafe",
    },
    Layer {
        name: "report",
        layers: "protocol",
        crates: None,
        words: "unsafe fs:: env:: net:: process:: thread:: Instant SystemTime",
    },
    Layer {
        name: "load",
        layers: "protocol trace reactor services system report",
        crates: None,
        words: "unsafe",
    },
    Layer {
        name: "sim",
        layers: "reactor protocol",
        crates: Some("slab log"),
        words: "mio unsafe",
    },
    Layer {
        name: "explore",
        layers: "protocol trace reactor services system report",
        crates: None,
        words: "unsafe",
    },
    Layer {
        name: "cli",
        layers: "protocol trace reactor services system report load sim explore",
        crates: None,
        words: "unsafe",
    },
];

fn has(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|one| one == name)
}

fn assert_none(mut violations: Vec<String>) {
    violations.sort();
    violations.dedup();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// What a source of one layer does that it may not.
fn trespasses(source: &Source, layer: &Layer, all_crates: &[String]) -> Vec<String> {
    let name = layer.name;
    let paths = used_paths(&source.code);
    let mut found = Vec::new();
    let is_audited = source.path == AUDITED;
    for word in layer.words.split_whitespace() {
        if is_audited && has("unsafe libc", word) {
            continue;
        }
        let spelled = places(&source.code, word).into_iter();
        let used = paths
            .iter()
            .filter(|(_, path)| !places(&format!("{path}::"), word).is_empty());
        for at in spelled.chain(used.map(|&(at, _)| at)) {
            found.push(source.violation(at, &format!("{name} must not mention `{word}`")));
        }
    }
    for (at, root) in roots_known(source) {
        if root != name && !has(layer.layers, &root) {
            found.push(source.violation(at, &format!("no arrow from {name} to `{root}`")));
        }
    }
    let Some(crates) = layer.crates else {
        return found;
    };
    for (at, path) in &paths {
        let root = path
            .split("::")
            .find(|part| !part.is_empty())
            .unwrap_or_default();
        let is_child = !places(&source.code, &format!("mod {root}")).is_empty();
        let is_type = root.starts_with(char::is_uppercase);
        if !(is_child || is_type || has("std crate super self", root) || has(crates, root)) {
            found.push(source.violation(*at, &format!("{name} must not use the crate `{root}`")));
        }
    }
    for other in all_crates.iter().filter(|other| !has(crates, other)) {
        for at in places(&source.code, &format!("{other}::")) {
            found.push(source.violation(at, &format!("{name} must not use the crate `{other}`")));
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

fn dependencies() -> Vec<String> {
    let entries = manifest().into_iter();
    let entries = entries.filter(|entry| entry.section == "dependencies");
    entries.map(|entry| entry.key.replace('-', "_")).collect()
}

#[test]
fn every_layer_keeps_to_its_arrows() {
    let crates = dependencies();
    assert!(crates.iter().any(|name| name == "clap"), "{crates:?}");
    let mut violations = Vec::new();
    for source in sources(&["src"]) {
        let module = source.module();
        let layer = LAYERS
            .iter()
            .find(|layer| Some(&layer.name) == module.first());
        match (layer, module.first()) {
            (Some(layer), _) => violations.extend(trespasses(&source, layer, &crates)),
            (None, Some(name)) => {
                violations.push(source.violation(0, &format!("`{name}` is no layer")));
            }
            // main.rs knows cli; lib.rs only says which layers there are.
            (None, None) => {
                for at in places(&source.code, "epollo::") {
                    if !source.code[at..].starts_with("epollo::cli::") {
                        violations.push(source.violation(at, "main knows nothing but cli"));
                    }
                }
            }
        }
    }
    assert_none(violations);
}

#[test]
fn no_file_and_no_function_is_too_long() {
    let mut violations = Vec::new();
    let mut count = 0;
    for source in sources(&["src", "tests", "benches"]) {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            let rule = format!("{lines} lines in a file, {FILE_LINES_MAX} are the most");
            violations.push(source.violation(0, &rule));
        }
        for (at, name, lines) in functions(&source.code) {
            count += 1;
            if lines > FUNCTION_LINES_MAX {
                let rule = format!("{lines} lines in `{name}`, {FUNCTION_LINES_MAX} are the most");
                violations.push(source.violation(at, &rule));
            }
        }
    }
    assert!(count > 100, "there are more functions than {count}");
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
    let crates = ["clap".to_owned(), "mio".to_owned()];
    let bad = [
        (0, "use std::{fmt, io as other};"),
        (0, "use std::{fmt, net::{SocketAddr, TcpStream}};"),
        (0, "fn f() -> std::io::Result<()> { Ok(()) }"),
        (0, "use crate::{protocol::Time, reactor::Token};"),
        (0, "use super::super::reactor::Token;"),
        (0, "fn f() { crate::made_up::go() }"),
        (0, "fn f(x: &'a dyn fmt::Debug) {}"),
        (0, "fn f() { let _ = ('\"', Instant::now(), '\"'); }"),
        (0, "use rand::Rng;"),
        (0, "fn f() { /* \" */ log::info!(\"\"); }"),
        (1, "use crate::cli::run;"),
        (1, "fn f() { super::super::cli::run(); }"),
        (1, "struct S(Rc<u8>);"),
        (1, "use ::clap::Parser;"),
        (1, "fn f() { unsafe { g() } }"),
        (1, "use libc::c_int;"),
        (2, "fn f() { crate::reactor::go() }"),
        (3, "use crate::trace::Observer;"),
    ];
    for (layer, code) in bad {
        let layer = &LAYERS[layer];
        let path = format!("src/{}/made_up.rs", layer.name);
        let found = trespasses(&Source::new(&path, &format!("\n{code}")), layer, &crates);
        assert!(!found.is_empty(), "nothing wrong with {code}");
        let is_named = |line: &String| line.starts_with(&format!("{path}:2: "));
        assert!(found.iter().all(is_named), "{found:?}");
    }
}

#[test]
fn the_rules_leave_the_rest_alone() {
    let good = [
        "// mio::Poll",
        "/* dyn /* unsafe */ Instant */",
        "const A: &str = \"std::io::Error \\\" unsafe\";",
        "const A: &str = r#\"\"unsafe\"#;",
        "const A: (char, u8) = ('\\'', b'\"'); // dyn",
        "fn f<'a>(x: &'a str) -> Arc<str> { ratio::io(x) }",
        "use std::{fmt, ops::Range}; use super::{Time, Context}; use Kind::A;",
        "mod guest; pub use guest::Guest; use super::super::protocol::Time;",
    ];
    for code in good {
        let source = Source::new("src/protocol/made_up.rs", code);
        assert_none(trespasses(&source, &LAYERS[0], &["mio".to_owned()]));
    }
    let long = format!(
        "fn f(x: [u8; 4]) {{ '}}';\n{}}}\nfn g();",
        "x;\n".repeat(69)
    );
    let lines: Vec<_> = functions(&Source::new("a", &long).code);
    assert_eq!(lines, [(0, "f".to_owned(), 71)]);
}
