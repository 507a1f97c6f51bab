//! The goals that are ratios of interleaved runs: A B B A by `epollo bench --ab`.

use std::time::Duration;

use epollo::report::units::{digits, time};
use epollo::report::{AbTest, Ratio};

use crate::common::Result;
use crate::common::load::{Load, cpu_ns_per_echo, ratio_of};
use crate::common::programs::{self, Program};
use crate::common::server::Server;
use crate::verdict::{Bound, Line};
use crate::{Effort, epollo_and_strong};

const SERVER_CPU: &str = "server_cpu_ns_per_echo";
/// P12 and P5: what is asked of an open loop.
const RATE: u32 = 50_000;
/// What the program on io_uring shares among its connections: as many as wait at once, of 4 KiB each.
const BUFFERS_OF_URING: usize = 16 * 1024;

/// A figure of a duel beside its goal.
fn line(load: &Load, duel: &AbTest, figure: &str, what: String, bound: Bound) -> Result<Line> {
    let ratio = ratio_of(duel, figure)?;
    let show = |value: f64| match figure {
        "per_second" => format!("{} a second", digits(value)),
        _ => time(value),
    };
    let details = format!(
        "{} / {}, {} blocks each, {} discarded",
        show(ratio.a),
        show(ratio.b),
        duel.blocks,
        duel.discarded
    );
    let line = Line::ratio(what, &ratio, bound);
    Ok(line
        .with(details, load.command("--ab A B"))
        .doubted(&duel.warnings))
}

/// Who is measured beside epollo, and what the ratio to it should be for each load.
struct Peer {
    name: &'static str,
    program: Program,
    bounds: Vec<Bound>,
}

impl Peer {
    fn new(name: &'static str, program: Program, bounds: &[Bound]) -> Peer {
        let bounds = bounds.to_vec();
        Peer {
            name,
            program,
            bounds,
        }
    }
}

/// Each load on epollo and, in turn, on each of its peers.
fn beside(
    effort: &Effort,
    epollo: &Program,
    peers: &[Peer],
    loads: &[(Load, String)],
    figure: &str,
) -> Result<Vec<Line>> {
    let epollo = Server::start(epollo)?;
    let mut lines = Vec::new();
    for Peer {
        name,
        program,
        bounds,
    } in peers
    {
        let peer = Server::start(program)?;
        for ((load, what), &bound) in loads.iter().zip(bounds) {
            let duel = load.duel(&epollo, &peer, effort.blocks)?;
            let what = format!("{what}, epollo / {name}");
            lines.push(line(load, &duel, figure, what, bound)?);
        }
        peer.stop()?;
    }
    epollo.stop()?;
    Ok(lines)
}

fn most(bounds: &[f64]) -> Vec<Bound> {
    bounds.iter().copied().map(Bound::AtMost).collect()
}

/// Echoes of 64 bytes with so many connections; if it must be quick, with 64 only.
fn echoes(effort: &Effort, size: usize, counts: &[usize]) -> Vec<(Load, String)> {
    let all = counts.iter().map(|&connections| {
        let load = Load {
            size,
            ..Load::echo(connections, effort.block)
        };
        (load, format!("{connections} connections, {size} B"))
    });
    all.filter(|(load, _)| !effort.is_quick || load.connections == 64)
        .collect()
}

/// P1: CPU time of the server for one echo.
pub(crate) fn cpu(effort: &Effort) -> Result<Vec<Line>> {
    let peers = [
        Peer::new(
            "strong",
            programs::c("strong", &[])?.needed()?,
            &most(&[1.00, 1.01, 1.00, 1.01]),
        ),
        Peer::new(
            "tokio",
            programs::rust("tokio")?.needed()?,
            &most(&[1.00, 1.00, 0.90, 0.90]),
        ),
    ];
    let mut lines = Vec::new();
    for &size in effort.of_all(&[64, 1024]) {
        let loads = echoes(effort, size, &[64, 1, 1_000, 10_000]);
        let epollo = programs::epollo(&[])?;
        lines.extend(beside(effort, &epollo, &peers, &loads, SERVER_CPU)?);
    }
    Ok(lines)
}

fn at_a_rate(effort: &Effort) -> Load {
    Load {
        rate: Some(RATE),
        ..Load::echo(256, effort.block)
    }
}

/// P1': the same where the server sleeps in between.
pub(crate) fn cpu_at_a_rate(effort: &Effort) -> Result<Vec<Line>> {
    let strong = programs::c("strong", &[])?.needed()?;
    let peers = [Peer::new("strong", strong, &most(&[1.01]))];
    let loads = [(
        at_a_rate(effort),
        format!("256 connections at {RATE} a second"),
    )];
    beside(effort, &programs::epollo(&[])?, &peers, &loads, SERVER_CPU)
}

/// P5: the tail at a constant rate.
pub(crate) fn tail(effort: &Effort) -> Result<Vec<Line>> {
    let peers = [
        Peer::new(
            "strong",
            programs::c("strong", &[])?.needed()?,
            &most(&[1.00]),
        ),
        Peer::new("tokio", programs::rust("tokio")?.needed()?, &most(&[0.80])),
    ];
    let what = format!("p99.9 of 256 connections at {RATE} a second");
    let loads = [(at_a_rate(effort), what)];
    let epollo = programs::epollo(&[])?;
    beside(effort, &epollo, &peers, &loads, "response_p999")
}

/// P6: one connection, both servers look again before they sleep.
pub(crate) fn spinning(effort: &Effort) -> Result<Vec<Line>> {
    let epollo = programs::epollo(&["--spin", "50us"])?;
    let strong = programs::c("strong", &["spin"])?.needed()?;
    let peers = [Peer::new("strong, spinning", strong, &most(&[1.03]))];
    let load = Load::echo(1, effort.block);
    let loads = [(load, "median round trip, one connection".to_owned())];
    beside(effort, &epollo, &peers, &loads, "response_p50")
}

/// P13: what the page costs while nobody looks at it.
pub(crate) fn explored(effort: &Effort) -> Result<Vec<Line>> {
    let explored = programs::epollo(&["--explore=0"])?;
    let plain = programs::epollo(&[])?;
    let peers = [Peer::new("epollo without it", plain, &most(&[1.05, 1.05]))];
    let loads = echoes(effort, 64, &[64, 1]);
    let loads: Vec<_> = loads
        .into_iter()
        .map(|(load, what)| (load, format!("{what}, --explore")))
        .collect();
    beside(effort, &explored, &peers, &loads, SERVER_CPU)
}

/// P15: the same echo on io_uring.
pub(crate) fn uring(effort: &Effort) -> Result<Vec<Line>> {
    let open = [Bound::Open; 4];
    let peers = [
        Peer::new(
            "io_uring C",
            programs::uring(BUFFERS_OF_URING)?.needed()?,
            &open,
        ),
        Peer::new("monoio", programs::monoio()?.needed()?, &open),
    ];
    let loads = echoes(effort, 64, &[64, 1, 1_000, 10_000]);
    beside(effort, &programs::epollo(&[])?, &peers, &loads, SERVER_CPU)
}

/// P16: a message from one client through the server to its partner, and back: two messages.
pub(crate) fn chat(effort: &Effort) -> Result<Vec<Line>> {
    let peers = [
        Peer::new(
            "relay in strong C",
            programs::c("relay", &[])?.needed()?,
            &[Bound::AtMost(1.3); 4],
        ),
        Peer::new(
            "relay on tokio",
            programs::rust("tokio-relay")?.needed()?,
            &[Bound::AtMost(0.9); 4],
        ),
    ];
    let pairs = effort.of_all(&[64, 1, 1_000, 5_000]);
    let loads: Vec<_> = pairs
        .iter()
        .map(|&pairs| {
            let load = Load {
                service: "chat",
                pairs: true,
                ..Load::echo(pairs, effort.block)
            };
            (load, format!("{pairs} pairs, 64 B"))
        })
        .collect();
    let epollo = programs::epollo_serving("chat", &["--chat-with", "pair"])?;
    beside(effort, &epollo, &peers, &loads, SERVER_CPU)
}

/// P7: connections a second, and many at once.
pub(crate) fn connects(effort: &Effort) -> Result<Vec<Line>> {
    let epollo = Server::start(&programs::epollo_serving("hello", &[])?)?;
    let strong = Server::start(&programs::c("strong", &["hello"])?.needed()?)?;
    let load = Load {
        service: "hello",
        ..Load::echo(50, effort.block)
    };
    let duel = load.duel(&epollo, &strong, effort.blocks)?;
    let what = "hellos a second, epollo / strong".to_owned();
    let mut lines = vec![line(&load, &duel, "per_second", what, Bound::AtLeast(1.0))?];
    epollo.stop()?;
    strong.stop()?;
    lines.extend(burst()?);
    Ok(lines)
}

fn burst() -> Result<Vec<Line>> {
    const BURST: usize = 4_000;
    let mut epollo = Server::start(&programs::epollo(&[])?)?;
    let load = Load::echo(BURST, Duration::from_secs(1));
    let before = listen_overflows()?;
    let report = load.run(&mut epollo)?;
    let overflows = listen_overflows()?.saturating_sub(before);
    epollo.stop()?;
    let connected = report.connect_ns.count;
    let slowest = report.connect_ns.max as f64 / 1e6;
    let command = load.command("ADDR");
    Ok(vec![
        Line::exact(
            format!("overflows in a burst of {BURST}"),
            overflows as f64,
            Bound::AtMost(0.0),
        )
        .with(
            format!("ListenOverflows of /proc/net/netstat; {connected} connected"),
            &command,
        ),
        Line::exact("its slowest connect, ms", slowest, Bound::AtMost(1_000.0))
            .with(String::new(), &command),
    ])
}

/// How often a listener's queue was full, since the machine started (proc(5)).
fn listen_overflows() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/net/netstat")?;
    let mut rows = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let names = rows.next().ok_or("no TcpExt in /proc/net/netstat")?;
    let values = rows.next().ok_or("no values in /proc/net/netstat")?;
    let mut pairs = names.split(' ').zip(values.split(' '));
    let found = pairs.find(|(name, _)| *name == "ListenOverflows");
    Ok(found
        .ok_or("no ListenOverflows in /proc/net/netstat")?
        .1
        .parse()?)
}

/// P11: bytes for CPU time, which is the ratio of CPU time turned over.
pub(crate) fn bulk(effort: &Effort) -> Result<Vec<Line>> {
    let (epollo, strong) = epollo_and_strong(&[])?;
    let load = Load {
        size: 64 * 1024,
        ..Load::echo(16, effort.block)
    };
    let duel = load.duel(&epollo, &strong, effort.blocks)?;
    epollo.stop()?;
    strong.stop()?;
    let cpu = ratio_of(&duel, SERVER_CPU)?;
    let bytes_a_second = |nanoseconds: f64| 64.0 * 1024.0 / nanoseconds;
    let ratio = Ratio {
        ratio: 1.0 / cpu.ratio,
        low: 1.0 / cpu.high,
        high: 1.0 / cpu.low,
        ..cpu.clone()
    };
    let details = format!(
        "{:.2} / {:.2} GB for a second of CPU, {} blocks each, {} discarded",
        bytes_a_second(cpu.a),
        bytes_a_second(cpu.b),
        duel.blocks,
        duel.discarded
    );
    let line = Line::ratio(
        "64 KiB writes, bytes for CPU time, epollo / strong",
        &ratio,
        Bound::AtLeast(0.97),
    );
    Ok(vec![
        line.with(details, load.command("--ab A B"))
            .doubted(&duel.warnings),
    ])
}

/// P12, as far as a server that works can show it: on time, and cheaper than the server.
pub(crate) fn generator(effort: &Effort) -> Result<Vec<Line>> {
    let mut epollo = Server::start(&programs::epollo(&[])?)?;
    let paced = Load {
        rate: Some(RATE),
        ..Load::echo(64, 2 * effort.block)
    };
    let lag = paced.run(&mut epollo)?;
    let closed = Load::echo(64, 2 * effort.block);
    let report = closed.run(&mut epollo)?;
    epollo.stop()?;
    let server = cpu_ns_per_echo(&report).ok_or("the server's CPU time is not known")?;
    let own = report.generator.cpu_ns_per_echo;
    let lag_p99 = lag.send_lag_ns.p99 as f64 / 1e3;
    Ok(vec![
        Line::exact(
            format!("send lag at {RATE} a second, p99, us"),
            lag_p99,
            Bound::AtMost(20.0),
        )
        .with(String::new(), paced.command("ADDR"))
        .doubted(&lag.warnings),
        Line::exact(
            "CPU time of an echo, generator / server",
            own / server,
            Bound::AtMost(1.0),
        )
        .with(
            format!("{} / {}", time(own), time(server)),
            closed.command("ADDR"),
        )
        .doubted(&report.warnings),
    ])
}
