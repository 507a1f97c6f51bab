//! The plots of a run, each with its words, its legend and the table that says the same in figures.
//! How lines are drawn and where they stand on the page is decided elsewhere.

use super::plot::{Axis, Line, Plot, place_of_percentile, seconds};
use super::statistics::median;
use super::table::row;
use super::units::{self, percent, time, whole_time};
use super::{Report, Second, Slice, slices};

/// More points than a plot has pixels for are drawn together.
const POINTS_MAX: usize = 400;

/// A plot and what is said of it.
pub(super) struct Drawing {
    pub title: &'static str,
    /// For those who cannot see it.
    pub gist: String,
    pub plot: Plot,
    /// A heading and rows.
    pub table: Vec<Vec<String>>,
    pub note: Option<String>,
}

/// The plots for which there is something to draw.
pub(super) fn drawings(report: &Report) -> Vec<Drawing> {
    let per_point = report.timeline.len().div_ceil(POINTS_MAX).max(1);
    let points = points(&report.timeline, per_point);
    let note = (per_point > 1).then(|| {
        format!("Each point covers {per_point} s: the median of p50, the highest p99 and max, the mean of the rest.")
    });
    let drawings = [
        percentiles(report),
        latency(&points, note.clone()),
        throughput(report, &points, note.clone()),
        cpu(report, &points, note),
    ];
    drawings.into_iter().flatten().collect()
}

/// Some seconds of a run taken together, again and again.
fn points(timeline: &[Second], per_point: usize) -> Vec<Slice> {
    let mut points = slices(timeline.chunks(per_point).map(together), 0.0);
    // What is left at the end of a run is too short to be a rate of its own.
    let is_only = points.len() == 1;
    points.retain(|point| is_only || point.seconds > 0.1);
    points
}

fn together(seconds: &[Second]) -> Second {
    let mut answered: Vec<&Second> = seconds.iter().filter(|second| second.echoes > 0).collect();
    answered.sort_by_key(|second| second.p50);
    let middle = answered.get(answered.len() / 2);
    Second {
        at: seconds.last().map_or(0.0, |last| last.at),
        echoes: seconds.iter().map(|second| second.echoes).sum(),
        p50: middle.map_or(0, |second| second.p50),
        p99: answered.iter().map(|second| second.p99).max().unwrap_or(0),
        max: answered.iter().map(|second| second.max).max().unwrap_or(0),
        server_cpu_ns: seconds.iter().map(|second| second.server_cpu_ns).sum(),
    }
}

fn percentiles(report: &Report) -> Option<Drawing> {
    let response = report.response_ns;
    if report.curve.is_empty() || response.count == 0 {
        return None;
    }
    let answers = response.count as f64;
    let end = answers.log10().clamp(1.0, 6.0);
    let place = |percentile: f64| place_of_percentile(percentile).clamp(0.0, end);
    let points = report
        .curve
        .iter()
        .map(|&(percentile, ns)| (place(percentile), ns as f64));
    let lowest = report.curve.iter().map(|&(_, ns)| ns).min().unwrap_or(0);
    let named = [
        ("50 %", response.p50),
        ("90 %", response.p90),
        ("99 %", response.p99),
        ("99.9 %", response.p999),
        ("100 % (max)", response.max),
    ];
    let mut table = vec![row(["answers", "within"])];
    table.extend(named.map(|(name, ns)| vec![name.to_owned(), whole_time(ns)]));
    let parts = named.map(|(name, ns)| format!("{name} within {}", whole_time(ns)));
    Some(Drawing {
        title: "Response time by percentile",
        gist: format!(
            "Percentile curve of the response time: {}.",
            parts.join(", ")
        ),
        plot: Plot {
            x: Axis::percentiles,
            x_end: end,
            y: response_times(lowest, response.max),
            lines: vec![Line {
                name: "response time".to_owned(),
                pieces: vec![points.collect()],
            }],
        },
        table,
        note: None,
    })
}

fn response_times(lowest: u64, highest: u64) -> Axis {
    let (lowest, highest) = (lowest as f64, highest as f64);
    Axis::logarithmic("response time", lowest, highest, units::round_time)
}

/// One figure of a second.
type OfSecond = fn(&Second) -> u64;

/// The answered stretches of a run, one figure of each second.
fn stretches(points: &[Slice], name: &str, of: OfSecond) -> Line {
    let stretches = points.split(|point| point.second.echoes == 0);
    let point = |point: &Slice| (point.second.at, of(&point.second) as f64);
    Line {
        name: name.to_owned(),
        pieces: stretches
            .map(|stretch| stretch.iter().map(point).collect())
            .collect(),
    }
}

/// The least, the middle and the most of some figures.
fn spread(values: &[f64], show: fn(f64) -> String) -> [String; 3] {
    let least = values.iter().copied().min_by(f64::total_cmp).unwrap_or(0.0);
    let most = values.iter().copied().max_by(f64::total_cmp).unwrap_or(0.0);
    [least, median(&mut values.to_vec()), most].map(show)
}

fn latency(points: &[Slice], note: Option<String>) -> Option<Drawing> {
    let answered = points.iter().map(|point| point.second);
    let answered: Vec<Second> = answered.filter(|second| second.echoes > 0).collect();
    let lowest = answered.iter().map(|second| second.p50).min()?;
    let highest = answered.iter().map(|second| second.max).max()?;
    let figures: [(&str, OfSecond); 3] = [
        ("p50", |second| second.p50),
        ("p99", |second| second.p99),
        ("max", |second| second.max),
    ];
    let mut table = vec![row(["of one second", "lowest", "median", "highest"])];
    let mut parts = Vec::new();
    for (name, of) in figures {
        let values: Vec<f64> = answered.iter().map(|second| of(second) as f64).collect();
        let [least, middle, most] = spread(&values, time);
        parts.push(format!("{name} from {least} to {most}"));
        table.push(vec![name.to_owned(), least, middle, most]);
    }
    let silent = points.len() - answered.len();
    let silence =
        (silent > 0).then(|| "The lines have gaps where nothing was answered.".to_owned());
    let notes: Vec<String> = note.into_iter().chain(silence).collect();
    Some(Drawing {
        title: "Response time, second by second",
        gist: format!("Response time over the run: {}.", parts.join(", ")),
        plot: Plot {
            x: seconds,
            x_end: points.last()?.second.at,
            y: response_times(lowest, highest),
            lines: figures.map(|(name, of)| stretches(points, name, of)).into(),
        },
        table,
        note: (!notes.is_empty()).then(|| notes.join(" ")),
    })
}

/// One line from 0 up.
fn rates(
    points: &[Slice],
    values: &[f64],
    title: &str,
    top: f64,
    label: fn(f64) -> String,
) -> Plot {
    let most = values.iter().copied().fold(top, f64::max);
    let at = points.iter().map(|point| point.second.at);
    Plot {
        x: seconds,
        x_end: points.last().map_or(1.0, |point| point.second.at),
        y: Axis::linear(title, most * 1.05, 6.0, label),
        lines: vec![Line {
            name: title.to_owned(),
            pieces: vec![at.zip(values.iter().copied()).collect()],
        }],
    }
}

fn throughput(report: &Report, points: &[Slice], note: Option<String>) -> Option<Drawing> {
    if points.is_empty() || report.echoes == 0 {
        return None;
    }
    let rate = |point: &Slice| point.second.echoes as f64 / point.seconds;
    let values: Vec<f64> = points.iter().map(rate).collect();
    let [least, middle, most] = spread(&values, units::digits);
    let (_, many) = units::answers_of(&report.service);
    Some(Drawing {
        title: "Throughput",
        gist: format!(
            "Throughput over the run: {least} to {most} {many} per second, median {middle}."
        ),
        plot: rates(
            points,
            &values,
            &format!("{many} per second"),
            0.0,
            units::round,
        ),
        table: vec![
            row(["second", &format!("{many} per second")]),
            vec!["slowest".to_owned(), least],
            vec!["median".to_owned(), middle],
            vec!["fastest".to_owned(), most],
            vec!["whole run".to_owned(), units::digits(report.per_second)],
        ],
        note,
    })
}

fn cpu(report: &Report, points: &[Slice], note: Option<String>) -> Option<Drawing> {
    let server = report.server.as_ref()?;
    let share = |point: &Slice| Some(point.second.server_cpu_ns? as f64 / point.seconds / 1e9);
    let values: Option<Vec<f64>> = points.iter().map(share).collect();
    let values = values.filter(|values| !values.is_empty())?;
    let [least, middle, most] = spread(&values, percent);
    let (one, _) = units::answers_of(&report.service);
    let mut table = vec![
        row(["second", "of a core"]),
        vec!["lowest".to_owned(), least.clone()],
        vec!["median".to_owned(), middle.clone()],
        vec!["highest".to_owned(), most.clone()],
    ];
    if report.echoes > 0 {
        table.push(vec![format!("CPU per {one}"), time(server.cpu_ns_per_echo)]);
    }
    Some(Drawing {
        title: "CPU time of the server",
        gist: format!(
            "The server's share of a core over the run: {least} to {most}, median {middle}."
        ),
        plot: rates(points, &values, "share of a core", 1.0, percent_label),
        table,
        note,
    })
}

fn percent_label(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
