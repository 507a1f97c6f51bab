//! P4: what an idle connection costs in user memory, as the slope between a small and a large crowd, so
//! that what the server has anyway does not count.

use std::time::Duration;

use epollo::report::Report;

use crate::Effort;
use crate::common::load::Load;
use crate::common::machine::connections_max;
use crate::common::programs::{self, Program};
use crate::common::server::Server;
use crate::common::{Result, tell};
use crate::simulated;
use crate::verdict::{Bound, Line};

const FEW: usize = 1_000;
const MANY: usize = 19_000;
/// Bytes for an idle connection.
const MOST: f64 = 128.0;

/// P4.
pub(crate) fn idle(effort: &Effort) -> Result<Vec<Line>> {
    let many = MANY.min(connections_max());
    if many < MANY {
        tell(&format!(
            "    {many} connections at most here, instead of {MANY}"
        ));
    }
    let mut lines = Vec::new();
    for (program, bound) in [
        (programs::epollo(&[])?, Bound::AtMost(MOST)),
        (programs::c("strong", &[])?.needed()?, Bound::Open),
        (programs::rust("tokio")?.needed()?, Bound::Open),
    ] {
        lines.push(slope(&program, many, bound)?);
    }
    // Powers of two: the tables, which grow by doubling, are just full.
    let (few, many) = (1_024, if effort.is_quick { 16_384 } else { 131_072 });
    let bytes = simulated::bytes_per_connection(few, many)?;
    let what = "epollo, bytes allocated for one more connection, simulated kernel";
    let details = format!("a counting allocator, {few} and {many} connections: tables just full");
    let command = "epollo's reactor with its service echo, on the kernel of `epollo sim`";
    lines.push(Line::exact(what, bytes, Bound::AtMost(MOST)).with(details, command));
    Ok(lines)
}

fn slope(program: &Program, many: usize, bound: Bound) -> Result<Line> {
    let few_bytes = memory_with(program, FEW)?;
    let many_bytes = memory_with(program, many)?;
    let bytes = (many_bytes as f64 - few_bytes as f64) / (many - FEW) as f64;
    let what = format!("{}, bytes for one more idle connection", program.name);
    let details = format!(
        "{} KiB with {FEW}, {} KiB with {many}",
        few_bytes / 1024,
        many_bytes / 1024
    );
    let command = crowd(many).command("ADDR") + ", then RssAnon of /proc/PID/status";
    Ok(Line::exact(what, bytes, bound).with(details, command))
}

fn crowd(idle: usize) -> Load {
    Load {
        idle,
        warmup: Duration::ZERO,
        ..Load::echo(1, Duration::from_secs(1))
    }
}

/// What a fresh server has resident while so many are connected. They leave when the load ends, but
/// the most that it had at a time stays known to the kernel.
fn memory_with(program: &Program, idle: usize) -> Result<u64> {
    let mut server = Server::start(program)?;
    let mut running = crowd(idle).begin(&server)?;
    let mut most = 0;
    let report: Report = loop {
        most = most.max(server.memory()?);
        if running.has_ended()? {
            break running.report()?;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let echoes = report.echoes;
    if !server.is_alive()? || echoes == 0 {
        return Err(format!("{} did not hold {idle} connections", server.name).into());
    }
    server.stop()?;
    Ok(most)
}
