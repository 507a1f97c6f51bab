//! What `epollo bench --ab` found, from the runs of both servers in the order in which they went.
//! No run is started here.

use super::INTERRUPTED;
use super::statistics::{self, Spread, median};
use super::table::{aligned, row};
use super::verdict::{self, Figure, INTERLEAVED, Judged};
use super::{AbTest, Ratio, Report};
use super::{text, units};
use crate::protocol::display::Escaped;

/// With fewer pairs even a ratio that is on one side of 1 in all of them is no proof at the level
/// that five figures together need.
const PAIRS_MIN: usize = 8;

/// Pairs up neighbours (A B, B A, …) and judges their ratios. `which_is_a` says for each run whether
/// it is of A; a run whose neighbour is of the same server is not paired.
pub fn ab_test(
    runs: Vec<Report>,
    which_is_a: &[bool],
    discarded: usize,
    interrupted: bool,
    [a, b]: [&str; 2],
) -> AbTest {
    let pairs = pairs(&runs, which_is_a);
    let spreads: Vec<_> = Figure::ALL
        .into_iter()
        .filter_map(|figure| Some((figure, spread(figure, &pairs)?)))
        .collect();
    let judged = verdict::judge(&spreads, INTERLEAVED);
    let mut warnings = warnings(&runs, which_is_a);
    if interrupted {
        warnings.insert(0, INTERRUPTED.to_owned());
    }
    let verdict = if pairs.len() < PAIRS_MIN {
        let blocks = units::counted(pairs.len() as u64, "block", "blocks");
        warnings.push(format!(
            "{blocks} of each server: at least {PAIRS_MIN} are needed"
        ));
        vec!["too few blocks to show a difference".to_owned()]
    } else {
        verdict::words(&judged, "B", "A")
    };
    let ratio = |judged: &Judged| ratio(judged, &pairs);
    AbTest {
        a: a.to_owned(),
        b: b.to_owned(),
        blocks: pairs.len(),
        discarded,
        ratios: judged.iter().map(ratio).collect(),
        verdict,
        interrupted,
        warnings,
        runs,
    }
}

/// Neighbours of which one is of A and one of B, in this order.
fn pairs<'a>(runs: &'a [Report], which_is_a: &[bool]) -> Vec<(&'a Report, &'a Report)> {
    let neighbours = runs.chunks_exact(2).zip(which_is_a.chunks_exact(2));
    let pair = |(runs, is_a): (&'a [Report], &[bool])| match (runs, is_a) {
        ([one, other], [true, false]) => Some((one, other)),
        ([one, other], [false, true]) => Some((other, one)),
        (_, _) => None,
    };
    neighbours.filter_map(pair).collect()
}

/// None where a run does not know the figure.
fn of(figure: Figure, run: &Report) -> Option<f64> {
    let value = match figure {
        Figure::PerSecond => run.per_second,
        Figure::ServerCpu => run.server.as_ref()?.cpu_ns_per_echo,
        Figure::P50 => run.response_ns.p50 as f64,
        Figure::P99 => run.response_ns.p99 as f64,
        Figure::P999 => run.response_ns.p999 as f64,
    };
    (value.is_finite() && value > 0.0).then_some(value)
}

/// B divided by A; none unless every pair knows the figure.
fn spread(figure: Figure, pairs: &[(&Report, &Report)]) -> Option<Spread> {
    statistics::paired(&values(figure, pairs)?)
}

/// The figure of B and of A in each pair.
fn values(figure: Figure, pairs: &[(&Report, &Report)]) -> Option<Vec<(f64, f64)>> {
    let both = |(a, b): &(&Report, &Report)| Some((of(figure, b)?, of(figure, a)?));
    pairs.iter().map(both).collect()
}

fn ratio(judged: &Judged, pairs: &[(&Report, &Report)]) -> Ratio {
    let middle = |runs: Vec<&Report>| {
        let values = runs.into_iter().filter_map(|run| of(judged.figure, run));
        median(&mut values.collect::<Vec<_>>())
    };
    let turned = values(judged.figure, pairs).unwrap_or_default();
    let turned: Vec<_> = turned.into_iter().map(|(b, a)| (a, b)).collect();
    let a_to_b = statistics::paired(&turned).expect("it was judged, so there are pairs");
    let (low, high) = a_to_b.interval(1);
    Ratio {
        figure: judged.figure.name().to_owned(),
        a: middle(pairs.iter().map(|(a, _)| *a).collect()),
        b: middle(pairs.iter().map(|(_, b)| *b).collect()),
        b_to_a: judged.ratio,
        b_to_a_low: judged.low,
        b_to_a_high: judged.high,
        ratio: a_to_b.value,
        low,
        high,
    }
}

/// A reason to warning runs: how many of A and of B gave it, and the words of the first.
struct Warning {
    of_a: u64,
    of_b: u64,
    words: String,
}

/// Why the runs are to be doubted: each reason once. Its figures differ from run to run; what it leads
/// to, after the last colon, does not.
fn warnings(runs: &[Report], which_is_a: &[bool]) -> Vec<String> {
    let consequence = |reason: &str| reason.rsplit(": ").next().map(str::to_owned);
    let mut warnings: Vec<Warning> = Vec::new();
    for (run, &is_a) in runs.iter().zip(which_is_a) {
        let wrong = text::wrong(run).map(|_| "answers were wrong or missing".to_owned());
        for words in run.warnings.iter().cloned().chain(wrong) {
            let key = consequence(&words);
            let known = warnings
                .iter()
                .position(|warning| consequence(&warning.words) == key);
            let at = known.unwrap_or_else(|| {
                let (of_a, of_b) = (0, 0);
                warnings.push(Warning { of_a, of_b, words });
                warnings.len() - 1
            });
            warnings[at].of_a += u64::from(is_a);
            warnings[at].of_b += u64::from(!is_a);
        }
    }
    let sentences = warnings.into_iter().map(|Warning { of_a, of_b, words }| {
        let example = if of_a + of_b > 1 { "for example: " } else { "" };
        let in_a = units::counted(of_a, "block of A", "blocks of A");
        let in_b = units::counted(of_b, "block of B", "blocks of B");
        let blocks = match (of_a, of_b) {
            (_, 0) => in_a,
            (0, _) => in_b,
            (_, _) => format!("{in_a} and {} of B", units::count(of_b)),
        };
        format!("in {blocks}, {example}{words}")
    });
    sentences.collect()
}

/// The report for people on a terminal.
pub fn words_of_ab_test(ab_test: &AbTest) -> String {
    let mut words = String::new();
    for (name, server) in [("A", &ab_test.a), ("B", &ab_test.b)] {
        words += &format!("{name}  {}\n", Escaped(server.as_bytes()));
    }
    let blocks = units::counted(ab_test.blocks as u64, "block", "blocks");
    words += &format!(
        "{blocks} of each, alternating; {} discarded\n\n",
        ab_test.discarded
    );
    let mut rows = vec![row(["", "A", "B", "B/A", "95 % interval"])];
    for ratio in &ab_test.ratios {
        let figure = Figure::ALL
            .into_iter()
            .find(|figure| figure.name() == ratio.figure);
        let (title, a, b) = match figure {
            Some(figure) => (figure.title(), figure.show(ratio.a), figure.show(ratio.b)),
            None => (
                &*ratio.figure,
                units::digits(ratio.a),
                units::digits(ratio.b),
            ),
        };
        rows.push(vec![
            title.to_owned(),
            a,
            b,
            format!("{:.3}", ratio.b_to_a),
            format!("{:.3} to {:.3}", ratio.b_to_a_low, ratio.b_to_a_high),
        ]);
    }
    words += &aligned(&rows);
    words +=
        "A and B: medians over the blocks; B/A: the median over pairs of neighbouring blocks\n\n";
    for line in &ab_test.verdict {
        words += &format!("{line}\n");
    }
    for reason in &ab_test.warnings {
        words += &format!("note: {}\n", Escaped(reason.as_bytes()));
    }
    words
}
