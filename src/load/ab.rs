//! Two servers in turn, A B B A, so that whatever drifts in the machine meets both alike. What the
//! blocks say together is in `ab_test.rs`.

use std::fs::File;

use super::plan::Plan;
use super::progress::Progress;
use crate::report::ab_test::ab_test;
use crate::report::{AbTest, Report};
use crate::trace::Off;

/// Blocks that are measured again because something disturbed them, at most for each that counts.
const RETRIES_PER_BLOCK: usize = 1;

/// Measures `blocks` blocks of each server; returns what came of it, for programs and for people.
pub fn run(
    a: &Plan,
    b: &Plan,
    blocks: usize,
    progress: &mut Progress,
    signals: &File,
) -> Result<(AbTest, String), String> {
    let mut runs: Vec<Report> = Vec::new();
    let mut which_is_a = Vec::new();
    let mut discarded = 0;
    let mut was_interrupted = false;
    for block in 0..2 * blocks {
        // A B B A, A B B A, …
        let is_a = matches!(block % 4, 0 | 3);
        let plan = if is_a { a } else { b };
        let report = loop {
            progress.begin(format!("block {} of {}, ", block + 1, 2 * blocks));
            let outcome = super::run::run(plan, Off, progress, signals)?;
            was_interrupted |= outcome.was_interrupted;
            let may_retry = discarded < 2 * blocks * RETRIES_PER_BLOCK && !was_interrupted;
            if !(outcome.is_disturbed && may_retry) {
                break outcome.report;
            }
            discarded += 1;
        };
        if was_interrupted {
            break;
        }
        runs.push(report);
        which_is_a.push(is_a);
    }
    let (a, b) = (a.target.to_string(), b.target.to_string());
    let servers = [&*a, &*b];
    Ok(ab_test(
        runs,
        &which_is_a,
        discarded,
        was_interrupted,
        servers,
    ))
}
