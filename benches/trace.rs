//! `cargo bench --bench trace`: what the trace costs. `off`: nothing, compared with a reactor from whose
//! sources every word to an observer was removed. `on`: at 100,000 echoes a second, in each format.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use common::load::{Length, Load, cpu_ns_per_echo};
use common::programs::{self, Program};
use common::server::Server;
use common::{Asked, Result, all_measured, attempt, doubts, or_dash, saved, tell};
use epollo::report::Report;
use epollo::report::statistics::median;
use epollo::report::table::{aligned, row as heading};
use epollo::report::units::time;
use serde::Serialize;

#[allow(dead_code, reason = "no target needs all of it")]
mod common;
#[path = "trace/off.rs"]
mod off;

/// Echoes a second.
const RATE: u32 = 100_000;
const CONNECTIONS: usize = 64;

fn main() -> ExitCode {
    common::run(&["off", "on"], std::env::args_os(), bench)
}

fn bench(asked: &Asked) -> Result<()> {
    let mut failed = Vec::new();
    if asked.wants("off") {
        attempt(off::measure(asked), &mut failed);
    }
    if asked.wants("on") {
        attempt(on(asked), &mut failed);
    }
    all_measured(&failed)
}

/// What one format cost.
#[derive(Debug, Serialize)]
struct Row {
    trace: &'static str,
    cpu_ns_per_echo: Option<f64>,
    p50_ns: f64,
    p99_ns: f64,
    /// Of the last round, with its warm-up.
    bytes: u64,
    dropped: u64,
}

fn on(asked: &Asked) -> Result<()> {
    let (rounds, duration) = if asked.quick {
        (1, Duration::from_secs(1))
    } else {
        (5, Duration::from_secs(5))
    };
    let load = Load {
        rate: Some(RATE),
        length: Length::For(duration),
        ..Load::echo(CONNECTIONS, duration)
    };
    tell(&format!(
        "server: epollo serve echo=0 --trace …; load: {}",
        load.command("ADDR")
    ));
    let traces = ["off", "FILE.jsonl", "FILE.json", "- 2>FILE"];
    let mut reports: Vec<Vec<Report>> = vec![Vec::new(); traces.len()];
    let mut files = vec![(0, 0); traces.len()];
    for _ in 0..rounds {
        for (nth, trace) in traces.into_iter().enumerate() {
            let (program, path) = traced(trace)?;
            let mut server = Server::start(&program)?;
            reports[nth].push(load.run(&mut server)?);
            server.stop()?;
            files[nth] = path.map_or(Ok((0, 0)), |path| written(&path))?;
        }
    }
    let rows: Vec<Row> = traces
        .into_iter()
        .zip(reports.iter().zip(files))
        .map(|(trace, (reports, (bytes, dropped)))| {
            let of = |figure: fn(&Report) -> f64| {
                median(&mut reports.iter().map(figure).collect::<Vec<f64>>())
            };
            let mut costs: Vec<f64> = reports.iter().filter_map(cpu_ns_per_echo).collect();
            Row {
                trace,
                cpu_ns_per_echo: (!costs.is_empty()).then(|| median(&mut costs)),
                p50_ns: of(|report| report.response_ns.p50 as f64),
                p99_ns: of(|report| report.response_ns.p99 as f64),
                bytes,
                dropped,
            }
        })
        .collect();
    tell_rows(&rows);
    let runs = traces.into_iter().zip(&reports);
    doubts::tell_all(runs.flat_map(|(trace, reports)| reports.iter().map(move |run| (trace, run))));
    saved::results(asked, "trace", &rows)
}

/// A server that traces in this way, and where to.
fn traced(trace: &'static str) -> Result<(Program, Option<PathBuf>)> {
    let path = |ending: &str| {
        let name = format!("trace-{}.{ending}", std::process::id());
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
    };
    let (mut program, path) = match trace {
        "FILE.jsonl" | "FILE.json" => {
            let path = path(&trace[5..]);
            let options = ["--trace", path.to_str().ok_or("a path of plain text")?];
            (programs::epollo(&options)?, Some(path))
        }
        "off" => (programs::epollo(&[])?, None),
        _ => {
            let path = path("txt");
            let mut program = programs::epollo(&["--trace", "-"])?;
            let mut command = ["sh", "-c", "exec \"$@\" 2>\"$0\""]
                .map(std::ffi::OsString::from)
                .to_vec();
            command.push(path.clone().into_os_string());
            command.append(&mut program.command);
            program.command = command;
            (program, Some(path))
        }
    };
    program.name = format!("epollo, trace {trace}");
    Ok((program, path))
}

/// How much was written, and how many lines found no room. It is gone then.
fn written(path: &PathBuf) -> Result<(u64, u64)> {
    let text = std::fs::read_to_string(path)?;
    std::fs::remove_file(path)?;
    let dropped = text.lines().filter_map(|line| {
        let (_, count) = line
            .split_once("lines dropped: ")
            .or_else(|| line.split_once("\"dropped\",\"lines\":"))?;
        count.trim_end_matches('}').parse::<u64>().ok()
    });
    Ok((text.len() as u64, dropped.sum()))
}

fn tell_rows(rows: &[Row]) {
    let mut table = vec![heading([
        "trace",
        "CPU/echo",
        "p50",
        "p99",
        "MB",
        "lines dropped",
    ])];
    for row in rows {
        table.push(vec![
            row.trace.to_owned(),
            or_dash(row.cpu_ns_per_echo, time),
            time(row.p50_ns),
            time(row.p99_ns),
            format!("{:.1}", row.bytes as f64 / 1e6),
            row.dropped.to_string(),
        ]);
    }
    tell(&format!("\n{}", aligned(&table)));
}
