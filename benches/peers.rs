//! `cargo bench --bench peers`: echo by epollo and by others, one after the other under the same load. Each is
//! started, identified, loaded, verified and stopped; who is not installed is named. The goals against
//! single peers, with intervals, are in `goals.rs`.

use std::process::ExitCode;
use std::time::Duration;

use common::load::{Load, cpu_ns_per_echo};
use common::programs::{self, Program, Sought};
use common::server::Server;
use common::{Asked, Result, all_measured, attempt, doubts, or_dash, saved, tell};
use epollo::report::Report;
use epollo::report::plot::{Axis, Line, Plot, Size, picture};
use epollo::report::statistics::median;
use epollo::report::table::{aligned, row as heading};
use epollo::report::units::{bytes, digits, time};
use serde::Serialize;

#[allow(dead_code, reason = "no target needs all of it")]
mod common;

/// Who is measured, in the order of the table.
const PEERS: [&str; 11] = [
    "epollo", "strong", "uring", "weak", "tokio", "monoio", "mio", "libuv", "node", "ncat", "socat",
];
/// What the program on io_uring shares among its connections: as many as wait at once, of 4 KiB each.
const BUFFERS_OF_URING: usize = 16 * 1024;
/// More connections than this are more processes than a machine should have.
const CONNECTIONS_OF_FORKING_MAX: usize = 100;

fn main() -> ExitCode {
    common::run(&PEERS, std::env::args_os(), bench)
}

fn seek(name: &str) -> Result<Sought> {
    match name {
        "epollo" => programs::epollo(&[]).map(Sought::Found),
        "strong" | "weak" => programs::c(name, &[]),
        "uring" => programs::uring(BUFFERS_OF_URING),
        "monoio" => programs::monoio(),
        "libuv" => programs::libuv(),
        "node" => programs::node(),
        "ncat" => programs::ncat(),
        "socat" => programs::socat(),
        rust => programs::rust(rust),
    }
}

/// As it stands in tables and plots.
fn label(name: &str) -> String {
    match name {
        "strong" => "strong C",
        "uring" => "io_uring C",
        "weak" => "weak C",
        "mio" => "naive mio",
        other => other,
    }
    .to_owned()
}

/// One row of the table.
#[derive(Debug, Serialize)]
struct Row {
    peer: String,
    connections: usize,
    per_second: f64,
    response_p50_ns: f64,
    response_p99_ns: f64,
    response_p999_ns: f64,
    /// Resident at the end of a run, at most.
    memory_bytes: Option<u64>,
    /// For those that fork with that of their children, from their start to their end.
    cpu_ns_per_echo: Option<f64>,
    syscalls_per_echo: Option<f64>,
    trust: Vec<String>,
}

fn bench(asked: &Asked) -> Result<()> {
    let programs = find_all(asked)?;
    let (counts, rounds, duration): (&[usize], usize, Duration) = if asked.quick {
        (&[64], 1, Duration::from_secs(1))
    } else {
        (&[1, 64, 1_000, 10_000], 5, Duration::from_secs(2))
    };
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for &connections in counts {
        let load = Load::echo(connections, duration);
        rows.extend(measure(&programs, &load, rounds, &mut failed));
    }
    saved::results(asked, "peers", &rows)?;
    for &connections in counts {
        let rows = rows.iter().filter(|row| row.connections == connections);
        let bars: Vec<(&str, f64)> = rows
            .filter_map(|row| Some((&*row.peer, row.cpu_ns_per_echo?)))
            .collect();
        let title = format!("Server CPU time of a 64-byte echo, {connections} connections");
        let size = Size::bars(u32::try_from(bars.len())?);
        let svg = picture(&title, &plot(&bars), size)?;
        saved::file(asked, &format!("peers-{connections}.svg"), &svg)?;
    }
    all_measured(&failed)
}

/// A bar for each peer, the first at the top, with its figure in words.
fn plot(peers: &[(&str, f64)]) -> Plot {
    let names = peers
        .iter()
        .map(|(peer, cpu)| format!("{}  {}", label(peer), time(*cpu)));
    let bar = |(row, (_, cpu)): (usize, &(&str, f64))| {
        let y = row as f64 + 0.5;
        vec![(0.0, y), (*cpu, y)]
    };
    let most = peers.iter().map(|(_, cpu)| *cpu).fold(0.0, f64::max);
    Plot {
        x: |size, end| {
            let title = "CPU time per echo (less is better)";
            Axis::linear(title, end, size.labels, time)
        },
        x_end: most * 1.05,
        y: Axis::names("", &names.collect::<Vec<_>>()),
        lines: vec![Line {
            name: "CPU time per echo".to_owned(),
            pieces: peers.iter().rev().enumerate().map(bar).collect(),
        }],
    }
}

fn find_all(asked: &Asked) -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    for name in PEERS.into_iter().filter(|name| asked.wants(name)) {
        match seek(name)? {
            Sought::Found(program) => programs.push(Program {
                name: name.to_owned(),
                ..program
            }),
            Sought::Missing(what) => tell(&format!("skipped {name}: {what}")),
        }
    }
    Ok(programs)
}

/// Everybody in turn, round after round, so that a change of the machine meets all of them.
fn measure(programs: &[Program], load: &Load, rounds: usize, failed: &mut Vec<String>) -> Vec<Row> {
    let connections = load.connections;
    let able = |program: &&Program| !program.forks || connections <= CONNECTIONS_OF_FORKING_MAX;
    let able: Vec<&Program> = programs.iter().filter(able).collect();
    let mut runs: Vec<Vec<Run>> = able.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (program, runs) in able.iter().zip(&mut runs) {
            runs.extend(attempt(run(program, load), failed));
        }
    }
    let rows: Vec<Row> = able
        .iter()
        .zip(&runs)
        .filter(|(_, runs)| !runs.is_empty())
        .map(|(program, runs)| row(&program.name, connections, runs))
        .collect();
    tell_rows(connections, &rows);
    let reports = able.iter().zip(&runs);
    doubts::tell_all(
        reports.flat_map(|(program, runs)| {
            runs.iter().map(|run| (program.name.as_str(), &run.report))
        }),
    );
    rows
}

struct Run {
    report: Report,
    cpu_ns_per_echo: Option<f64>,
}

fn run(program: &Program, load: &Load) -> Result<Run> {
    let mut server = Server::start(program)?;
    if !program.forks {
        let report = load.run(&mut server)?;
        server.stop()?;
        let cpu_ns_per_echo = cpu_ns_per_echo(&report);
        return Ok(Run {
            report,
            cpu_ns_per_echo,
        });
    }
    // Its children count once they have ended, so from their start, and every echo with them.
    let load = Load {
        warmup: Duration::ZERO,
        ..load.clone()
    };
    let report = load.run(&mut server)?;
    let cpu = server.cpu_with_children_ns()? as f64;
    server.stop()?;
    let cpu_ns_per_echo = Some(cpu / report.echoes as f64);
    Ok(Run {
        report,
        cpu_ns_per_echo,
    })
}

fn row(peer: &str, connections: usize, runs: &[Run]) -> Row {
    let of = |pick: &dyn Fn(&Run) -> Option<f64>| {
        let mut values: Vec<f64> = runs.iter().filter_map(pick).collect();
        (!values.is_empty()).then(|| median(&mut values))
    };
    let mut trust: Vec<String> = runs
        .iter()
        .flat_map(|run| run.report.warnings.clone())
        .collect();
    trust.sort();
    trust.dedup();
    Row {
        peer: peer.to_owned(),
        connections,
        per_second: of(&|run| Some(run.report.per_second)).unwrap_or(0.0),
        response_p50_ns: of(&|run| Some(run.report.response_ns.p50 as f64)).unwrap_or(0.0),
        response_p99_ns: of(&|run| Some(run.report.response_ns.p99 as f64)).unwrap_or(0.0),
        response_p999_ns: of(&|run| Some(run.report.response_ns.p999 as f64)).unwrap_or(0.0),
        memory_bytes: runs
            .iter()
            .filter_map(|run| run.report.server.as_ref()?.rss)
            .max(),
        cpu_ns_per_echo: of(&|run| run.cpu_ns_per_echo),
        syscalls_per_echo: of(&|run| run.report.server.as_ref()?.syscalls_per_echo),
        trust,
    }
}

fn tell_rows(connections: usize, rows: &[Row]) {
    let connections = format!("{connections} connections, 64 B");
    let mut table = vec![heading([
        &connections,
        "CPU/echo",
        "x epollo",
        "echoes/s",
        "p50",
        "p99",
        "p99.9",
        "memory",
        "syscalls/echo",
    ])];
    let epollo = rows.iter().find(|row| row.peer == "epollo");
    let epollo = epollo.and_then(|row| row.cpu_ns_per_echo);
    for row in rows {
        let times = row
            .cpu_ns_per_echo
            .zip(epollo)
            .map(|(cpu, epollo)| cpu / epollo);
        table.push(vec![
            label(&row.peer),
            or_dash(row.cpu_ns_per_echo, time),
            or_dash(times, |times| format!("{times:.2}")),
            digits(row.per_second),
            time(row.response_p50_ns),
            time(row.response_p99_ns),
            time(row.response_p999_ns),
            row.memory_bytes.map_or_else(|| "-".to_owned(), bytes),
            or_dash(row.syscalls_per_echo, |calls| format!("{calls:.2}")),
        ]);
    }
    tell(&format!("\n{}", aligned(&table)));
}
