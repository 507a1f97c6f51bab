//! `epollo bench`: a load on somebody's server, every answer verified, and what can be said of it. The
//! load is a Service on the same reactor as the server of `epollo serve`.

use std::path::Path;

use super::Failure;
use super::trace::TraceArguments;
use crate::load::generator::Unreachable;
use crate::load::plan::Plan;
use crate::load::progress::Progress;
use crate::load::{ab, preflight, run};
use crate::report::{self, Report, compare, html, text};
use crate::system::log::Log;
use crate::system::signals::{self, Interrupts};
use crate::system::trace_writer::Destination;
use crate::trace::Off;
use args::{BenchArguments, BenchCommand, ReportArguments};
use plan::Task;

pub(super) mod args;
mod fail_if;
mod files;
mod plan;
mod saved;
mod values;

/// Loads, or compares.
pub(super) fn run(arguments: &BenchArguments, log: &Log) -> Result<(), Failure> {
    if let Some(BenchCommand::Compare { a, b, json }) = &arguments.command {
        return compare_files(a, b, *json);
    }
    match plan::understand(arguments)? {
        Task::One(plan) => one(
            &preflight::settled(*plan),
            &arguments.report,
            &arguments.trace,
            log,
        ),
        Task::AbTest { .. } if arguments.trace.trace.is_some() => {
            Err(Failure::asked_wrongly("--trace cannot be used with --ab"))
        }
        Task::AbTest { a, b, blocks } => {
            let (a, b) = (preflight::settled(*a), preflight::settled(*b));
            ab_test_of(&a, &b, blocks, &arguments.report)
        }
    }
}

/// Compares the reports in two files.
fn compare_files(a: &Path, b: &Path, json: bool) -> Result<(), Failure> {
    let reports = (saved::report(a)?, saved::report(b)?);
    let (name_a, name_b) = (a.display().to_string(), b.display().to_string());
    let both = [(&*name_a, &reports.0), (&*name_b, &reports.1)];
    let (comparison, words) = compare::compare(both).map_err(Failure::at_work)?;
    files::show(json, &comparison, &words)
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
    let signals = listen()?;
    let mut progress = Progress::new(trace.trace != Some(Destination::Stderr));
    let outcome = match trace.open(log, "epollo bench")? {
        None => run::run(plan, Off, &mut progress, &signals.stream),
        Some(trace) => run::run(plan, trace, &mut progress, &signals.stream),
    };
    progress.end();
    let outcome = outcome.map_err(Failure::at_work)?;
    let report = &outcome.report;
    if let Some(path) = &wanted.csv {
        files::write(path, &report::files::csv(report))?;
    }
    if let Some(path) = &wanted.hdr {
        files::write(path, &report::files::hdr(&outcome.response))?;
    }
    if let Some(path) = &wanted.html {
        files::write(path, &html::page(report).map_err(Failure::at_work)?)?;
    }
    files::show(wanted.json, report, &text::words(report))?;
    judge(report, outcome.cause.as_deref(), wanted, &signals)
}

fn ab_test_of(a: &Plan, b: &Plan, blocks: usize, wanted: &ReportArguments) -> Result<(), Failure> {
    let unwanted = [&wanted.csv, &wanted.hdr, &wanted.html];
    if unwanted.iter().any(|path| path.is_some()) || !wanted.fail_if.is_empty() {
        return Err(Failure::asked_wrongly(
            "--csv, --hdr, --html and --fail-if cannot be used with --ab",
        ));
    }
    for target in [a.target, b.target] {
        preflight::probe(target).map_err(|error| {
            Failure::at_work(run::unreachable(target, &Unreachable::of(&error)))
        })?;
    }
    let signals = listen()?;
    let mut progress = Progress::new(true);
    let ab_test = ab::run(a, b, blocks, &mut progress, &signals.stream);
    progress.end();
    let (ab_test, words) = ab_test.map_err(Failure::at_work)?;
    files::show(wanted.json, &ab_test, &words)?;
    for report in &ab_test.runs {
        judge(report, None, wanted, &signals)?;
    }
    match ab_test.interrupted {
        true => Err(interrupted(&signals)),
        false => Ok(()),
    }
}

/// The signals by which our user ends a run.
fn listen() -> Result<Interrupts, Failure> {
    let listened = signals::first_records_second_exits();
    listened.map_err(|error| Failure::cannot("watch for signals", &error))
}

fn interrupted(signals: &Interrupts) -> Failure {
    Failure {
        code: signals.code.exit_code(),
        words: "interrupted".to_owned(),
    }
}

/// The exit code that scripts go by.
fn judge(
    report: &Report,
    cause: Option<&str>,
    wanted: &ReportArguments,
    signals: &Interrupts,
) -> Result<(), Failure> {
    let wrong = text::wrongs(report).into_iter();
    let wrong = wrong.filter(|&(_, count)| count > 0);
    let wrong: Vec<String> = wrong
        .map(|(kind, count)| match kind {
            "broken" => format!("broken connections {count}"),
            kind => format!("{kind} {count}"),
        })
        .collect();
    if !wrong.is_empty() {
        let (address, wrong) = (&report.address, wrong.join(", "));
        let gave = if report.echoes == 0 {
            "gave no correct answer"
        } else {
            "gave wrong answers"
        };
        let is_ending = |line: &&String| line.starts_with("broken: ");
        let example = report.wrong.iter().find(is_ending);
        let example = example.or(report.wrong.first()).map(String::as_str);
        let cause = cause.or(example);
        let cause = cause.map_or(String::new(), |cause| format!(" ({cause})"));
        return Err(Failure::at_work(format_args!(
            "{address} {gave}: {wrong}{cause}"
        )));
    }
    if report.interrupted {
        return Err(interrupted(signals));
    }
    if report.echoes == 0 {
        return Err(Failure::at_work(format_args!(
            "{} sent no answer",
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
