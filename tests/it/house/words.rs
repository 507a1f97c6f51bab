//! The words that docs/GLOSSARY.md replaced must not come back: as identifiers of the sources, in what the
//! program says, or as code in the documents. In prose, plain English is free; what was jargon only is not, in
//! the documentation of the sources.

use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};
use std::path::Path;

use proc_macro2::{Literal, TokenStream, TokenTree};

use super::layers::source::{Source, sources, top};
use crate::support::Epollo;

/// Retired wherever they are part of an identifier: `guest` also retires `is_guest` and `FreeGuest`.
const PARTS: &str = "crowding deed deeds door doors doubt doubts duel explored guest guests herd hub manner \
     manners meter meters moment moments parked relieve settle settles sink standing swallowed tap temper told \
     touched uncounted visit visits wish wished wishes woken";

/// Retired as whole identifiers, and only where another meaning of the word is not in use.
const NAMES: [(&str, &str); 7] = [
    (
        "src",
        "Armed Book Books Feed Finish Judge Leave Outside Spares WakeAt Watched answer_later hear_end hear_part \
         heard_until not_heard owe owe_rest read_on session_window touch wake_guest_at window",
    ),
    ("src/explore", "Look News Recorder"),
    ("src/protocol", "heard"),
    ("src/reactor", "Side answer heard"),
    ("src/system", "Side"),
    ("src/trace", "Memory"),
    ("docs", "Finish Memory Side finish heard leave woke Woken"),
];

/// Retired as whole words of what the program and its page say.
const SAID: &str = "armed crowding deed deeds door doors guest guests herd manner moment moments standing temper told \
     wish wishes woke woken";

/// Retired also as words of doc comments, where they were jargon; `told`, `woken` and `armed` are plain English.
const DOCUMENTED: &str = "crowding deed deeds door doors guest guests herd manner moment moments standing temper \
     wish wishes";

/// What docs/GLOSSARY.md defines at least: one word of each entry.
const DEFINED: &str = "Directory EOF IoMode Notify Observer OnError SetTimer ShutdownWrite StatsObserver TraceEvent \
     TraceWriter TracedKernel WithExplorer Writable apply attach backlog batch budget buffer checker client connect \
     console direction dispatch effect event exempt_from_limits flush framing generation grace half-close interest linger \
     lingering listener must_drain on_ready optimistic origin outbox paused peer reactor read_limit readiness recorder \
     remote requester send_capacity service session state timer turn warnings";

fn has(words: &str, word: &str) -> bool {
    words.split_whitespace().any(|one| one == word)
}

/// The words of `is_guest`, `FreeGuest` and `GUESTS_MAX`, in lower case.
fn parts(name: &str) -> Vec<String> {
    let is_constant = !name.contains(|c: char| c.is_lowercase());
    let mut parts = vec![String::new()];
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && !is_constant) {
            parts.push(String::new());
        }
        let last = parts.last_mut().expect("one part at least");
        last.extend(c.to_lowercase().filter(|&c| c != '_'));
    }
    parts
}

/// Which retired word this identifier is, or has in it.
fn retired_name(path: &str, name: &str) -> Option<String> {
    let is_retired = |(place, names): &(&str, &str)| path.starts_with(place) && has(names, name);
    if NAMES.iter().any(is_retired) {
        return Some(name.to_owned());
    }
    parts(name).into_iter().find(|part| has(PARTS, part))
}

fn retired_identifiers(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (line, name) in source.read().words {
        let retired = retired_name(&source.path, &name);
        if let Some(word) = retired {
            let rule = format!("`{name}`: `{word}` is retired (docs/GLOSSARY.md)");
            found.push(source.violation(line, &rule));
        }
    }
    found
}

/// Those of the retired words that a text has.
fn retired_words(text: &str, retired: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    let words = words.map(str::to_lowercase);
    let words = words.filter(|word| has(retired, word));
    words.collect()
}

/// Every literal, and whether it is a doc comment.
fn each_literal(tokens: TokenStream, see: &mut impl FnMut(&Literal, bool)) {
    let mut is_doc = false;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => is_doc = ident == "doc",
            TokenTree::Group(group) => each_literal(group.stream(), see),
            TokenTree::Literal(literal) => see(&literal, is_doc),
            TokenTree::Punct(_) => {}
        }
    }
}

fn retired_messages(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    each_literal(source.text.parse().unwrap(), &mut |literal, is_doc| {
        let line = literal.span().start().line;
        let retired = if is_doc { DOCUMENTED } else { SAID };
        for word in retired_words(&literal.to_string(), retired) {
            let rule = format!("says `{word}`, which is retired (docs/GLOSSARY.md)");
            found.push(source.violation(line, &rule));
        }
    });
    found
}

/// What stands in backticks or in a block of code, with its line.
fn code_of(text: &str) -> Vec<(usize, &str)> {
    let mut code = Vec::new();
    let mut is_block = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            code.push((number, line));
        } else {
            let spans = line.split('`').skip(1).step_by(2);
            code.extend(spans.map(|span| (number, span)));
        }
    }
    code
}

/// Tests and deliberate bugs are named by sentences, which are prose.
fn is_sentence(code: &str) -> bool {
    let is_test = code.contains("::") && code.matches('_').count() > 2;
    let bug = top().join("tests/mutants").join(format!("{code}.patch"));
    is_test || bug.exists()
}

fn retired_code(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (line, code) in code_of(text) {
        if is_sentence(code) {
            continue;
        }
        for name in code.split(|c: char| !c.is_alphanumeric() && c != '_') {
            let is_listed =
                |(place, names): &(&str, &str)| !place.contains('/') && has(names, name);
            let is_name = NAMES.iter().any(is_listed);
            let is_retired = is_name || parts(name).iter().any(|part| has(PARTS, part));
            if is_retired {
                found.push(format!(
                    "{path}:{line}: `{name}` is retired (docs/GLOSSARY.md)"
                ));
            }
        }
    }
    found
}

/// The files of a folder with this ending: path from the top, text.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let entries = read_dir(top().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|found| found == ending));
    let short = |path: &Path| path.strip_prefix(top()).unwrap().display().to_string();
    let files = paths.map(|path| (short(&path), read_to_string(&path).unwrap()));
    files.collect()
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn no_retired_word_is_back_in_an_identifier() {
    let sources = sources(&["src"]);
    let found: Vec<String> = sources.iter().flat_map(retired_identifiers).collect();
    assert_none(&found);
}

#[test]
fn no_retired_word_is_back_in_a_message() {
    let sources = sources(&["src"]);
    let found: Vec<String> = sources.iter().flat_map(retired_messages).collect();
    assert_none(&found);
}

#[test]
fn no_retired_word_is_back_in_the_help() {
    for command in ["serve", "hello", "echo", "chat", "bench", "sim"] {
        let mut process = Epollo::run(&[command, "--help"]);
        let help = String::from_utf8(process.rest()).unwrap();
        assert!(help.contains("Usage: epollo"), "{command}: {help}");
        let found = retired_words(&help, SAID);
        assert!(found.is_empty(), "{command}: {found:?}");
    }
}

#[test]
fn no_retired_word_is_back_on_the_page() {
    let mut found = Vec::new();
    for (path, text) in ["js", "html"]
        .iter()
        .flat_map(|ending| files("src/explore", ending))
    {
        let words = retired_words(&text, SAID);
        found.extend(
            words
                .iter()
                .map(|word| format!("{path}: `{word}` is retired")),
        );
    }
    assert_none(&found);
}

#[test]
fn no_retired_word_is_back_in_the_code_of_a_document() {
    let readme = read_to_string(top().join("README.md")).unwrap();
    let documents = ["docs", "docs/ko"]
        .iter()
        .flat_map(|folder| files(folder, "md"));
    let documents = documents.chain([("README.md".to_owned(), readme)]);
    let found = documents.flat_map(|(path, text)| retired_code(&path, &text));
    assert_none(&found.collect::<Vec<String>>());
}

#[test]
fn every_word_of_the_glossary_has_a_meaning_and_a_place_to_read_more() {
    let glossary = read_to_string(top().join("docs/GLOSSARY.md")).unwrap();
    let mut words = String::new();
    for line in glossary.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert!(
            cells.len() == 3 && cells.iter().all(|cell| !cell.is_empty()),
            "{line}"
        );
        words += &format!(" {}", cells[0].replace([',', '`'], " "));
    }
    let missing: Vec<&str> = DEFINED
        .split_whitespace()
        .filter(|word| !has(&words, word))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/GLOSSARY.md does not define {missing:?}"
    );
}

#[test]
fn a_planted_word_is_found() {
    let planted = Source::new(
        "src/planted.rs",
        "/// A guest told of its wishes.\nfn is_guest() { say(\"no guest\"); told(FreeGuest, GUESTS_MAX, window) }",
    );
    let found = retired_identifiers(&planted).join(" ");
    for name in ["is_guest", "told", "FreeGuest", "GUESTS_MAX", "window"] {
        assert!(
            found.contains(&format!("src/planted.rs:2: `{name}`")),
            "{found}"
        );
    }
    let said = retired_messages(&planted);
    let expected = [(1, "guest"), (1, "wishes"), (2, "guest")];
    let expected = expected.map(|(line, word)| {
        format!("src/planted.rs:{line}: says `{word}`, which is retired (docs/GLOSSARY.md)")
    });
    assert_eq!(said, expected);
    let document =
        "A guest is told.\n`Told`, `is_guest` and `fine`\n```\n  read_limit FreeDoors\n```\n";
    let found = retired_code("docs/PLANTED.md", document);
    assert_eq!(found.len(), 3, "{found:?}");
}
