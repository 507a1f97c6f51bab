//! `cargo bench --bench models`: the classic picture. The same echo as courses teach it, step by step: one client
//! at a time, a thread for each, poll(2), epoll(7) level- and edge-triggered, and epollo's reactor, from
//! one client to ten thousand: all of them busy, or 64 of them while the others are silent. The programs
//! in `peers/` are meant to be read.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use common::load::{Load, cpu_ns_per_echo};
use common::machine::connections_max;
use common::programs::{self, Program, Sought};
use common::server::Server;
use common::{Asked, Result, all_measured, attempt, doubts, saved, tell};
use epollo::report::Report;
use epollo::report::plot::{Axis, Line, PICTURE, Plot, picture};
use epollo::report::statistics::median;
use epollo::report::table::aligned;
use epollo::report::units::{digits, round, round_time, time};
use serde::Serialize;

#[allow(dead_code, reason = "no target needs all of it")]
mod common;

/// The models, and what they are called in the plots.
const MODELS: [(&str, &str); 6] = [
    ("blocking", "one client at a time"),
    ("threads", "a thread for each"),
    ("poll", "poll(2)"),
    ("level", "epoll, level-triggered"),
    ("edge", "epoll, edge-triggered"),
    ("epollo", "epollo's reactor"),
];
/// How long a client waits for its echo before it counts as not served.
const SERVED_WITHIN: Duration = Duration::from_millis(200);
/// How many clients come at once to see how many are served.
const AT_ONCE: usize = 10;

fn main() -> ExitCode {
    common::run(&MODELS.map(|(name, _)| name), std::env::args_os(), bench)
}

/// How many of the clients are active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Crowd {
    /// At most 64, and the others are connected and silent.
    Few,
    All,
}

/// Active clients of a crowd of which few are.
const FEW: usize = 64;

impl Crowd {
    fn load(self, clients: usize, duration: Duration) -> Load {
        let active = match self {
            Crowd::Few => clients.min(FEW),
            Crowd::All => clients,
        };
        let idle = clients - active;
        Load {
            idle,
            ..Load::echo(active, duration)
        }
    }

    fn words(self) -> &'static str {
        match self {
            Crowd::Few => "clients, 64 of them active",
            Crowd::All => "clients, all active",
        }
    }
}

/// One model with so many clients.
#[derive(Debug, Serialize)]
struct Row {
    model: &'static str,
    crowd: Crowd,
    clients: usize,
    per_second: f64,
    response_p99_ns: f64,
    cpu_ns_per_echo: f64,
}

/// How many of those who come at once are served.
#[derive(Debug, Serialize)]
struct Served {
    model: &'static str,
    served: usize,
    of: usize,
}

#[derive(Debug, Serialize)]
struct Results {
    served: Vec<Served>,
    rows: Vec<Row>,
}

fn bench(asked: &Asked) -> Result<()> {
    let (counts, rounds, duration): (&[usize], usize, Duration) = if asked.quick {
        (&[1, 100, 10_000], 1, Duration::from_millis(500))
    } else {
        (
            &[1, 10, 100, 1_000, 3_000, 10_000],
            5,
            Duration::from_secs(2),
        )
    };
    let models = find_all(asked)?;
    let mut failed = Vec::new();
    let mut served = Vec::new();
    for (model, program) in &models {
        served.extend(attempt(serves(model, program), &mut failed));
    }
    let mut rows = Vec::new();
    for crowd in [Crowd::Few, Crowd::All] {
        for &clients in counts
            .iter()
            .filter(|&&clients| clients <= connections_max())
        {
            let load = crowd.load(clients, duration);
            rows.extend(measure(&models, crowd, &load, rounds, &mut failed));
        }
    }
    let results = Results { served, rows };
    tell_all(&results, counts);
    saved::results(asked, "models", &results)?;
    draw(asked, &results)?;
    all_measured(&failed)
}

fn find_all(asked: &Asked) -> Result<Vec<(&'static str, Program)>> {
    let mut models = Vec::new();
    for (name, _) in MODELS.into_iter().filter(|(name, _)| asked.wants(name)) {
        let sought = match name {
            "epollo" => Sought::Found(programs::epollo(&[])?),
            c => programs::c(c, &[])?,
        };
        match sought {
            Sought::Found(program) => models.push((name, program)),
            Sought::Missing(what) => tell(&format!("skipped {name}: {what}")),
        }
    }
    Ok(models)
}

/// How many of some clients, all connected, get their echo.
fn serves(model: &'static str, program: &Program) -> Result<Served> {
    let server = Server::start(program)?;
    let connect = |_| TcpStream::connect(server.address);
    let mut clients = (0..AT_ONCE)
        .map(connect)
        .collect::<std::io::Result<Vec<_>>>()?;
    let mut served = 0;
    for client in &mut clients {
        client.set_read_timeout(Some(SERVED_WITHIN))?;
        client.write_all(b"?")?;
        match client.read(&mut [0]) {
            Ok(count) => served += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    drop(clients);
    server.stop()?;
    Ok(Served {
        model,
        served,
        of: AT_ONCE,
    })
}

/// Every model in turn, round after round.
fn measure(
    models: &[(&'static str, Program)],
    crowd: Crowd,
    load: &Load,
    rounds: usize,
    failed: &mut Vec<String>,
) -> Vec<Row> {
    let clients = load.connections + load.idle;
    // One at a time, the second client would wait for ever.
    let able = models
        .iter()
        .filter(|(name, _)| *name != "blocking" || clients == 1);
    let mut runs: Vec<_> = able
        .map(|(name, program)| (*name, program, Vec::new()))
        .collect();
    for _ in 0..rounds {
        for (_, program, reports) in &mut runs {
            reports.extend(attempt(run(program, load), failed));
        }
    }
    doubts::tell_all(
        runs.iter()
            .flat_map(|(name, _, reports)| reports.iter().map(|report| (*name, report))),
    );
    runs.retain(|(_, _, reports)| !reports.is_empty());
    let rows = runs.into_iter().map(|(model, _, reports)| {
        let of =
            |pick: fn(&Report) -> f64| median(&mut reports.iter().map(pick).collect::<Vec<f64>>());
        Row {
            model,
            crowd,
            clients,
            per_second: of(|report| report.per_second),
            response_p99_ns: of(|report| report.response_ns.p99 as f64),
            cpu_ns_per_echo: of(|report| cpu_ns_per_echo(report).unwrap_or(f64::NAN)),
        }
    });
    rows.collect()
}

fn run(program: &Program, load: &Load) -> Result<Report> {
    let mut server = Server::start(program)?;
    let report = load.run(&mut server)?;
    server.stop()?;
    Ok(report)
}

fn tell_all(results: &Results, counts: &[usize]) {
    let figures: [(&str, Figure, Show); 3] = [
        ("CPU/echo", |row| row.cpu_ns_per_echo, time),
        ("echoes/s", |row| row.per_second, digits),
        ("p99", |row| row.response_p99_ns, time),
    ];
    for crowd in [Crowd::Few, Crowd::All] {
        for (what, figure, show) in figures {
            let mut heading = vec![format!("{what}, {}", crowd.words())];
            heading.extend(counts.iter().map(usize::to_string));
            let mut table = vec![heading];
            table.extend(
                results
                    .served
                    .iter()
                    .map(|served| cells(results, crowd, served, counts, |row| show(figure(row)))),
            );
            tell(&format!("\n{}", aligned(&table)));
        }
    }
    for Served { model, served, of } in &results.served {
        tell(&format!(
            "{model}: of {of} clients that come at once, {served} are served"
        ));
    }
}

type Figure = fn(&Row) -> f64;
type Show = fn(f64) -> String;

/// The row of a model in a table.
fn cells(
    results: &Results,
    crowd: Crowd,
    of: &Served,
    counts: &[usize],
    show: impl Fn(&Row) -> String,
) -> Vec<String> {
    let mut cells = vec![of.name()];
    for &count in counts {
        let is_meant =
            |row: &&Row| row.model == of.model && row.crowd == crowd && row.clients == count;
        cells.push(match results.rows.iter().find(is_meant) {
            Some(row) => show(row),
            None => "-".to_owned(),
        });
    }
    cells
}

impl Served {
    /// As it stands in tables and plots.
    fn name(&self) -> String {
        let name = MODELS.iter().find(|(model, _)| *model == self.model);
        let name = name.map_or(self.model, |(_, name)| name);
        if self.served < self.of {
            format!("{name} (serves {} of N)", self.served)
        } else {
            name.to_owned()
        }
    }
}

impl Results {
    /// A line for each model.
    fn lines(&self, crowd: Crowd, figure: Figure) -> Vec<Line> {
        let line = |served: &Served| {
            let is_meant = |row: &&Row| row.model == served.model && row.crowd == crowd;
            let rows = self.rows.iter().filter(is_meant);
            let points = rows.map(|row| (row.clients as f64, figure(row)));
            Line {
                name: served.name(),
                pieces: vec![points.collect()],
            }
        };
        self.served.iter().map(line).collect()
    }

    /// The least and the most of a figure.
    fn span(&self, crowd: Crowd, figure: Figure) -> (f64, f64) {
        let rows = self.rows.iter().filter(|row| row.crowd == crowd);
        let figures: Vec<f64> = rows.map(figure).collect();
        let most = figures.iter().copied().fold(1.0, f64::max);
        (figures.into_iter().fold(most, f64::min), most)
    }
}

fn draw(asked: &Asked, results: &Results) -> Result<()> {
    for (crowd, name) in [(Crowd::Few, "few"), (Crowd::All, "all")] {
        let plot = |y, figure| Plot {
            x: match crowd {
                Crowd::Few => |_, end| Axis::logarithmic(Crowd::Few.words(), 1.0, end, round),
                Crowd::All => |_, end| Axis::logarithmic(Crowd::All.words(), 1.0, end, round),
            },
            x_end: results.span(crowd, |row| row.clients as f64).1,
            y,
            lines: results.lines(crowd, figure),
        };
        let cpu: Figure = |row| row.cpu_ns_per_echo;
        let (least, most) = results.span(crowd, cpu);
        let y = Axis::logarithmic("CPU time of the server per echo", least, most, round_time);
        let title = "What an echo costs the server";
        let svg = picture(title, &plot(y, cpu), PICTURE)?;
        saved::file(asked, &format!("models-{name}-cpu.svg"), &svg)?;
        let rate: Figure = |row| row.per_second;
        let (_, most) = results.span(crowd, rate);
        let y = Axis::linear("echoes per second", most * 1.1, 6.0, round);
        let title = "Echoes a second, a core for the server and one for the load";
        let svg = picture(title, &plot(y, rate), PICTURE)?;
        saved::file(asked, &format!("models-{name}-rate.svg"), &svg)?;
    }
    Ok(())
}
