//! A figure beside its goal, and whether it is met: surely, or only by the median.

use std::fmt;

use epollo::report::Ratio;
use serde::Serialize;

use crate::common::interval::Interval;

/// One goal with everything that was measured for it.
#[derive(Debug, Serialize)]
pub(crate) struct Goal {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) lines: Vec<Line>,
}

/// What the figure should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// It is told and not judged.
    Open,
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) figure: f64,
    /// Its 95 % interval, or the least and the most that was counted.
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) bound: Bound,
    pub(crate) verdict: &'static str,
    /// What the figure is made of.
    pub(crate) details: String,
    /// How it was measured.
    pub(crate) command: String,
    /// Why it is to be doubted.
    pub(crate) trust: Vec<String>,
}

impl Line {
    /// A figure that is what it is.
    pub(crate) fn exact(what: impl Into<String>, figure: f64, bound: Bound) -> Line {
        Line::between(
            what,
            Interval {
                median: figure,
                low: figure,
                high: figure,
            },
            bound,
        )
    }

    /// A figure with its interval.
    pub(crate) fn between(what: impl Into<String>, figure: Interval, bound: Bound) -> Line {
        let Interval { median, low, high } = figure;
        Line {
            what: what.into(),
            figure: median,
            low,
            high,
            bound,
            verdict: judge(figure, bound),
            details: String::new(),
            command: String::new(),
            trust: Vec::new(),
        }
    }

    /// A ratio of interleaved runs.
    pub(crate) fn ratio(what: impl Into<String>, ratio: &Ratio, bound: Bound) -> Line {
        let &Ratio {
            ratio, low, high, ..
        } = ratio;
        Line::between(
            what,
            Interval {
                median: ratio,
                low,
                high,
            },
            bound,
        )
    }

    pub(crate) fn with(self, details: String, command: impl Into<String>) -> Line {
        Line {
            details,
            command: command.into(),
            ..self
        }
    }

    pub(crate) fn doubted(self, trust: &[String]) -> Line {
        Line {
            trust: trust.to_vec(),
            ..self
        }
    }
}

fn judge(Interval { median, low, high }: Interval, bound: Bound) -> &'static str {
    let (is_surely, is) = match bound {
        Bound::AtMost(most) => ((high <= most, low > most), median <= most),
        Bound::AtLeast(least) => ((low >= least, high < least), median >= least),
        Bound::Open => return "told, not judged",
    };
    match (is_surely, is) {
        ((true, _), _) => "met",
        ((_, true), _) => "missed",
        (_, true) => "met by the median, the interval reaches beyond",
        (_, false) => "missed by the median, the interval reaches the goal",
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::AtMost(most) => write!(f, "goal <= {most}"),
            Bound::AtLeast(least) => write!(f, "goal >= {least}"),
            Bound::Open => write!(f, "no goal"),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line {
            what,
            figure,
            low,
            high,
            bound,
            verdict,
            ..
        } = self;
        write!(f, "    {what}: {figure:.4}")?;
        if low < high {
            write!(f, " ({low:.4} to {high:.4})")?;
        }
        write!(f, ", {bound}: {verdict}")?;
        for more in [&self.details, &self.command] {
            if !more.is_empty() {
                write!(f, "\n        {more}")?;
            }
        }
        for reason in &self.trust {
            write!(f, "\n        not to be trusted: {reason}")?;
        }
        Ok(())
    }
}
