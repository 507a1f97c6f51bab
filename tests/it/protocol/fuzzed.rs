//! The fuzz targets on a stable compiler: each over a fixed number of seeded inputs, and over every
//! input that once found something. `tests/fuzz` runs the same targets for longer, guided by coverage.
//!
//! An input that fails is printed in hexadecimal. `FUZZ_INPUT=<hexadecimal>` and the name of the
//! test run that one alone.

use std::fmt::Write;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::Random;

pub mod targets;

/// However slow the machine, no target keeps the other tests waiting for longer.
const TIME_MAX: Duration = Duration::from_secs(3);
const INPUT_BYTES_MAX: usize = 400;

/// Runs one target over its inputs.
fn run(name: &str, target: fn(&[u8]), seeds: u64) {
    if let Ok(digits) = std::env::var("FUZZ_INPUT") {
        return target(&from_hexadecimal(&digits));
    }
    for (file, input) in committed(name) {
        try_one(name, target, &input, &file);
    }
    let begun = Instant::now();
    for seed in 0..seeds {
        let mut random = Random::new(seed);
        // Short inputs are as many as long ones: they leave more to the first choice.
        let end = 1 + random.below(INPUT_BYTES_MAX);
        let count = random.below(end + 1);
        let input = random.bytes(count);
        try_one(name, target, &input, &format!("seed {seed}"));
        if begun.elapsed() > TIME_MAX {
            return;
        }
    }
}

fn try_one(name: &str, target: fn(&[u8]), input: &[u8], origin: &str) {
    let tried = catch_unwind(AssertUnwindSafe(|| target(input)));
    if let Err(panic) = tried {
        let digits = hexadecimal(input);
        eprintln!(
            "{name} fails with {origin}; again:\n  FUZZ_INPUT={digits} cargo test --test it fuzzed::{name}"
        );
        resume_unwind(panic);
    }
}

/// Inputs that are kept: what once failed, and what reaches far.
fn committed(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/protocol/fuzzed/inputs");
    let mut inputs: Vec<(String, Vec<u8>)> = fs::read_dir(folder.join(name))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let file = entry.file_name().into_string().unwrap();
            (file, fs::read(entry.path()).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    })
}

fn from_hexadecimal(digits: &str) -> Vec<u8> {
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

#[test]
fn arguments() {
    run("arguments", targets::arguments, 4000);
}

#[test]
fn chat() {
    run("chat", targets::chat, 4000);
}

#[test]
fn echo() {
    run("echo", targets::echo, 5000);
}

#[test]
fn escape() {
    run("escape", targets::escape, 8000);
}

#[test]
fn framing() {
    run("framing", targets::framing, 4000);
}
