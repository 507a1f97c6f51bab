//! The goals that are exact counts: system calls by strace(1), instructions by callgrind(1). Both are
//! the slope between a load of so many echoes and one of twice as many, so that starting, connecting
//! and ending do not count.

use std::ffi::OsString;
use std::fs::remove_file;

use epollo::report::statistics::median;

use crate::Effort;
use crate::common::Result;
use crate::common::interval::Interval;
use crate::common::load::Load;
use crate::common::programs::{self, Program};
use crate::common::server::Server;
use crate::common::tools::{instructions_per_echo, needs, requests, scratch, written};
use crate::verdict::{Bound, Line};

/// Instructions that epollo may take more than strong C.
const INSTRUCTIONS_MORE: f64 = 150.0;

/// P2: system calls for one echo, and those of epoll_ctl(2) among them.
pub(crate) fn syscalls(effort: &Effort) -> Result<Vec<Line>> {
    needs("strace")?;
    let count = if effort.is_quick { 10_000 } else { 50_000 };
    let epollo = programs::epollo(&[])?;
    let strong = programs::c("strong", &[])?.needed()?;
    let mut lines = Vec::new();
    for (program, connections, bound) in [
        (&epollo, 1, Bound::AtMost(3.0)),
        (&epollo, 64, Bound::AtMost(2.02)),
        (&epollo, 1_000, Bound::AtMost(2.02)),
        (&strong, 64, Bound::Open),
    ] {
        let load = requests(connections, count);
        let few = calls(program, &load)?;
        let many = calls(program, &requests(connections, 2 * count))?;
        let slope = |of: fn(&Calls) -> u64| (of(&many) as f64 - of(&few) as f64) / count as f64;
        let command = format!("strace -c -f {}; {}", program.typed(), load.command("ADDR"));
        let name = &program.name;
        let what = format!("{name}, system calls for an echo, {connections} connections");
        let details = format!(
            "{} for {count} echoes, {} for twice as many",
            few.all, many.all
        );
        lines.push(Line::exact(what, slope(|calls| calls.all), bound).with(details, command));
        if name == "epollo" {
            let what = format!("epoll_ctl after accept, {connections} connections");
            lines.push(Line::exact(
                what,
                slope(|calls| calls.epoll_ctl),
                Bound::AtMost(0.0),
            ));
        }
    }
    Ok(lines)
}

/// What strace counted.
struct Calls {
    all: u64,
    epoll_ctl: u64,
}

fn calls(program: &Program, load: &Load) -> Result<Calls> {
    let log = scratch("strace");
    // -D: the server stays our child, and the tracer is its grandchild.
    let mut tool: Vec<OsString> = ["strace", "-D", "-c", "-f", "-o"]
        .map(OsString::from)
        .to_vec();
    tool.push(log.clone().into_os_string());
    let mut server = Server::start_under(&tool, program)?;
    load.run(&mut server)?;
    server.stop()?;
    let text = written(&log, " total")?;
    remove_file(&log)?;
    let count = |name: &str| {
        // % time, seconds, usecs/call, calls, [errors,] name
        let row = text
            .lines()
            .find(|row| row.split_whitespace().next_back() == Some(name));
        row.and_then(|row| row.split_whitespace().nth(3)?.parse().ok())
    };
    let all = count("total").ok_or("strace tells no total")?;
    Ok(Calls {
        all,
        epoll_ctl: count("epoll_ctl").unwrap_or(0),
    })
}

/// P3: instructions in user space for one echo.
pub(crate) fn instructions(effort: &Effort) -> Result<Vec<Line>> {
    needs("valgrind")?;
    let (count, rounds) = if effort.is_quick {
        (5_000, 1)
    } else {
        (20_000, 3)
    };
    let epollo = programs::epollo(&[])?;
    let strong = programs::c("strong", &[])?.needed()?;
    let mut lines = Vec::new();
    for &connections in effort.of_all(&[64, 1]) {
        let of_epollo = per_echo(&epollo, connections, count, rounds)?;
        let of_strong = per_echo(&strong, connections, count, rounds)?;
        let more = Interval {
            median: of_epollo.median - of_strong.median,
            low: of_epollo.low - of_strong.high,
            high: of_epollo.high - of_strong.low,
        };
        let what = format!("instructions for an echo, {connections} connections, epollo - strong");
        let details = format!(
            "{:.1} - {:.1}, {rounds} rounds",
            of_epollo.median, of_strong.median
        );
        let load = requests(connections, count).command("ADDR");
        let command = format!("valgrind --tool=callgrind {}; {load}", epollo.typed());
        let bound = Bound::AtMost(INSTRUCTIONS_MORE);
        lines.push(Line::between(what, more, bound).with(details, command));
    }
    Ok(lines)
}

/// The median of the rounds, and the least and the most of them.
fn per_echo(
    program: &Program,
    connections: usize,
    count: usize,
    rounds: usize,
) -> Result<Interval> {
    let mut slopes = Vec::new();
    for _ in 0..rounds {
        slopes.push(instructions_per_echo(program, connections, count)?);
    }
    Ok(Interval {
        median: median(&mut slopes),
        low: slopes.iter().copied().fold(f64::INFINITY, f64::min),
        high: slopes.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}
