//! What `epollo bench --ab` found, from the runs of both servers in the order in which they went.
//! No run is started here.

use super::INTERRUPTED;
use super::statistics::{self, Spread, median};
use super::verdict::{self, Figure, INTERLEAVED, Judged, Measured};
use super::{AbTest, Ratio, Report};
use super::{text, units};
use crate::protocol::display::Escaped;

/// With fewer pairs even a ratio that is on one side of 1 in all of them is no proof at the level
/// that five figures together need.
const PAIRS_MIN: usize = 8;

/// Pairs up neighbours (A B, B A, …) and judges their ratios. `which_is_a` says for each run whether
/// it is of A; a run whose neighbour is of the same server is not paired. Returns the report for people on a
/// terminal, too.
pub fn ab_test(
    runs: Vec<Report>,
    which_is_a: &[bool],
    discarded: usize,
    interrupted: bool,
    [a, b]: [&str; 2],
) -> (AbTest, String) {
    let pairs = pairs(&runs, which_is_a);
    let measured = Figure::ALL
        .into_iter()
        .filter_map(|figure| measured(figure, &pairs));
    let (measured, a_to_b): (Vec<_>, Vec<_>) = measured.unzip();
    let judged = verdict::judge(&measured, INTERLEAVED);
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
        verdict::words(&judged)
    };
    let ratios = judged.iter().zip(&a_to_b);
    let ab_test = AbTest {
        a: a.to_owned(),
        b: b.to_owned(),
        blocks: pairs.len(),
        discarded,
        ratios: ratios.map(ratio).collect(),
        verdict,
        interrupted,
        warnings,
        runs,
    };
    let words = words(&ab_test, &judged);
    (ab_test, words)
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

/// Both servers, B divided by A, and A divided by B; none unless every pair knows the figure.
fn measured(figure: Figure, pairs: &[(&Report, &Report)]) -> Option<(Measured, Spread)> {
    let both = |(a, b): &(&Report, &Report)| Some((of(figure, a)?, of(figure, b)?));
    let values: Vec<(f64, f64)> = pairs.iter().map(both).collect::<Option<_>>()?;
    let (mut a, mut b): (Vec<_>, Vec<_>) = values.iter().copied().unzip();
    let turned: Vec<_> = values.iter().map(|&(a, b)| (b, a)).collect();
    let measured = Measured {
        figure,
        spread: statistics::paired(&turned)?,
        a: median(&mut a),
        b: median(&mut b),
    };
    Some((measured, statistics::paired(&values)?))
}

fn ratio((judged, a_to_b): (&Judged, &Spread)) -> Ratio {
    let (low, high) = a_to_b.interval(1);
    Ratio {
        figure: judged.figure.name().to_owned(),
        a: judged.a,
        b: judged.b,
        b_to_a: judged.b_to_a,
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

fn words(ab_test: &AbTest, judged: &[Judged]) -> String {
    let [a, b] = [&ab_test.a, &ab_test.b].map(|server| Escaped(server.as_bytes()));
    let blocks = units::counted(ab_test.blocks as u64, "block", "blocks");
    let discarded = ab_test.discarded;
    let title = |figure: Figure| figure.title().to_owned();
    let meaning =
        "A and B: medians over the blocks; B/A: the median over pairs of neighbouring blocks";
    let body = verdict::compared(judged, title, meaning, &ab_test.verdict, &ab_test.warnings);
    format!("A  {a}\nB  {b}\n{blocks} of each, alternating; {discarded} discarded\n\n{body}")
}
