//! Where `epollo bench` leaves what it found: standard output and files. What is in them is up to the report.

use std::fs::OpenOptions;
use std::path::Path;

use serde::Serialize;

use crate::cli::{Failure, print};

/// Prints what was found: one JSON object for a program, or else the words for people.
pub(super) fn show(json: bool, object: &impl Serialize, words: &str) -> Result<(), Failure> {
    if !json {
        return print(words.as_bytes());
    }
    let text = serde_json::to_string_pretty(object)
        .map_err(|error| Failure::at_work(format_args!("cannot write JSON: {error}")))?;
    print((text + "\n").as_bytes())
}

/// Sees before a run that its file can be written.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    if path.as_os_str() == "-" {
        return Err(Failure::asked_wrongly(
            "'-' is not a file name (try a name, or --json >FILE)",
        ));
    }
    let opened = OpenOptions::new().create(true).append(true).open(path);
    let words = format!("write {}", path.display());
    opened
        .map(drop)
        .map_err(|error| Failure::cannot(&words, &error))
}

/// Writes a file, over what was there.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text)
        .map_err(|error| Failure::cannot(&format!("write {}", path.display()), &error))
}
