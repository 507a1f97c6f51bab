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

use super::statistics::Spread;
use super::units;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// One figure of two servers, `one` divided by `other`.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub figure: Figure,
    pub ratio: f64,
    /// At 95 %.
    pub low: f64,
    pub high: f64,
    /// Whether the two differ by the rule of this module.
    pub is_significant: bool,
}

/// Judges all figures together; `spreads` are all of them, so that the chance of a false alarm counts them all.
pub(super) fn judge(spreads: &[(Figure, Spread)], margins: Margins) -> Vec<Judged> {
    let judge_one = |(figure, spread): &(Figure, Spread)| {
        let (low, high) = spread.interval(1);
        let (sure_low, sure_high) = spread.interval(spreads.len());
        let margin = 1.0 + figure.margin(margins);
        Judged {
            figure: *figure,
            ratio: spread.value,
            low,
            high,
            is_significant: sure_low > margin || sure_high < 1.0 / margin,
        }
    };
    spreads.iter().map(judge_one).collect()
}

/// The verdict, a line each: what differs, then what does not.
pub(super) fn words(judged: &[Judged], one: &str, other: &str) -> Vec<String> {
    let significant = judged.iter().filter(|judged| judged.is_significant);
    let mut lines: Vec<String> = significant
        .map(|judged| difference(judged, one, other))
        .collect();
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
fn difference(judged: &Judged, one: &str, other: &str) -> String {
    let (is_more, [near, far]) = match (judged.ratio > 1.0, judged.low, judged.high) {
        (true, low, high) => (true, [low - 1.0, high - 1.0]),
        (false, low, high) => (false, [1.0 - high, 1.0 - low]),
    };
    let pick = |more, less| if is_more { more } else { less };
    let amount = units::percent((judged.ratio - 1.0).abs());
    let what = match judged.figure {
        Figure::PerSecond => {
            let word = pick("more", "fewer");
            format!("{one} answers {amount} {word} per second than {other}")
        }
        Figure::ServerCpu => {
            let word = pick("more", "less");
            format!("{one} costs {amount} {word} server CPU per answer than {other}")
        }
        Figure::P50 | Figure::P99 | Figure::P999 => {
            let word = pick("higher", "lower");
            let title = judged.figure.title();
            format!("{title} of {one} is {amount} {word} than that of {other}")
        }
    };
    let near = units::percent(near);
    let near = near.trim_end_matches(" %");
    format!("{what} (95 %: {near} to {})", units::percent(far))
}
