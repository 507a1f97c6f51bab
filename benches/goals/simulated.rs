//! P9: what an echo costs with up to a million connections, more than one machine can hold: on the
//! simulated kernel. This program becomes the server with its herd (`--mass N ROUNDS`), under
//! callgrind(1) for instructions and with a counting allocator for bytes.

use std::alloc::System;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use epollo::protocol::echo::{Echo, Settings};
use epollo::reactor::Policy;
use epollo::sim::Mass;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use crate::Effort;
use crate::common::machine::is_installed;
use crate::common::tools::{callgrind, counted};
use crate::common::{Result, tell};
use crate::verdict::{Bound, Line};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The timeouts of `epollo serve`.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// With `--mass N ROUNDS` this program is the herd: N connections, so many echoes each, and the bytes
/// that the server allocated for them are printed.
pub(crate) fn run_if_asked(mut arguments: impl Iterator<Item = String>) -> Option<ExitCode> {
    arguments.find(|argument| argument == "--herd")?;
    let mut number = || arguments.next()?.parse::<usize>().ok();
    let result = match (number(), number()) {
        (Some(count), Some(rounds)) => mass(count, rounds),
        (_, _) => Err("--herd N ROUNDS".into()),
    };
    Some(match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("FAILED: {error}"));
            ExitCode::FAILURE
        }
    })
}

fn mass(count: usize, rounds: usize) -> Result<()> {
    let policy = Policy {
        idle_timeout: Some(IDLE_TIMEOUT),
        write_timeout: Some(WRITE_TIMEOUT),
        ..Policy::default()
    };
    let mut mass = Mass::new(count, Echo::new(Settings::default()), (), policy)?;
    let region = Region::new(ALLOCATOR);
    mass.open()?;
    let opened = region.change();
    for _ in 0..rounds {
        let wrong = mass.echo()?;
        if wrong > 0 {
            return Err(format!("{wrong} echoes were wrong").into());
        }
    }
    let echoed = region.change();
    let bytes = opened.bytes_allocated as i64 - opened.bytes_deallocated as i64;
    let later =
        echoed.allocations + echoed.reallocations - opened.allocations - opened.reallocations;
    tell(&format!("{bytes} {later}"));
    Ok(())
}

fn herd_command(count: usize, rounds: usize) -> Result<Vec<std::ffi::OsString>> {
    let mut command = vec![std::env::current_exe()?.into_os_string()];
    command.extend(["--herd".to_owned(), count.to_string(), rounds.to_string()].map(Into::into));
    Ok(command)
}

/// What the herd says, run under a tool.
fn run(tool: Vec<std::ffi::OsString>, count: usize, rounds: usize) -> Result<(f64, f64)> {
    let mut command = tool;
    command.extend(herd_command(count, rounds)?);
    let output = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let figures: Vec<f64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    match figures[..] {
        [bytes, allocations] if output.status.success() => Ok((bytes, allocations)),
        _ => Err(format!("the herd of {count} fails: {text}").into()),
    }
}

/// Bytes that the server allocates for one more connection.
pub(crate) fn bytes_per_connection(few: usize, many: usize) -> Result<f64> {
    let slope = run(Vec::new(), many, 1)?.0 - run(Vec::new(), few, 1)?.0;
    Ok(slope / (many - few) as f64)
}

/// Instructions of one round of echoes, for one of them.
fn instructions_per_echo(count: usize, rounds: usize) -> Result<f64> {
    let of = |rounds: usize| -> Result<u64> {
        let out = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
        let out = out.join(format!("callgrind-herd-{}", std::process::id()));
        run(callgrind(&out), count, rounds)?;
        counted(&out)
    };
    let more = of(2 * rounds)? as f64 - of(rounds)? as f64;
    Ok(more / (rounds * count) as f64)
}

/// P9.
pub(crate) fn growth(effort: &Effort) -> Result<Vec<Line>> {
    if !is_installed("valgrind") {
        return Err("valgrind is not installed (Debian package valgrind)".into());
    }
    let all = [1, 100, 10_000, 100_000, 1_000_000];
    let counts = if effort.is_quick { &all[..3] } else { &all };
    let mut figures = Vec::new();
    for &count in counts {
        let rounds = (200_000 / count).max(1);
        let (_, allocations) = run(Vec::new(), count, rounds)?;
        let instructions = instructions_per_echo(count, rounds)?;
        let bytes = bytes_per_connection(count, 2 * count)?;
        tell(&format!(
            "    {count} connections: {instructions:.1} instructions for an echo, {bytes:.1} bytes for a \
             connection, {allocations} allocations in {rounds} rounds"
        ));
        figures.push((count, instructions, bytes));
    }
    let command = "valgrind --tool=callgrind goals --herd N ROUNDS; the simulated kernel and its clients count too";
    let Some(&(fewest, least, _)) = figures.iter().find(|(count, _, _)| *count >= 100) else {
        return Err("no crowd was measured".into());
    };
    let lines = figures
        .iter()
        .filter(|(count, _, _)| *count > fewest)
        .map(|(count, figure, _)| {
            let what = format!("instructions for an echo, {count} connections / {fewest}");
            Line::exact(what, figure / least, Bound::AtMost(1.01))
                .with(format!("{figure:.1} / {least:.1}"), command)
        });
    Ok(lines.collect())
}
