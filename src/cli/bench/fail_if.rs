//! `--fail-if 'p99>2ms'`: conditions on a report under which a run has failed. It does not end the
//! program; it says which conditions hold.

use crate::cli::values::parse_duration;
use crate::report::{Cost, Quantiles, Report, units};

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
    Time(Distribution, Quantile),
    Number(Number),
}

/// How it is written, whether it holds, and in words.
type Operator = (&'static str, fn(&f64, &f64) -> bool, &'static str);

/// Longer ones first: `<=` begins like `<`.
const OPERATORS: [Operator; 4] = [
    ("<=", f64::le, "at most"),
    (">=", f64::ge, "at least"),
    ("<", f64::lt, "less than"),
    (">", f64::gt, "more than"),
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

/// None where nobody measured it.
type Number = fn(&Report) -> Option<f64>;
/// What is given as a plain number; `_ns` in a name says of what.
const OTHERS: [(&str, Number); 12] = [
    ("per_second", |report| Some(report.per_second)),
    ("echoes", |report| Some(report.echoes as f64)),
    ("lost", |report| Some(report.lost as f64)),
    ("changed", |report| Some(report.wrongs.changed as f64)),
    ("duplicated", |report| Some(report.wrongs.duplicated as f64)),
    ("crossed", |report| Some(report.wrongs.crossed as f64)),
    ("reordered", |report| Some(report.wrongs.reordered as f64)),
    ("broken", |report| Some(report.wrongs.broken as f64)),
    ("warnings", |report| Some(report.warnings.len() as f64)),
    ("cpu_ns_per_echo", |report| {
        Some(cost_of_echoes(report)?.cpu_ns_per_echo)
    }),
    ("syscalls_per_echo", |report| {
        cost_of_echoes(report)?.syscalls_per_echo
    }),
    ("rss", |report| Some(report.server.as_ref()?.rss? as f64)),
];

/// What an echo cost the server, if there was one.
fn cost_of_echoes(report: &Report) -> Option<&Cost> {
    report.server.as_ref().filter(|_| report.echoes > 0)
}

/// A condition, or a line on what is wrong with it.
pub(in crate::cli) fn parse_condition(text: &str) -> Result<Condition, String> {
    let at = text.find(['<', '>']).ok_or_else(|| {
        format!("'{text}' is not a condition (try 'p99>2ms' or 'per_second<50000')")
    })?;
    let (name, rest) = (text[..at].trim(), &text[at..]);
    let operator = OPERATORS
        .into_iter()
        .find(|(sign, _, _)| rest.starts_with(sign))
        .expect("it begins with one of these");
    let figure = parse_figure(name).ok_or_else(|| unknown(name))?;
    let limit = rest[operator.0.len()..].trim();
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
    if let Some(number) = named(&OTHERS, name) {
        return Some(Figure::Number(number));
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
        Figure::Number(_) => text
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
                Figure::Number(_) => "it needs --pid, answers, and a kernel that reports it",
            };
            return Some(format!("{name} is unknown: {lack}"));
        };
        let (_, holds, words) = self.operator;
        holds(&value, &self.value)
            .then(|| format!("{name} is {}, {words} {}", self.show(value), self.limit))
    }

    fn show(&self, value: f64) -> String {
        match self.figure {
            Figure::Number(_) if !self.name.contains("_ns") => match value.fract() {
                0.0 => format!("{value}"),
                _ => units::digits(value),
            },
            Figure::Time(_, _) | Figure::Number(_) => units::time(value),
        }
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
            Figure::Number(of) => of(report),
        }
    }
}
