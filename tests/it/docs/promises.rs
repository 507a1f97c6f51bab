//! docs/RELIABILITY.md names a test for every promise; here is seen that the tests exist.

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::path::Path;

/// The names of all tests, as `file::test`, where a test in `a/b.rs` is `b::test`.
fn tests_in(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_in(&path, names);
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = read_to_string(&path).unwrap();
        let file = path.file_stem().unwrap().to_str().unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if line == "#[test]" {
                is_test = true;
            } else if let Some(rest) = line.strip_prefix("fn ").filter(|_| is_test) {
                let name = rest.split('(').next().unwrap();
                names.insert(format!("{file}::{name}"));
                is_test = false;
            }
        }
    }
}

#[test]
fn every_test_that_a_promise_names_exists() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    tests_in(&top.join("tests/it"), &mut tests);
    let text = read_to_string(top.join("docs/RELIABILITY.md")).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    let named: BTreeSet<&str> = quoted
        .filter(|word| word.contains("::") && word.starts_with(char::is_lowercase))
        .collect();
    assert!(named.len() > 30, "only {} tests are named", named.len());
    let missing: Vec<_> = named
        .iter()
        .filter(|name| !tests.contains(**name))
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
}

#[test]
fn every_fault_has_its_row() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = read_to_string(top.join("docs/RELIABILITY.md")).unwrap();
    for row in (1..=25).chain([29, 30, 31, 33]) {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("| {row} |")));
        let line = line.unwrap_or_else(|| panic!("no row {row}"));
        assert!(line.contains("::"), "row {row} names no test");
    }
}
