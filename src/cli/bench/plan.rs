//! What was asked of `epollo bench`, checked and complete: a [`Plan`] for the load. Nothing is opened here.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::Failure;
use super::super::values::parse_remote_address;
use super::args::{BenchArguments, LoadArguments};
use crate::load::plan::{End, Plan, SIZE_OF_NAME};
use crate::protocol::framing::Framing;
use crate::services::Protocol;

/// How long to measure when nothing else is said.
const DURATION: Duration = Duration::from_secs(10);
/// Warm-up when nothing else is said and a time, not a number of requests, ends the run.
const WARMUP: Duration = Duration::from_secs(2);
/// The same of a block of an A/B run.
const BLOCK_WARMUP: Duration = Duration::from_millis(300);
/// How long a block of an A/B run is when nothing else is said.
const BLOCK: Duration = Duration::from_secs(2);
/// The shortest measurement: less says nothing but how the first answers were.
const DURATION_MIN: Duration = Duration::from_millis(100);
/// What the arguments ask for: one run, or two servers in turn.
pub(super) enum Task {
    One(Box<Plan>),
    AbTest {
        a: Box<Plan>,
        b: Box<Plan>,
        blocks: usize,
    },
}

/// Checks the arguments against each other.
pub(super) fn understand(arguments: &BenchArguments) -> Result<Task, Failure> {
    let load = &arguments.load;
    let (service, address) = match arguments.target.as_slice() {
        [] => (Protocol::Echo, None),
        [host, port] if parse_service(host).is_err() && port.parse::<u16>().is_ok() => {
            return Err(Failure::asked_wrongly(format_args!(
                "there is no service '{host}' (try {host}:{port}, or --ab for two servers)"
            )));
        }
        [service, address] => (parse_service(service)?, Some(address)),
        [one] => match parse_service(one) {
            Ok(service) => (service, None),
            Err(_) => (Protocol::Echo, Some(one)),
        },
        [..] => unreachable!("clap takes two at most"),
    };
    let pids = load.pid.as_ref().map_or(Vec::new(), |pids| pids.0.clone());
    match (address, &arguments.ab) {
        (Some(address), None) if pids.len() <= 1 => {
            let plan = plan(
                load,
                service,
                resolve(address)?,
                pids.first().copied(),
                None,
            )?;
            Ok(Task::One(Box::new(plan)))
        }
        (Some(_), None) => Err(Failure::asked_wrongly(
            "--pid takes one process (two only with --ab)",
        )),
        (None, Some(both)) if pids.is_empty() || pids.len() == 2 => {
            let side = |at: usize| {
                let block = Some((BLOCK, BLOCK_WARMUP));
                let target = resolve(&both[at])?;
                plan(load, service, target, pids.get(at).copied(), block).map(Box::new)
            };
            Ok(Task::AbTest {
                a: side(0)?,
                b: side(1)?,
                blocks: load.blocks,
            })
        }
        (None, Some(_)) => Err(Failure::asked_wrongly(
            "--ab needs two processes: --pid PID1,PID2",
        )),
        (Some(_), Some(_)) => Err(Failure::asked_wrongly(
            "--ab already names both servers (try epollo bench echo --ab ADDR1 ADDR2)",
        )),
        (None, None) => Err(Failure::asked_wrongly(
            "no server given (try epollo bench echo 127.0.0.1:12345)",
        )),
    }
}

fn plan(
    load: &LoadArguments,
    service: Protocol,
    mut addresses: Vec<SocketAddr>,
    pid: Option<u32>,
    block: Option<(Duration, Duration)>,
) -> Result<Plan, Failure> {
    let duration = load
        .duration
        .unwrap_or(block.map_or(DURATION, |(duration, _)| duration));
    let end = match load.requests {
        Some(requests) => End::Requests(requests),
        None => End::After(duration),
    };
    let warmup = load.warmup.unwrap_or(match (end, block) {
        (End::Requests(_), _) => Duration::ZERO,
        (End::After(_), Some((_, warmup))) => warmup,
        (End::After(_), None) => WARMUP,
    });
    if duration < DURATION_MIN {
        return Err(Failure::asked_wrongly(format_args!(
            "--duration must be at least {DURATION_MIN:?}"
        )));
    }
    let target = addresses.remove(0);
    let plan = Plan {
        service,
        target,
        others: addresses,
        // More than there are requests would have nothing to do.
        connections: match load.requests.map(usize::try_from) {
            Some(Ok(requests)) => load.connections.min(requests),
            Some(Err(_)) | None => load.connections,
        },
        idle: load.idle,
        size: load.size,
        pipeline: load.pipeline,
        rate: load.rate,
        arrivals: load.arrivals,
        connect_rate: load.connect_rate,
        warmup,
        warns_of_warmup: load.warmup.is_some(),
        end,
        sources: load.source_ip.clone(),
        framing: load.framing,
        seed: load.seed,
        // A sleep is as coarse as a millisecond: who is to send on time stays awake.
        spin: load.spin.unwrap_or(match load.rate {
            Some(_) => Duration::MAX,
            None => Duration::ZERO,
        }),
        pid,
    };
    check(&plan)?;
    Ok(plan)
}

fn check(plan: &Plan) -> Result<(), Failure> {
    let size = plan.size;
    let wrong = match (plan.service, plan.framing) {
        (Protocol::Chat, _) if plan.pipeline > 1 => {
            "chat takes turns: --pipeline must be 1".to_owned()
        }
        (Protocol::Chat, Framing::Auto) => {
            "bench needs a fixed framing (try --framing line, nul, padded[:N] or chunk)".to_owned()
        }
        (Protocol::Chat, _) if size < SIZE_OF_NAME => format!(
            "a chat message must hold its request number: --size must be at least {SIZE_OF_NAME}"
        ),
        (Protocol::Chat, Framing::Padded(frame)) if size > frame => {
            format!("{size} bytes do not fit into a frame of {frame} (--size)")
        }
        (Protocol::Hello, _) if plan.pipeline > 1 => {
            "hello sends no requests: --pipeline must be 1".to_owned()
        }
        (Protocol::Chat | Protocol::Hello | Protocol::Echo, _) => return Ok(()),
    };
    Err(Failure::asked_wrongly(wrong))
}

fn parse_service(text: &str) -> Result<Protocol, Failure> {
    Protocol::named(text).ok_or_else(|| {
        Failure::asked_wrongly(format_args!(
            "there is no service '{text}' (echo, chat or hello)"
        ))
    })
}

/// One address, or all of a name.
fn resolve(text: &str) -> Result<Vec<SocketAddr>, Failure> {
    let found = parse_remote_address(text)
        .map_err(Failure::asked_wrongly)?
        .look_up();
    match found {
        Ok(addresses) if addresses.is_empty() => {
            Err(Failure::at_work(format_args!("{text} has no address")))
        }
        Ok(addresses) => Ok(addresses),
        Err(_) => Err(Failure::at_work(format_args!(
            "cannot find the host of {text} (is the name right?)"
        ))),
    }
}
