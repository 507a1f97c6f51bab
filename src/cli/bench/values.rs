//! Single values of `epollo bench`, from words to what they mean. What is wrong with the words is said
//! here, and what to do.

use super::super::values::{parse_positive, parse_size};
use crate::load::plan::SIZE_MAX;

pub(super) fn parse_payload_size(text: &str) -> Result<usize, String> {
    match parse_size(text)? {
        size @ 1..=SIZE_MAX => Ok(size),
        _ => Err(format!("a request may have 1 to 1M bytes, not {text}")),
    }
}

pub(super) fn parse_rate(text: &str) -> Result<f64, String> {
    let plain = text.parse::<f64>().ok();
    let rate = plain.or_else(|| {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let factor = match unit {
            "k" => 1e3,
            "M" => 1e6,
            _ => return None,
        };
        number.parse::<f64>().ok().map(|number| number * factor)
    });
    rate.filter(|rate| rate.is_finite() && *rate > 0.0 && *rate <= 1e7)
        .ok_or_else(|| {
            format!("'{text}' is not a rate (a number per second, up to 10M; try 500 or 50k)")
        })
}

/// The processes of `--pid`.
#[derive(Clone, Debug)]
pub(super) struct Pids(pub(super) Vec<u32>);

pub(super) fn parse_pids(text: &str) -> Result<Pids, String> {
    let pids: Option<Vec<u32>> = text
        .split(',')
        .map(|pid| pid.trim().parse().ok().filter(|&pid| pid > 0))
        .collect();
    pids.filter(|pids| pids.len() <= 2)
        .map(Pids)
        .ok_or_else(|| format!("'{text}' is not a process id (two with --ab: PID1,PID2)"))
}

pub(super) fn parse_requests(text: &str) -> Result<u64, String> {
    parse_positive(text, "1000 or 100k")
}
