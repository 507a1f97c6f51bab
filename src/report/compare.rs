//! `epollo bench compare`: two runs, measured one after the other, and what follows from that.
//! It measures nothing; for servers that run at the same time `--ab` sees more.

use serde::Serialize;

use super::statistics::{self, median};
use super::verdict::{self, APART, Figure, Judged, Measured};
use super::{Asked, Report, Second, Slice, slices, text, units};
use crate::protocol::display::Escaped;

/// With fewer seconds there are too few blocks to draw from.
const SECONDS_MIN: usize = 8;

/// What `compare --json` prints.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The two files.
    a: String,
    b: String,
    /// B divided by A, and its 95 % interval.
    differences: Vec<Judged>,
    /// A line each.
    verdict: Vec<String>,
    /// What speaks against comparing the two.
    notes: Vec<String>,
}

/// Compares two runs, each with what it is called.
///
/// # Errors
/// They cannot be compared, in words for our user.
pub fn compare([a, b]: [(&str, &Report); 2]) -> Result<(Comparison, String), String> {
    let ((name_a, a), (name_b, b)) = (a, b);
    if a.service != b.service {
        return Err(format!(
            "{name_a} measured {}, {name_b} measured {}: they cannot be compared",
            a.service, b.service
        ));
    }
    let comparison = compared(a, b, name_a.to_owned(), name_b.to_owned());
    let words = words(&comparison, [a, b]);
    Ok((comparison, words))
}

fn compared(a: &Report, b: &Report, name_a: String, name_b: String) -> Comparison {
    let mut notes = notes(a, b);
    // The percentiles of what is left at the end stand on too little.
    let [seconds_a, seconds_b] = [a, b].map(|run| slices(run.timeline.iter().copied(), 0.5));
    let shorter = seconds_a.len().min(seconds_b.len());
    let judged = verdict::judge(&measured(&seconds_a, &seconds_b), APART);
    let verdict = if shorter < SECONDS_MIN {
        notes.push(format!(
            "the shorter run has {}: at least {SECONDS_MIN} are needed",
            units::counted(shorter as u64, "whole second", "whole seconds")
        ));
        vec!["too short to show a difference".to_owned()]
    } else {
        verdict::words(&judged)
    };
    Comparison {
        a: name_a,
        b: name_b,
        differences: judged,
        verdict,
        notes,
    }
}

/// Each figure that both have.
fn measured(a: &[Slice], b: &[Slice]) -> Vec<Measured> {
    let figures = [
        Figure::PerSecond,
        Figure::ServerCpu,
        Figure::P50,
        Figure::P99,
    ];
    let measured = |figure| {
        let spread = statistics::series(b, a, |slices| of(figure, slices))?;
        spread.is_finite().then(|| Measured {
            figure,
            a: of(figure, a),
            b: of(figure, b),
            spread,
        })
    };
    figures.into_iter().filter_map(measured).collect()
}

/// A figure of these seconds: throughput and cost over all of them, latencies of the median second,
/// because percentiles cannot be added up. NaN where it is not known.
fn of(figure: Figure, slices: &[Slice]) -> f64 {
    let echoes = || slices.iter().map(|slice| slice.second.echoes as f64).sum();
    let latency = |pick: fn(&Second) -> u64| {
        let answered = slices.iter().filter(|slice| slice.second.echoes > 0);
        median(
            &mut answered
                .map(|slice| pick(&slice.second) as f64)
                .collect::<Vec<_>>(),
        )
    };
    match figure {
        Figure::PerSecond => {
            let echoes: f64 = echoes();
            echoes / slices.iter().map(|slice| slice.seconds).sum::<f64>()
        }
        Figure::ServerCpu => {
            let cpu = slices.iter().map(|slice| slice.second.server_cpu_ns);
            let cpu = cpu.map(|cpu| cpu.map_or(f64::NAN, |cpu| cpu as f64));
            cpu.sum::<f64>() / echoes()
        }
        Figure::P50 => latency(|second| second.p50),
        Figure::P99 => latency(|second| second.p99),
        Figure::P999 => f64::NAN,
    }
}

/// What speaks against comparing the two, and against each of them.
fn notes(a: &Report, b: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if a.epollo != b.epollo {
        let (a, b) = (&a.epollo, &b.epollo);
        notes.push(format!(
            "measured by different versions of epollo: A {a}, B {b}"
        ));
    }
    for (setting, a, b) in settings(&a.asked, &b.asked) {
        if a != b {
            notes.push(format!("measured with different {setting}: A {a}, B {b}"));
        }
    }
    for (name, report) in [("A", a), ("B", b)] {
        if let Some(wrong) = text::wrong(report) {
            notes.push(format!("{name} had errors: {wrong}"));
        }
        notes.extend(
            report
                .warnings
                .iter()
                .map(|reason| format!("{name}: {reason}")),
        );
    }
    notes
}

/// What must be equal in both for their figures to mean the same.
fn settings(a: &Asked, b: &Asked) -> [(&'static str, String, String); 9] {
    let each = |name, of: fn(&Asked) -> String| (name, of(a), of(b));
    let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "none".to_owned());
    [
        each("connections", |asked| asked.connections.to_string()),
        each("idle connections", |asked| asked.idle.to_string()),
        each("size", |asked| asked.size.to_string()),
        each("pipeline", |asked| asked.pipeline.to_string()),
        each("rate", |asked| {
            asked
                .rate
                .map_or("none".to_owned(), |rate| rate.to_string())
        }),
        ("arrivals", word(&a.arrivals), word(&b.arrivals)),
        ("framing", word(&a.framing), word(&b.framing)),
        ("chat with", word(&a.chat_with), word(&b.chat_with)),
        each("seed", |asked| asked.seed.to_string()),
    ]
}

fn words(comparison: &Comparison, [a, b]: [&Report; 2]) -> String {
    let which = |name: &str, file: &str, report: &Report| {
        let title = text::title(report);
        format!("{name}  {}  {title}\n", Escaped(file.as_bytes()))
    };
    let title = |figure: Figure| match figure {
        Figure::P50 | Figure::P99 | Figure::P999 => format!("per-second {}", figure.title()),
        Figure::PerSecond | Figure::ServerCpu => figure.title().to_owned(),
    };
    let meaning = "B/A compares whole runs, one after the other; --ab takes the median over pairs of \
         blocks";
    let Comparison {
        differences,
        verdict,
        notes,
        ..
    } = comparison;
    let body = verdict::compared(differences, title, meaning, verdict, notes);
    which("A", &comparison.a, a) + &which("B", &comparison.b, b) + "\n" + &body
}
