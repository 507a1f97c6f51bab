//! The goals that are ratios of interleaved runs: A B B A by `epollo bench --ab`.

use std::time::Duration;

use epollo::report::units::{digits, time};
use epollo::report::{AbTest, Ratio};

use crate::common::load::{Load, cpu_ns_per_echo, ratio_of};
use crate::common::server::Server;
use crate::common::{Result, programs};
use crate::verdict::{Bound, Line};
use crate::{Effort, epollo_and_strong};

const SERVER_CPU: &str = "server_cpu_ns_per_echo";
/// P12 and P5: what is asked of an open loop.
const RATE: u32 = 50_000;

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

/// Each load on epollo and, in turn, on the strong C server and on tokio, which have a goal each.
fn beside_both(
    effort: &Effort,
    loads: &[(Load, String)],
    figure: &str,
    [most_of_strong, most_of_tokio]: [f64; 2],
) -> Result<Vec<Line>> {
    let (epollo, strong) = epollo_and_strong(&[])?;
    let tokio = Server::start(&programs::rust("tokio")?.needed()?)?;
    let mut lines = Vec::new();
    for (load, what) in loads {
        for (peer, server, most) in [
            ("strong", &strong, most_of_strong),
            ("tokio", &tokio, most_of_tokio),
        ] {
            let duel = load.duel(&epollo, server, effort.blocks)?;
            let what = format!("{what}, epollo / {peer}");
            lines.push(line(load, &duel, figure, what, Bound::AtMost(most))?);
        }
    }
    for server in [epollo, strong, tokio] {
        server.stop()?;
    }
    Ok(lines)
}

/// P1: CPU time of the server for one echo.
pub(crate) fn cpu(effort: &Effort) -> Result<Vec<Line>> {
    let mut loads = Vec::new();
    for &size in effort.of_all(&[64, 1024]) {
        for &connections in effort.of_all(&[64, 1, 1_000, 10_000]) {
            let load = Load {
                size,
                ..Load::echo(connections, effort.block)
            };
            loads.push((load, format!("{connections} connections, {size} B")));
        }
    }
    beside_both(effort, &loads, SERVER_CPU, [1.02, 0.90])
}

/// P5: the tail at a constant rate.
pub(crate) fn tail(effort: &Effort) -> Result<Vec<Line>> {
    let load = Load {
        rate: Some(RATE),
        ..Load::echo(256, effort.block)
    };
    let what = format!("p99.9 of 256 connections at {RATE} a second");
    beside_both(effort, &[(load, what)], "response_p999", [1.05, 0.80])
}

/// P6: one connection, the server looks again before it sleeps.
pub(crate) fn spinning(effort: &Effort) -> Result<Vec<Line>> {
    let (epollo, strong) = epollo_and_strong(&["--spin", "50us"])?;
    let load = Load::echo(1, effort.block);
    let duel = load.duel(&epollo, &strong, effort.blocks)?;
    let what = "median round trip, one connection, epollo --spin 50us / strong".to_owned();
    let lines = vec![line(
        &load,
        &duel,
        "response_p50",
        what,
        Bound::AtMost(0.35),
    )?];
    epollo.stop()?;
    strong.stop()?;
    Ok(lines)
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
