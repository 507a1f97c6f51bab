//! `epollo bench`: a load on somebody's server, every answer verified, and what can be said of it. The
//! load is a Service on the same reactor as the server of `epollo serve`.

use std::fs::File;

use super::log::Log;
use super::trace::Sink;
use super::trace::args::{Destination, TraceArguments};
use super::{Failure, print, signals};
use crate::trace::Off;
use args::{BenchArguments, BenchCommand, ReportArguments};
use load::Unreachable;
use plan::{Plan, Wish};
use progress::Progress;
use report::Report;

mod ab;
pub(super) mod args;
mod asking;
mod book;
mod compare;
mod cost;
mod duel;
mod fail_if;
mod figures;
mod files;
mod html;
mod load;
mod meters;
mod owners;
mod pace;
mod payload;
mod plan;
mod plot;
mod preflight;
mod progress;
mod report;
mod run;
mod saved;
mod statistics;
mod table;
mod text;
mod trust;
mod units;
mod verdict;
mod verify;

/// The exit code of a run that its user ended.
const INTERRUPTED: u8 = 130;

/// Loads, or compares.
pub(super) fn run(arguments: &BenchArguments, log: &Log) -> Result<(), Failure> {
    if let Some(BenchCommand::Compare { a, b, json }) = &arguments.command {
        return compare::run(a, b, *json);
    }
    match plan::understand(arguments)? {
        Wish::One(plan) => one(
            &preflight::settled(*plan),
            &arguments.report,
            &arguments.trace,
            log,
        ),
        Wish::Duel { .. } if arguments.trace.trace.is_some() => Err(Failure::asked_wrongly(
            "--trace is for one server, not for --ab",
        )),
        Wish::Duel { a, b, blocks } => {
            let (a, b) = (preflight::settled(*a), preflight::settled(*b));
            duel_of(&a, &b, blocks, &arguments.report)
        }
    }
}

fn one(
    plan: &Plan,
    wanted: &ReportArguments,
    trace: &TraceArguments,
    log: &Log,
) -> Result<(), Failure> {
    let paths = [&wanted.csv, &wanted.hdr, &wanted.html];
    for path in paths.into_iter().flatten() {
        files::check(path)?;
    }
    let signals = listen_to_signals()?;
    let mut progress = Progress::new(trace.trace != Some(Destination::Stderr));
    let outcome = match Sink::open(trace, log, "epollo bench", Vec::new())? {
        None => run::run(plan, Off, &mut progress, &signals),
        Some(trace) => run::run(plan, trace, &mut progress, &signals),
    };
    progress.end();
    let outcome = outcome?;
    let report = &outcome.report;
    if let Some(path) = &wanted.csv {
        files::csv(path, report)?;
    }
    if let Some(path) = &wanted.hdr {
        files::hdr(path, &outcome.response)?;
    }
    if let Some(path) = &wanted.html {
        html::write(path, report)?;
    }
    if wanted.json {
        files::json(report)?;
    } else {
        print(text::words(report).as_bytes())?;
    }
    judge(report, outcome.was_interrupted, wanted)
}

fn duel_of(a: &Plan, b: &Plan, blocks: usize, wanted: &ReportArguments) -> Result<(), Failure> {
    let unwanted = [&wanted.csv, &wanted.hdr, &wanted.html];
    if unwanted.iter().any(|path| path.is_some()) || !wanted.fail_if.is_empty() {
        return Err(Failure::asked_wrongly(
            "--csv, --hdr, --html and --fail-if are for one server, not for --ab",
        ));
    }
    for target in [a.target, b.target] {
        preflight::probe(target)
            .map_err(|error| run::unreachable(target, &Unreachable::of(&error)))?;
    }
    let signals = listen_to_signals()?;
    let mut progress = Progress::new(true);
    let duel = ab::run(a, b, blocks, &mut progress, &signals);
    progress.end();
    let (duel, was_interrupted) = duel?;
    if wanted.json {
        files::json(&duel)?;
    } else {
        print(duel::words_of_duel(&duel).as_bytes())?;
    }
    for report in &duel.runs {
        judge(report, was_interrupted, wanted)?;
    }
    if was_interrupted {
        return Err(interrupted());
    }
    Ok(())
}

fn listen_to_signals() -> Result<File, Failure> {
    signals::first_asks_second_exits().map_err(|error| Failure::cannot("listen to signals", &error))
}

fn interrupted() -> Failure {
    Failure {
        code: INTERRUPTED,
        words: "interrupted".to_owned(),
    }
}

/// The exit code that scripts go by.
fn judge(report: &Report, was_interrupted: bool, wanted: &ReportArguments) -> Result<(), Failure> {
    let kinds = [
        ("lost", report.lost),
        ("changed", report.changed),
        ("duplicated", report.duplicated),
        ("crossed", report.crossed),
        ("reordered", report.reordered),
        ("broken connections", report.broken),
    ];
    let wrong: Vec<String> = kinds
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    if !wrong.is_empty() {
        let (address, wrong) = (&report.address, wrong.join(", "));
        return Err(Failure::at_work(format_args!(
            "{address} did not answer faithfully: {wrong}"
        )));
    }
    if was_interrupted {
        return Err(interrupted());
    }
    if report.echoes == 0 {
        return Err(Failure::at_work(format_args!(
            "{} answered nothing",
            report.address
        )));
    }
    let broken = fail_if::judge(&wanted.fail_if, report);
    if broken.is_empty() {
        Ok(())
    } else {
        Err(Failure::at_work(broken.join("; ")))
    }
}
