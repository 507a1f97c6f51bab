//! The report of a run for people on a terminal: what was asked, what came of it, and how far it can
//! be believed. It leaves out nothing that went wrong, and much that `--json` has.

use std::iter;

use super::table::{aligned, named};
use super::units::{self, percent, whole_time};
use super::{Cost, Quantiles, Report};
use crate::protocol::display::Escaped;

/// Characters of the names of what is told beside the latencies.
const NAME_WIDTH: usize = 10;

/// The whole report, some 25 lines.
pub fn words(report: &Report) -> String {
    let mut words = format!("{}\n{}\n{}\n\n", title(report), load(report), span(report));
    words += &format!("{}\n\n", throughput(report));
    words += &aligned(&latencies(report));
    words.push('\n');
    let server = report.server.as_ref().map(|server| ("server", server));
    let both = server.into_iter().chain([("generator", &report.generator)]);
    // A run that never began to measure knows no cost.
    for (name, process) in both.filter(|(_, process)| process.pid != 0) {
        let [first, second] = cost(process, report);
        words += &named(NAME_WIDTH, &[(name, first), ("", second)]);
    }
    words + &verdict(report)
}

/// `echo 127.0.0.1:12345`.
pub fn title(report: &Report) -> String {
    let title = format!("{} {}", report.service, report.address);
    Escaped(title.as_bytes()).to_string()
}

/// The load that was asked for, in one line.
pub fn load(report: &Report) -> String {
    let asked = &report.asked;
    let (one, many) = match asked.chat_with {
        Some(_) => ("pair of connections", "pairs of connections"),
        None => ("connection", "connections"),
    };
    let mut parts = vec![units::counted(asked.connections as u64, one, many)];
    if asked.idle > 0 {
        parts.push(format!("{} idle", units::count(asked.idle as u64)));
    }
    let each = if asked.chat_with.is_some() { 2 } else { 1 };
    let wanted = (each * asked.connections + asked.idle) as u64;
    let established = report.connect_ns.count;
    if report.service != "hello" && (1..wanted).contains(&established) {
        parts.push(format!("only {} established", units::count(established)));
    }
    if report.service != "hello" {
        parts.push(units::counted(asked.size as u64, "byte", "bytes"));
        parts.push(format!("pipeline {}", asked.pipeline));
    }
    if let Some(framing) = &asked.framing {
        parts.push(format!("framing {}", Escaped(framing.as_bytes())));
    }
    parts.push(match (asked.rate, &asked.arrivals) {
        (Some(rate), arrivals) => {
            let arrivals = arrivals.as_deref().unwrap_or("fixed");
            let arrivals = Escaped(arrivals.as_bytes());
            format!("open loop, {} per second ({arrivals})", units::digits(rate))
        }
        (None, _) => "closed loop".to_owned(),
    });
    parts.join(", ")
}

/// When it was measured, and what would give the same load again.
pub fn span(report: &Report) -> String {
    let seed = report.asked.seed;
    if report.interrupted && report.seconds == 0.0 {
        return format!("interrupted before anything was measured, seed {seed}");
    }
    let measured = match report.seconds {
        // As a number of seconds it would be next to nothing.
        short @ ..0.1 => units::time(short * 1e9),
        seconds => format!("{} s", units::round(seconds)),
    };
    let early = if report.interrupted {
        " (interrupted)"
    } else {
        ""
    };
    let warmup = units::round(report.asked.warmup);
    format!("{measured} measured{early} after {warmup} s of warm-up, seed {seed}")
}

/// How much came back.
pub fn throughput(report: &Report) -> String {
    let (one, many) = units::answers_of(&report.service);
    format!(
        "{}  {}/s  {}",
        units::counted(report.echoes, one, many),
        units::digits(report.per_second),
        units::byte_rate(report.bytes_per_second)
    )
}

/// The name of a distribution, what it is, and where.
type Latency = (&'static str, &'static str, fn(&Report) -> Quantiles);

/// The distributions.
pub const LATENCIES: [Latency; 5] = [
    ("response", "from scheduled to answered", |report| {
        report.response_ns
    }),
    ("service", "from sent to answered", |report| {
        report.service_ns
    }),
    ("send lag", "from scheduled to sent", |report| {
        report.send_lag_ns
    }),
    ("connect", "until connected", |report| report.connect_ns),
    ("turn", "of the generator's loop", |report| report.turn_ns),
];

fn latencies(report: &Report) -> Vec<Vec<String>> {
    let percentiles = Quantiles::PERCENTILES;
    let names = percentiles.iter().map(|&(name, _)| name);
    let header = iter::once("").chain(names).chain(["max", "count"]);
    let mut rows = vec![header.map(str::to_owned).collect()];
    for (name, meaning, of) in LATENCIES {
        let quantiles = of(report);
        if quantiles.count == 0 && report.response_ns.count > 0 {
            continue;
        }
        let mut cells = vec![format!("{name:<8}  {meaning}")];
        cells.extend(quantile_cells(&quantiles));
        rows.push(cells);
    }
    rows
}

/// Its percentiles and maximum, and how many there are.
pub fn quantile_cells(quantiles: &Quantiles) -> Vec<String> {
    let times = Quantiles::PERCENTILES.map(|(_, of)| of(quantiles));
    let times = times.into_iter().chain([quantiles.max]);
    let cells = times.map(|ns| match quantiles.count {
        0 => "-".to_owned(),
        _ => whole_time(ns),
    });
    cells.chain([units::count(quantiles.count)]).collect()
}

/// What a process did, in two lines.
pub fn cost(cost: &Cost, report: &Report) -> [String; 2] {
    let (one, _) = units::answers_of(&report.service);
    let mut first = vec![match report.echoes {
        0 => format!("{} of CPU", whole_time(cost.cpu_ns)),
        _ => format!("{} of CPU per {one}", units::time(cost.cpu_ns_per_echo)),
    }];
    first.push(format!("{} of a core", percent(cost.cpu_share)));
    if let Some(syscalls) = cost.syscalls_per_echo.filter(|_| report.echoes > 0) {
        first.push(format!(
            "{} system calls per {one}",
            units::digits(syscalls)
        ));
    }
    [first.join(", "), memory_and_switches(cost)]
}

fn memory_and_switches(cost: &Cost) -> String {
    let command = Escaped(cost.command.as_bytes());
    let memory = match (cost.rss_before, cost.rss) {
        (Some(before), Some(after)) => {
            format!("{} to {}", units::bytes(before), units::bytes(after))
        }
        (None, _) | (_, None) => "unknown".to_owned(),
    };
    let switches = match (
        cost.context_switches_voluntary,
        cost.context_switches_forced,
    ) {
        (Some(voluntary), Some(forced)) => {
            let (voluntary, forced) = (units::count(voluntary), units::count(forced));
            format!("{voluntary} voluntary, {forced} involuntary")
        }
        (None, _) | (_, None) => "unknown".to_owned(),
    };
    format!(
        "{command} (pid {}), memory {memory}, context switches: {switches}",
        cost.pid
    )
}

/// The command that loads a server in the same way.
pub fn command(report: &Report) -> String {
    let asked = &report.asked;
    let mut command = format!("epollo bench {} -c {}", title(report), asked.connections);
    if asked.idle > 0 {
        command += &format!(" --idle {}", asked.idle);
    }
    if report.service != "hello" {
        command += &format!(" -s {} -P {}", asked.size, asked.pipeline);
    }
    if let Some(rate) = asked.rate {
        command += &format!(" -R {rate}");
    }
    if let Some(arrivals) = &asked.arrivals {
        command += &format!(" --arrivals {}", Escaped(arrivals.as_bytes()));
    }
    if let Some(framing) = &asked.framing {
        command += &format!(" --framing {}", Escaped(framing.as_bytes()));
    }
    if let Some(partner) = &asked.chat_with {
        command += &format!(" --chat-with {}", Escaped(partner.as_bytes()));
    }
    let (duration, warmup) = (asked.duration, asked.warmup);
    command + &format!(" -d {duration}s --warmup {warmup}s --seed {}", asked.seed)
}

/// Counts of all that went wrong: `3 lost, 1 changed`. None if nothing did.
pub fn wrong(report: &Report) -> Option<String> {
    let counts = wrongs(report).into_iter().filter(|&(_, count)| count > 0);
    let counts: Vec<_> = counts
        .map(|(name, count)| format!("{} {name}", units::count(count)))
        .collect();
    (!counts.is_empty()).then(|| counts.join(", "))
}

/// Each way in which a request can go wrong, and how often it did.
pub fn wrongs(report: &Report) -> [(&'static str, u64); 6] {
    let wrongs = report.wrongs;
    [
        ("lost", report.lost),
        ("changed", wrongs.changed),
        ("duplicated", wrongs.duplicated),
        ("crossed", wrongs.crossed),
        ("reordered", wrongs.reordered),
        ("broken", wrongs.broken),
    ]
}

/// That nothing went wrong, in a line, where something was answered.
pub fn all_right(report: &Report) -> String {
    let (_, many) = units::answers_of(&report.service);
    match (report.echoes, &*report.service) {
        (0, _) => format!("no {many} arrived, so none were checked"),
        (_, "hello") => format!("nothing: all {many} are complete and identical"),
        (_, _) => format!("nothing: all {many} arrived once, in order and unchanged"),
    }
}

/// What went wrong, and each reason to doubt the run.
fn verdict(report: &Report) -> String {
    let wrong = wrong(report).unwrap_or_else(|| all_right(report));
    let mut lines = vec![("wrong", wrong)];
    lines.extend(report.wrong.iter().map(|line| ("", line.clone())));
    if report.warnings.is_empty() {
        lines.push(("warnings", "none".to_owned()));
    }
    for (at, reason) in report.warnings.iter().enumerate() {
        lines.push((if at == 0 { "warnings" } else { "" }, reason.clone()));
    }
    for (_, text) in &mut lines {
        *text = Escaped(text.as_bytes()).to_string();
    }
    named(NAME_WIDTH, &lines)
}
