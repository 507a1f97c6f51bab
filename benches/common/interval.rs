//! A figure with its interval, as results are saved. Both are made in `epollo::report::statistics`.

use epollo::report::statistics;
use serde::Serialize;

use super::Result;

/// A median and its 95 % interval.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Interval {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Interval {
    /// Of these values, of which there must be one.
    pub(crate) fn of(values: &[f64]) -> Result<Interval> {
        let spread = statistics::middle(values).ok_or("nothing was measured")?;
        let (low, high) = spread.interval(1);
        Ok(Interval {
            median: spread.value,
            low,
            high,
        })
    }
}
