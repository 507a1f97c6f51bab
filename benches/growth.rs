//! `cargo bench --bench growth`: what an echo costs the server as connections grow: 64 active among more and
//! more idle ones, and more and more active ones. For epollo and strong C.

use std::process::ExitCode;
use std::time::Duration;

use common::interval::Interval;
use common::load::{Load, cpu_ns_per_echo};
use common::machine::connections_max;
use common::programs::{self, Program};
use common::server::Server;
use common::{Asked, Result, doubts, saved, tell};
use epollo::report::Report;
use epollo::report::plot::{Axis, Line, PICTURE, Plot, Size, picture};
use epollo::report::statistics::median;
use epollo::report::table::{aligned, row as heading};
use epollo::report::units::{digits, round, time};
use serde::Serialize;

#[allow(dead_code, reason = "no target needs all of it")]
mod common;

const ACTIVE: usize = 64;
const AMONG_IDLE: [usize; 6] = [0, 100, 1_000, 5_000, 10_000, 19_000];
const ALL_ACTIVE: [usize; 6] = [1, 10, 64, 100, 1_000, 10_000];

fn main() -> ExitCode {
    common::run(&["idle", "active"], std::env::args_os(), bench)
}

/// One server with so many connections.
#[derive(Debug, Serialize)]
struct Row {
    server: String,
    active: usize,
    idle: usize,
    cpu_ns_per_echo: Interval,
    /// The median of the rounds.
    per_second: f64,
}

fn bench(asked: &Asked) -> Result<()> {
    let servers = [
        programs::epollo(&[])?,
        programs::c("strong", &[])?.needed()?,
    ];
    let mut all = Vec::new();
    if asked.wants("idle") {
        let points = AMONG_IDLE.map(|idle| (ACTIVE, idle));
        let rows = measure(asked, &servers, &points)?;
        tell_rows("64 active, idle beside them", &rows, |row| row.idle);
        let title = "What an echo costs the server among idle connections";
        let x = |size: &Size, end| {
            let title = "idle connections beside 64 active ones";
            Axis::linear(title, end, size.labels, round)
        };
        let plot = plot(&servers, &rows, x, |row| row.idle);
        let svg = picture(title, &plot, PICTURE)?;
        saved::file(asked, "growth-idle.svg", &svg)?;
        all.extend(rows);
    }
    if asked.wants("active") {
        let rows = measure(asked, &servers, &ALL_ACTIVE.map(|active| (active, 0)))?;
        tell_rows("connections, all active", &rows, |row| row.active);
        let title = "What an echo costs the server as connections grow";
        let x = |_: &Size, end| Axis::logarithmic("connections, all active", 1.0, end, round);
        let plot = plot(&servers, &rows, x, |row| row.active);
        let svg = picture(title, &plot, PICTURE)?;
        saved::file(asked, "growth-active.svg", &svg)?;
        all.extend(rows);
    }
    saved::results(asked, "growth", &all)
}

/// Both servers at every point, round after round.
fn measure(asked: &Asked, servers: &[Program], points: &[(usize, usize)]) -> Result<Vec<Row>> {
    let (rounds, duration) = if asked.quick {
        (1, Duration::from_millis(500))
    } else {
        (7, Duration::from_secs(2))
    };
    let most = connections_max();
    let (able, beyond): (Vec<_>, Vec<_>) = points
        .iter()
        .copied()
        .partition(|(active, idle)| active + idle <= most);
    for (active, idle) in beyond {
        let all = active + idle;
        tell(&format!(
            "skipped {all} connections: {most} are the most here (ulimit -n)"
        ));
    }
    let mut runs: Vec<(&Program, (usize, usize), Vec<Report>)> = Vec::new();
    for &point in &able {
        runs.extend(servers.iter().map(|server| (server, point, Vec::new())));
    }
    for _ in 0..rounds {
        for (program, (active, idle), reports) in &mut runs {
            let load = Load {
                idle: *idle,
                ..Load::echo(*active, duration)
            };
            let mut server = Server::start(program)?;
            reports.push(load.run(&mut server)?);
            server.stop()?;
        }
    }
    doubts::tell_all(runs.iter().flat_map(|(program, _, reports)| {
        reports.iter().map(|report| (program.name.as_str(), report))
    }));
    runs.into_iter()
        .map(|(program, point, reports)| row(program, point, &reports))
        .collect()
}

fn row(program: &Program, (active, idle): (usize, usize), reports: &[Report]) -> Result<Row> {
    let cpu: Vec<f64> = reports.iter().filter_map(cpu_ns_per_echo).collect();
    let mut rates: Vec<f64> = reports.iter().map(|report| report.per_second).collect();
    Ok(Row {
        server: program.name.clone(),
        active,
        idle,
        cpu_ns_per_echo: Interval::of(&cpu)?,
        per_second: median(&mut rates),
    })
}

fn tell_rows(what: &str, rows: &[Row], x: impl Fn(&Row) -> usize) {
    let mut table = vec![heading([
        what,
        "server",
        "CPU/echo",
        "95 % interval",
        "echoes/s",
    ])];
    table.extend(rows.iter().map(|row| {
        let Interval { median, low, high } = row.cpu_ns_per_echo;
        vec![
            x(row).to_string(),
            row.server.clone(),
            time(median),
            format!("{} to {}", time(low), time(high)),
            digits(row.per_second),
        ]
    }));
    tell(&format!("\n{}", aligned(&table)));
}

/// CPU time over connections, a line for each server.
fn plot(
    servers: &[Program],
    rows: &[Row],
    x_axis: fn(&Size, f64) -> Axis,
    x: fn(&Row) -> usize,
) -> Plot {
    let line = |server: &Program| {
        let rows = rows.iter().filter(|row| row.server == server.name);
        let points = rows.map(|row| (x(row) as f64, row.cpu_ns_per_echo.median));
        Line {
            name: server.name.clone(),
            pieces: vec![points.collect()],
        }
    };
    let most = rows.iter().map(|row| row.cpu_ns_per_echo.median);
    let most = most.fold(0.0, f64::max);
    let farthest = rows.iter().map(x).max().unwrap_or(1);
    Plot {
        x: x_axis,
        x_end: farthest as f64,
        y: Axis::linear("CPU time of the server per echo", most * 1.1, 6.0, time),
        lines: servers.iter().map(line).collect(),
    }
}
