//! The goals about a crowd: cost among idle connections (P8), and pingers beside a flood (P10).

use std::time::Duration;

use epollo::report::statistics::median;
use epollo::report::units::time;

use crate::Effort;
use crate::common::interval::Interval;
use crate::common::load::{Load, cpu_ns_per_echo};
use crate::common::machine::connections_max;
use crate::common::programs;
use crate::common::server::Server;
use crate::common::{Result, doubts};
use crate::verdict::{Bound, Line};

const FEW_IDLE: usize = 100;
const MANY_IDLE: usize = 19_000;
const ACTIVE: usize = 64;

/// P8: the same server with few and many idle ones, in turn.
pub(crate) fn idle(effort: &Effort) -> Result<Vec<Line>> {
    let many = MANY_IDLE.min(connections_max() - ACTIVE);
    let mut epollo = Server::start(&programs::epollo(&[])?)?;
    let among = |idle| Load {
        idle,
        ..Load::echo(ACTIVE, effort.block)
    };
    let mut ratios = Vec::new();
    let (mut first, mut last, mut trust) = (Vec::new(), Vec::new(), Vec::new());
    for block in 0..effort.blocks {
        let mut cpu = |idle: usize| -> Result<f64> {
            let report = among(idle).run(&mut epollo)?;
            trust.extend(report.warnings.clone());
            cpu_ns_per_echo(&report).ok_or_else(|| "the server's CPU time is not known".into())
        };
        // A B, then B A.
        let (a, b) = if block % 2 == 0 {
            let a = cpu(FEW_IDLE)?;
            (a, cpu(many)?)
        } else {
            let b = cpu(many)?;
            (cpu(FEW_IDLE)?, b)
        };
        ratios.push(b / a);
        first.push(a);
        last.push(b);
    }
    epollo.stop()?;
    let doubts = doubts::count(
        trust
            .into_iter()
            .map(|reason| ("epollo".to_owned(), reason)),
    );
    let trust: Vec<String> = doubts.iter().map(ToString::to_string).collect();
    let what = format!("CPU time of an echo, {ACTIVE} active among {many} idle / among {FEW_IDLE}");
    let details = format!("{} / {}", time(median(&mut last)), time(median(&mut first)));
    let line = Line::between(what, Interval::of(&ratios)?, Bound::AtMost(1.05));
    Ok(vec![
        line.with(details, among(many).command("ADDR"))
            .doubted(&trust),
    ])
}

/// P10: one client sends as fast as it can while a thousand ping.
pub(crate) fn flood(effort: &Effort) -> Result<Vec<Line>> {
    let mut epollo = Server::start(&programs::epollo(&[])?)?;
    let duration = 2 * effort.block;
    let pingers = Load {
        rate: Some(2_000),
        ..Load::echo(1_000, duration)
    };
    let alone = pingers.run(&mut epollo)?;
    let flood = Load {
        size: 64 * 1024,
        pipeline: 64,
        // Both loads have one core: the pingers' must not wait for that of the flood.
        gives_way: true,
        ..Load::echo(1, duration + Duration::from_secs(3))
    };
    let flooding = flood.begin(&epollo)?;
    let beside = pingers.run(&mut epollo)?;
    let flooded = flooding.report()?;
    epollo.stop()?;
    let p99 = |nanoseconds: u64| nanoseconds as f64 / 1e6;
    let bytes = flooded.per_second * 64.0 * 1024.0 / 1e6;
    let details = format!(
        "{:.2} ms alone; the flood is {bytes:.0} MB a second",
        p99(alone.response_ns.p99)
    );
    let command = format!(
        "{} beside {}",
        pingers.command("ADDR"),
        flood.command("ADDR")
    );
    let line = Line::exact(
        "p99 of 1,000 pingers beside a flood, ms",
        p99(beside.response_ns.p99),
        Bound::AtMost(5.0),
    );
    Ok(vec![line.with(details, command).doubted(&beside.warnings)])
}
