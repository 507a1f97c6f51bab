//! Figures as people read them: three digits and a unit. Nothing is judged here.

use indicatif::{HumanBytes, HumanFloatCount};

const TIMES: [&str; 4] = ["ns", "µs", "ms", "s"];

/// A value in the one of these units, each a thousand of the one before it, in which three digits say it;
/// of the first there are no parts.
fn in_units(value: f64, units: [&str; 4], show: fn(f64) -> String) -> String {
    // Each limit is where three digits of the smaller unit would round up to 1000.
    let (value, unit) = match value {
        ..999.5 => return format!("{value:.0} {}", units[0]),
        ..999.5e3 => (value / 1e3, units[1]),
        ..999.5e6 => (value / 1e6, units[2]),
        _ => (value / 1e9, units[3]),
    };
    format!("{} {unit}", show(value))
}

/// A time in nanoseconds, from `0 ns` up to seconds.
pub fn time(ns: f64) -> String {
    in_units(ns, TIMES, digits)
}

/// The same for a whole number of nanoseconds.
pub fn whole_time(ns: u64) -> String {
    time(ns as f64)
}

/// A time that is a whole number of its unit, as on an axis: `20 ms`.
pub fn round_time(ns: f64) -> String {
    in_units(ns, TIMES, |value| format!("{value:.0}"))
}

/// Three digits, or all of those before the point: `1.23`, `12.3`, `123`, `12,345`.
pub fn digits(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => HumanFloatCount(value.round()).to_string(),
    }
}

/// A number in as few digits as it needs: `0.5`, `20`, `50k`, `1.5M`.
pub fn round(value: f64) -> String {
    let (value, unit) = match value {
        ..1e4 => (value, ""),
        ..1e6 => (value / 1e3, "k"),
        _ => (value / 1e6, "M"),
    };
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{unit}")
}

/// A number of things: `12,345`.
pub fn count(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// A number of things of one name: `1 echo`, `12,345 echoes`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{} {many}", count(number)),
    }
}

/// Bytes in powers of two: `4.1 MiB`.
pub fn bytes(number: u64) -> String {
    HumanBytes(number).to_string()
}

/// Bytes a second in powers of ten, as networks count them: `3.09 MB/s`.
pub fn byte_rate(number: f64) -> String {
    in_units(number, ["B/s", "kB/s", "MB/s", "GB/s"], digits)
}

/// A share of the whole: 0.5 is `50 %`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent.abs() {
        ..9.95 => format!("{percent:.1} %"),
        _ => format!("{} %", HumanFloatCount(percent.round())),
    }
}

/// What one answer of this service is called, and several.
pub fn answers_of(service: &str) -> (&'static str, &'static str) {
    match service {
        "chat" => ("answer", "answers"),
        "hello" => ("greeting", "greetings"),
        _ => ("echo", "echoes"),
    }
}
