//! `cargo bench --bench growth`: what an echo costs the server as connections grow: 64 active among more and
//! more idle ones, and more and more active ones. For epollo and strong C.

use std::process::ExitCode;
use std::time::Duration;

use common::load::{Load, Report};
use common::machine::connections_max;
use common::plot::{Lines, Plot, Scale};
use common::programs::{self, Program};
use common::server::Server;
use common::statistics::{Interval, interval};
use common::table::{Table, micros};
use common::{Asked, Result, doubts, saved, tell};
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
        let plot = Plot {
            title: "What an echo costs the server among idle connections",
            x: "idle connections beside 64 active ones",
            y: "microseconds of CPU per echo",
            scale: Scale::Linear,
        };
        let svg = plot.draw(&lines(&servers, &rows, |row| row.idle))?;
        saved::file(asked, "growth-idle.svg", &svg)?;
        all.extend(rows);
    }
    if asked.wants("active") {
        let rows = measure(asked, &servers, &ALL_ACTIVE.map(|active| (active, 0)))?;
        tell_rows("connections, all active", &rows, |row| row.active);
        let plot = Plot {
            title: "What an echo costs the server as connections grow",
            x: "connections, all active",
            y: "microseconds of CPU per echo",
            scale: Scale::LogX,
        };
        let svg = plot.draw(&lines(&servers, &rows, |row| row.active))?;
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
    Ok(runs
        .into_iter()
        .map(|(program, point, reports)| row(program, point, &reports))
        .collect())
}

fn row(program: &Program, (active, idle): (usize, usize), reports: &[Report]) -> Row {
    let cpu: Vec<f64> = reports.iter().filter_map(Report::cpu_ns_per_echo).collect();
    let rates: Vec<f64> = reports.iter().map(|report| report.per_second).collect();
    Row {
        server: program.name.clone(),
        active,
        idle,
        cpu_ns_per_echo: interval(&cpu),
        per_second: interval(&rates).median,
    }
}

fn tell_rows(what: &str, rows: &[Row], x: impl Fn(&Row) -> usize) {
    let mut table = Table::new(&[what, "server", "CPU us/echo", "95 % interval", "echoes/s"]);
    for row in rows {
        let Interval { median, low, high } = row.cpu_ns_per_echo;
        table.add(vec![
            x(row).to_string(),
            row.server.clone(),
            micros(median),
            format!("{} to {}", micros(low), micros(high)),
            format!("{:.0}", row.per_second),
        ]);
    }
    table.tell();
}

fn lines(servers: &[Program], rows: &[Row], x: impl Fn(&Row) -> usize) -> Lines {
    let line = |server: &Program| {
        let rows = rows.iter().filter(|row| row.server == server.name);
        let points = rows.map(|row| (x(row) as f64, row.cpu_ns_per_echo.median / 1e3));
        (server.name.clone(), points.collect())
    };
    servers.iter().map(line).collect()
}
