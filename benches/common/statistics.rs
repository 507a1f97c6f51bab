//! Medians, and intervals by bootstrap: small samples, no assumption about their distribution.

use serde::Serialize;

const RESAMPLES: usize = 2_000;

/// A median and its 95 % interval.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Interval {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// Of an even number of values, the mean of the two in the middle; 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The median, and between which values 95 % of the medians of samples of these values lie.
pub(crate) fn interval(values: &[f64]) -> Interval {
    // The same values always give the same interval.
    let mut rng = fastrand::Rng::with_seed(1);
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let sample = values.iter().map(|_| values[rng.usize(..values.len())]);
            median(&sample.collect::<Vec<f64>>())
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    let (low, high) = (
        medians[RESAMPLES / 40],
        medians[RESAMPLES - 1 - RESAMPLES / 40],
    );
    Interval {
        median: median(values),
        low,
        high,
    }
}
