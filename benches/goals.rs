//! `cargo bench --bench goals`: each goal of epollo's speed with its command, its figure and whether it is met.
//! Ratios are of interleaved runs against a peer, with a bootstrap interval; counts are exact. How they
//! are come by is in the modules; what they are to be is here.

use std::process::ExitCode;
use std::time::Duration;

use common::server::Server;
use common::{Asked, Result, programs, saved, tell};
use verdict::Line;

#[allow(dead_code, reason = "no target needs all of it")]
mod common;
#[path = "goals/counted.rs"]
mod counted;
#[path = "goals/crowded.rs"]
mod crowded;
#[path = "goals/memory.rs"]
mod memory;
#[path = "goals/paired.rs"]
mod paired;
#[path = "goals/simulated.rs"]
mod simulated;
#[path = "goals/verdict.rs"]
mod verdict;

/// Exact counts first: they are the surest.
const GOALS: [(&str, &str, Measure); 16] = [
    ("P2", "system calls for one echo", counted::syscalls),
    (
        "P3",
        "instructions in user space for one echo, beside strong C",
        counted::instructions,
    ),
    ("P4", "user memory of an idle connection", memory::idle),
    (
        "P9",
        "cost of an echo as connections grow, simulated kernel",
        simulated::growth,
    ),
    ("P1", "server CPU time of an echo", paired::cpu),
    (
        "P1'",
        "server CPU time of an echo at a constant rate",
        paired::cpu_at_a_rate,
    ),
    ("P5", "p99.9 at a constant rate", paired::tail),
    ("P6", "round trip with --spin", paired::spinning),
    ("P7", "connections a second, and a burst", paired::connects),
    (
        "P8",
        "CPU time of an echo among idle connections",
        crowded::idle,
    ),
    ("P10", "pingers beside a flood", crowded::flood),
    ("P11", "bulk: bytes for CPU time", paired::bulk),
    ("P12", "the load generator itself", paired::generator),
    ("P13", "the page while nobody looks", paired::explored),
    ("P15", "the same echo on io_uring", paired::uring),
    ("P16", "a message of chat", paired::chat),
];

type Measure = fn(&Effort) -> Result<Vec<Line>>;

/// How long may be measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) is_quick: bool,
    /// Blocks of each server in a paired comparison.
    pub(crate) blocks: usize,
    /// How long a block is.
    pub(crate) block: Duration,
}

impl Effort {
    fn of(asked: &Asked) -> Effort {
        let (blocks, milliseconds) = if asked.quick { (2, 500) } else { (10, 2_000) };
        let block = Duration::from_millis(milliseconds);
        Effort {
            is_quick: asked.quick,
            blocks,
            block,
        }
    }

    /// All of these, or only the first where it must be quick.
    pub(crate) fn of_all<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        if self.is_quick { &all[..1] } else { all }
    }
}

fn main() -> ExitCode {
    if let Some(result) = simulated::run_if_asked(std::env::args()) {
        return result;
    }
    let names = GOALS.map(|(name, _, _)| name);
    common::run(&names, std::env::args_os(), bench)
}

fn bench(asked: &Asked) -> Result<()> {
    let effort = Effort::of(asked);
    let mut all = Vec::new();
    let mut failed = Vec::new();
    for (name, what, measure) in GOALS.into_iter().filter(|(name, _, _)| asked.wants(name)) {
        tell(&format!("\n{name}  {what}"));
        match measure(&effort) {
            Ok(lines) => {
                for line in &lines {
                    tell(&line.to_string());
                }
                all.push(verdict::Goal { name, what, lines });
            }
            // One goal that cannot be measured keeps the others from nothing.
            Err(error) => {
                tell(&format!("    cannot be measured: {error}"));
                failed.push(name);
            }
        }
    }
    saved::results(asked, "goals", &all)?;
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("not measured: {}", failed.join(" ")).into())
}

/// `epollo serve` for echo and the strong C server, both listening.
pub(crate) fn epollo_and_strong(options: &[&str]) -> Result<(Server, Server)> {
    let epollo = Server::start(&programs::epollo(options)?)?;
    let strong = Server::start(&programs::c("strong", &[])?.needed()?)?;
    Ok((epollo, strong))
}
