//! When two servers are said to differ, and in which words. The statistics behind it are not made
//! here.
//!
//! Several figures are judged at once. At 95 % each, two equal servers would be significant apart in one of
//! five comparisons of four or five figures. So a difference is called one only if the whole interval
//! - with the 5 % shared out among all figures judged (Bonferroni), so that even one false word among
//!   all of them comes in at most one comparison of twenty,
//! - lies beyond what one and the same server shows against itself ([`Margins`]): no interval knows
//!   of what changes between two runs, or of what nobody would care about.
//!
//! Made-up equal servers, whose seconds resemble their neighbours and whose runs differ by 1.5 % (p99:
//! 4.5 %), were significant apart in 3 of 100 comparisons at most; where the interval only had to leave out
//! "equal", in more than half.
//!
//! The intervals that are *shown* are those of 95 % for the one figure.

use serde::Serialize;

use super::statistics::Spread;
use super::table::{aligned, row};
use super::units;
use crate::protocol::display::Escaped;

/// Two runs after one another: the machine may have changed between them, and no second of either
/// run knows it.
pub(super) const APART: Margins = Margins {
    rate: 0.05,
    tail: 0.20,
};
/// Two servers in turn: what the machine does to one it does to the other.
pub(super) const INTERLEAVED: Margins = Margins {
    rate: 0.01,
    tail: 0.02,
};

/// Differences up to these shares are nobody's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Margins {
    /// Of throughput, CPU time and the median latency.
    rate: f64,
    /// Of the latencies that few answers decide.
    tail: f64,
}

/// What can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "&'static str")]
pub(super) enum Figure {
    PerSecond,
    ServerCpu,
    P50,
    P99,
    P999,
}

impl Figure {
    pub(super) const ALL: [Figure; 5] = [
        Figure::PerSecond,
        Figure::ServerCpu,
        Figure::P50,
        Figure::P99,
        Figure::P999,
    ];

    /// As a field of `--json`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Figure::PerSecond => "per_second",
            Figure::ServerCpu => "server_cpu_ns_per_echo",
            Figure::P50 => "response_p50",
            Figure::P99 => "response_p99",
            Figure::P999 => "response_p999",
        }
    }

    /// In a table, and where it is spoken of.
    pub(super) fn title(self) -> &'static str {
        match self {
            Figure::PerSecond => "answers per second",
            Figure::ServerCpu => "server CPU per answer",
            Figure::P50 => "p50",
            Figure::P99 => "p99",
            Figure::P999 => "p99.9",
        }
    }

    /// A value of it, with its unit.
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Figure::PerSecond => units::digits(value),
            Figure::ServerCpu | Figure::P50 | Figure::P99 | Figure::P999 => units::time(value),
        }
    }

    fn margin(self, margins: Margins) -> f64 {
        match self {
            Figure::PerSecond | Figure::ServerCpu | Figure::P50 => margins.rate,
            Figure::P99 | Figure::P999 => margins.tail,
        }
    }
}

impl From<Figure> for &'static str {
    fn from(figure: Figure) -> &'static str {
        figure.name()
    }
}

/// One figure of both servers, and B divided by A.
pub(super) struct Measured {
    pub figure: Figure,
    pub a: f64,
    pub b: f64,
    pub spread: Spread,
}

/// What is to be said of it, as `compare --json` does.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Judged {
    pub figure: Figure,
    pub a: f64,
    pub b: f64,
    pub b_to_a: f64,
    /// At 95 %.
    pub low: f64,
    pub high: f64,
    /// Whether the two differ by the rule of this module.
    #[serde(skip)]
    pub is_significant: bool,
}

/// Judges all figures together; they are all of them, so that the chance of a false alarm counts them all.
pub(super) fn judge(all: &[Measured], margins: Margins) -> Vec<Judged> {
    let judge_one = |measured: &Measured| {
        let &Measured { figure, a, b, .. } = measured;
        let (low, high) = measured.spread.interval(1);
        let (sure_low, sure_high) = measured.spread.interval(all.len());
        let margin = 1.0 + figure.margin(margins);
        Judged {
            figure,
            a,
            b,
            b_to_a: measured.spread.value,
            low,
            high,
            is_significant: sure_low > margin || sure_high < 1.0 / margin,
        }
    };
    all.iter().map(judge_one).collect()
}

/// The figures of both as a table, with what it means, the verdict on them, and what is to be noted.
pub(super) fn compared(
    judged: &[Judged],
    title: fn(Figure) -> String,
    meaning: &str,
    verdict: &[String],
    notes: &[String],
) -> String {
    let mut rows = vec![row(["", "A", "B", "B/A", "95 % interval"])];
    rows.extend(judged.iter().map(|judged| {
        let figure = judged.figure;
        vec![
            title(figure),
            figure.show(judged.a),
            figure.show(judged.b),
            format!("{:.3}", judged.b_to_a),
            format!("{:.3} to {:.3}", judged.low, judged.high),
        ]
    }));
    let mut words = format!("{}{meaning}\n\n", aligned(&rows));
    for line in verdict {
        words += &format!("{line}\n");
    }
    for note in notes {
        words += &format!("note: {}\n", Escaped(note.as_bytes()));
    }
    words
}

/// The verdict, a line each: what differs, then what does not.
pub(super) fn words(judged: &[Judged]) -> Vec<String> {
    let significant = judged.iter().filter(|judged| judged.is_significant);
    let mut lines: Vec<String> = significant.map(difference).collect();
    let equal = judged.iter().filter(|judged| !judged.is_significant);
    let equal: Vec<_> = equal.map(|judged| judged.figure.title()).collect();
    if lines.is_empty() {
        lines.push("no significant difference".to_owned());
    } else if !equal.is_empty() {
        lines.push(format!("no significant difference in {}", equal.join(", ")));
    }
    lines
}

/// `B answers 12 % more per second than A (95 %: 9.1 to 15 %)`.
fn difference(judged: &Judged) -> String {
    let (is_more, [near, far]) = match (judged.b_to_a > 1.0, judged.low, judged.high) {
        (true, low, high) => (true, [low - 1.0, high - 1.0]),
        (false, low, high) => (false, [1.0 - high, 1.0 - low]),
    };
    let pick = |more, less| if is_more { more } else { less };
    let amount = units::percent((judged.b_to_a - 1.0).abs());
    let what = match judged.figure {
        Figure::PerSecond => {
            let word = pick("more", "fewer");
            format!("B answers {amount} {word} per second than A")
        }
        Figure::ServerCpu => {
            let word = pick("more", "less");
            format!("B costs {amount} {word} server CPU per answer than A")
        }
        Figure::P50 | Figure::P99 | Figure::P999 => {
            let word = pick("higher", "lower");
            let title = judged.figure.title();
            format!("{title} of B is {amount} {word} than that of A")
        }
    };
    let near = units::percent(near);
    let near = near.trim_end_matches(" %");
    format!("{what} (95 %: {near} to {})", units::percent(far))
}
