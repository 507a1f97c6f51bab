//! `--fail-if 'p99>2ms'`: conditions on a report under which a run has failed. It does not end the
//! program; it says which conditions hold.

use crate::cli::values::parse_duration;
use crate::report::{Quantiles, Report, units};

/// `FIGURE OP VALUE`.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Condition {
    name: String,
    figure: Figure,
    operator: Operator,
    /// As it was given, and in nanoseconds where it is a time.
    limit: String,
    value: f64,
}

/// Where in a report a figure is.
#[derive(Clone, Copy, Debug)]
enum Figure {
    Time(fn(&Report) -> Quantiles, fn(&Quantiles) -> f64),
    /// Nanoseconds that are given as a plain number, as the name says.
    Nanoseconds(fn(&Report) -> Option<f64>),
    Number(fn(&Report) -> Option<f64>),
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

/// Longer ones first: `<=` begins like `<`.
const OPERATORS: [(&str, Operator); 4] = [
    ("<=", Operator::LessOrEqual),
    (">=", Operator::MoreOrEqual),
    ("<", Operator::Less),
    (">", Operator::More),
];

type Distribution = fn(&Report) -> Quantiles;
const DISTRIBUTIONS: [(&str, Distribution); 4] = [
    ("response", |report| report.response_ns),
    ("service", |report| report.service_ns),
    ("lag", |report| report.send_lag_ns),
    ("connect", |report| report.connect_ns),
];

type Quantile = fn(&Quantiles) -> f64;
const QUANTILES: [(&str, Quantile); 7] = [
    ("mean", |quantiles| quantiles.mean),
    ("p50", |quantiles| quantiles.p50 as f64),
    ("p90", |quantiles| quantiles.p90 as f64),
    ("p99", |quantiles| quantiles.p99 as f64),
    ("p99.9", |quantiles| quantiles.p999 as f64),
    ("p999", |quantiles| quantiles.p999 as f64),
    ("max", |quantiles| quantiles.max as f64),
];

const OTHERS: [(&str, Figure); 12] = [
    (
        "per_second",
        Figure::Number(|report| Some(report.per_second)),
    ),
    (
        "echoes",
        Figure::Number(|report| Some(report.echoes as f64)),
    ),
    ("lost", Figure::Number(|report| Some(report.lost as f64))),
    (
        "changed",
        Figure::Number(|report| Some(report.changed as f64)),
    ),
    (
        "duplicated",
        Figure::Number(|report| Some(report.duplicated as f64)),
    ),
    (
        "crossed",
        Figure::Number(|report| Some(report.crossed as f64)),
    ),
    (
        "reordered",
        Figure::Number(|report| Some(report.reordered as f64)),
    ),
    (
        "broken",
        Figure::Number(|report| Some(report.broken as f64)),
    ),
    (
        "warnings",
        Figure::Number(|report| Some(report.warnings.len() as f64)),
    ),
    (
        "cpu_ns_per_echo",
        Figure::Nanoseconds(|report| {
            let server = report.server.as_ref().filter(|_| report.echoes > 0);
            Some(server?.cpu_ns_per_echo)
        }),
    ),
    (
        "syscalls_per_echo",
        Figure::Number(|report| {
            let server = report.server.as_ref().filter(|_| report.echoes > 0);
            server?.syscalls_per_echo
        }),
    ),
    (
        "rss",
        Figure::Number(|report| Some(report.server.as_ref()?.rss? as f64)),
    ),
];

/// A condition, or a line on what is wrong with it.
pub(in crate::cli) fn parse_condition(text: &str) -> Result<Condition, String> {
    let at = text.find(['<', '>']).ok_or_else(|| {
        format!("'{text}' is not a condition (try 'p99>2ms' or 'per_second<50000')")
    })?;
    let (name, rest) = (text[..at].trim(), &text[at..]);
    let (sign, operator) = OPERATORS
        .into_iter()
        .find(|(sign, _)| rest.starts_with(sign))
        .expect("it begins with one of these");
    let figure = parse_figure(name).ok_or_else(|| unknown(name))?;
    let limit = rest[sign.len()..].trim();
    Ok(Condition {
        name: name.to_owned(),
        figure,
        operator,
        limit: limit.to_owned(),
        value: parse_value(figure, limit)?,
    })
}

/// `p99` is of the response; other distributions are named: `service.p99`.
fn parse_figure(name: &str) -> Option<Figure> {
    fn named<T: Copy>(names: &[(&str, T)], name: &str) -> Option<T> {
        let found = names.iter().find(|(known, _)| *known == name);
        found.map(|&(_, named)| named)
    }
    if let Some(figure) = named(&OTHERS, name) {
        return Some(figure);
    }
    let of_response = named(&QUANTILES, name).map(|quantile| ("response", quantile));
    let of_another = || {
        let (distribution, quantile) = name.split_once('.')?;
        Some((distribution, named(&QUANTILES, quantile)?))
    };
    let (distribution, quantile) = of_response.or_else(of_another)?;
    Some(Figure::Time(named(&DISTRIBUTIONS, distribution)?, quantile))
}

fn unknown(name: &str) -> String {
    let quantiles = QUANTILES.map(|(name, _)| name).join(", ");
    let others = OTHERS.map(|(name, _)| name).join(", ");
    format!(
        "unknown figure '{name}' (known: {quantiles}, each also as service., lag. or connect., and \
         {others})"
    )
}

fn parse_value(figure: Figure, text: &str) -> Result<f64, String> {
    match figure {
        Figure::Time(_, _) => parse_duration(text)
            .map(|time| time.as_secs_f64() * 1e9)
            .map_err(|_| format!("'{text}' is not a duration (try 200us, 2ms or 1s)")),
        Figure::Nanoseconds(_) | Figure::Number(_) => text
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite() && *number >= 0.0)
            .ok_or_else(|| format!("'{text}' is not a number of at least 0")),
    }
}

/// The conditions that hold, in words for their user, and those that cannot be judged: what nobody
/// measured must not pass for good.
pub(super) fn judge(conditions: &[Condition], report: &Report) -> Vec<String> {
    let words = conditions
        .iter()
        .filter_map(|condition| condition.judge(report));
    words.collect()
}

impl Condition {
    fn judge(&self, report: &Report) -> Option<String> {
        let name = &self.name;
        let Some(value) = self.figure.of(report) else {
            let lack = match self.figure {
                Figure::Time(_, _) => "no answer was measured",
                Figure::Nanoseconds(_) | Figure::Number(_) => {
                    "it needs --pid, answers, and a kernel that reports it"
                }
            };
            return Some(format!("{name} is unknown: {lack}"));
        };
        let (holds, words) = match self.operator {
            Operator::Less => (value < self.value, "less than"),
            Operator::LessOrEqual => (value <= self.value, "at most"),
            Operator::More => (value > self.value, "more than"),
            Operator::MoreOrEqual => (value >= self.value, "at least"),
        };
        let is = self.figure.show(value);
        holds.then(|| format!("{name} is {is}, {words} {}", self.limit))
    }
}

impl Figure {
    /// None where nobody measured it.
    fn of(self, report: &Report) -> Option<f64> {
        match self {
            Figure::Time(distribution, quantile) => {
                let quantiles = distribution(report);
                (quantiles.count > 0).then(|| quantile(&quantiles))
            }
            Figure::Nanoseconds(of) | Figure::Number(of) => of(report),
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Figure::Time(_, _) | Figure::Nanoseconds(_) => units::time(value),
            Figure::Number(_) if value.fract() == 0.0 => format!("{value}"),
            Figure::Number(_) => units::digits(value),
        }
    }
}
