//! One run: the load on the reactor, turn by turn, with calls made and costs looked at between turns.
//! What a session sends or receives is in `generator/`; nothing is printed here but progress.

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};

use hdrhistogram::Histogram;

use super::counters::Counters;
use super::generator::{Load, Origin, Unreachable};
use super::listening;
use super::plan::Plan;
use super::preflight;
use super::progress::Progress;
use super::recorder::{curve, quantiles};
use super::warnings::{self, Machine};
use crate::protocol::Time;
use crate::reactor::{ConnectOptions, Kernel, Limits, OsKernel, Policy, Reactor};
use crate::report::{INTERRUPTED, Report};
use crate::system::signals;
use crate::trace::Observer;

/// Calls made between two turns, so that those that stand are seen to soon.
const CALLS_PER_TURN_MAX: usize = 16;

/// What came of a run.
pub struct Outcome {
    /// What it found.
    pub report: Report,
    /// All response times, in nanoseconds.
    pub response: Histogram<u64>,
    /// Why answers are missing, where that shows.
    pub cause: Option<String>,
    /// Something beside both programs spoilt it.
    pub is_disturbed: bool,
    /// Our user ended it.
    pub was_interrupted: bool,
}

/// Loads the server as planned.
///
/// `signals` gives a byte when our user wants it to end.
pub fn run(
    plan: &Plan,
    observer: impl Observer,
    progress: &mut Progress,
    signals: &File,
) -> Result<Outcome, String> {
    let sources = preflight::check(plan)?;
    let source = |call: usize| sources.get(call % sources.len().max(1)).copied();
    let mut counters = Counters::of(plan.pid)?;
    let listeners = listening::listening(plan.target);
    let server = plan.pid.or(listeners.first().copied());
    let before = Machine::look(server);
    let mut reactor = reactor(plan, observer, signals)?;
    let wait = |error| cannot("wait for events", &error);
    let mut calls = 0;
    while reactor.keeps_going() {
        call(&mut reactor, plan, &mut calls, &source);
        reactor.turn().map_err(wait)?;
        let began = reactor.now();
        let now = reactor.kernel_mut().now();
        let load = reactor.service_mut();
        load.recorder.turned(began, now);
        if let Some(at) = load.mark.take() {
            counters.mark(load, at);
        }
        progress.show(load, now);
        if let Some(why) = load.unreachable() {
            return Err(unreachable(plan.target, why));
        }
    }
    let load = reactor.service();
    let after = Machine::look(server);
    let mut report = report(plan, load, &counters);
    let cause = load.serves_few().filter(|_| !load.was_interrupted);
    let interrupted = load.was_interrupted.then(|| INTERRUPTED.to_owned());
    let first = interrupted.into_iter().chain(cause.clone());
    report.warnings = first
        .chain(warnings::of_run(plan, &report))
        .chain(after.warnings(&before))
        .chain(counters.warnings())
        .chain(stranger(plan, &listeners))
        .collect();
    Ok(Outcome {
        cause,
        report,
        response: load.recorder.response.clone(),
        is_disturbed: warnings::disturbs(&before, &after),
        was_interrupted: load.was_interrupted,
    })
}

/// The generator reads also while the server does not, or both could wait for each other.
const POLICY: Policy = Policy {
    reads_while_owing: true,
    // Whoever has had its answer makes room for the next call.
    linger: None,
    ..Policy::UNLIMITED
};

fn reactor<O: Observer>(
    plan: &Plan,
    observer: O,
    stream: &File,
) -> Result<Reactor<OsKernel, Load, O>, String> {
    let cannot = |error| cannot("start the event loop", &error);
    let kernel = OsKernel::new().map_err(cannot)?;
    let limits = Limits {
        unsent_bytes_max: usize::MAX,
        grace: Some(std::time::Duration::ZERO),
        spin: plan.spin,
        ..Limits::default()
    };
    let mut reactor = Reactor::observed(kernel, Load::new(plan.clone()), limits, observer);
    let stream = signals::stream(stream.try_clone().map_err(cannot)?);
    let none = Policy::default();
    reactor
        .attach(stream, Origin::Conductor, none, format_args!("signals"))
        .map_err(cannot)?;
    Ok(reactor)
}

/// Makes the calls that are due.
fn call<O: Observer>(
    reactor: &mut Reactor<OsKernel, Load, O>,
    plan: &Plan,
    calls: &mut usize,
    source: &impl Fn(usize) -> Option<IpAddr>,
) {
    for _ in 0..CALLS_PER_TURN_MAX {
        let now = reactor.kernel_mut().now();
        let Some(origin) = reactor.service_mut().next_call(now) else {
            break;
        };
        let number = *calls;
        *calls += 1;
        let options = ConnectOptions {
            policy: POLICY,
            source: source(number),
        };
        if let Err(error) = reactor.connect(plan.target, origin, options) {
            reactor.service_mut().call_failed(origin, &error);
        }
    }
}

/// No connection to the server could be established.
pub fn unreachable(target: SocketAddr, unreachable: &Unreachable) -> String {
    let Unreachable { why, remedy, .. } = unreachable;
    format!("cannot connect to {target}: {why}{remedy}")
}

fn cannot(what: &str, error: &io::Error) -> String {
    format!("cannot {what}: {}", crate::system::reason(error))
}

fn report(plan: &Plan, load: &Load, counters: &Counters) -> Report {
    let recorder = &load.recorder;
    let is_measured = recorder.since != Time::NEVER && recorder.until != Time::NEVER;
    let seconds = match is_measured {
        true => recorder.until.since(recorder.since).as_secs_f64(),
        false => 0.0,
    };
    let per_second = match seconds {
        0.0 => 0.0,
        _ => recorder.echoes as f64 / seconds,
    };
    Report {
        epollo: env!("CARGO_PKG_VERSION").to_owned(),
        service: plan.service.name().to_owned(),
        address: plan.target.to_string(),
        asked: plan.asked(),
        seconds,
        echoes: recorder.echoes,
        per_second,
        bytes_per_second: per_second * load.answer_bytes() as f64,
        lost: recorder.lost(),
        wrongs: recorder.wrongs,
        wrong: recorder.words(),
        response_ns: quantiles(&recorder.response),
        service_ns: quantiles(&recorder.service),
        send_lag_ns: quantiles(&recorder.lag),
        connect_ns: quantiles(&recorder.connect),
        generator: counters.generator(recorder.echoes),
        turn_ns: quantiles(&recorder.turn),
        server: counters.server(recorder.echoes),
        interrupted: load.was_interrupted,
        warnings: Vec::new(),
        timeline: recorder.timeline.clone(),
        curve: curve(&recorder.response),
    }
}

/// The process whose cost is reported is not the one under load.
fn stranger(plan: &Plan, listeners: &[u32]) -> Option<String> {
    let pid = plan
        .pid
        .filter(|pid| !listeners.is_empty() && !listeners.contains(pid))?;
    let (target, owner) = (plan.target, listeners[0]);
    Some(format!(
        "process {pid} does not listen on {target}, process {owner} does: the reported cost is not \
         that of this load"
    ))
}
