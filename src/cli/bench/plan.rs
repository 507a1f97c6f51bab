//! What was asked of `epollo bench`, checked and complete: a [`Plan`] for the load. Nothing is opened here.

use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum as _;

use super::super::Failure;
use super::super::values::parse_remote_address;
use super::args::{BenchArguments, LoadArguments};
use crate::load::plan::{ChatPartner, End, Plan, SIZE_OF_NAME, Workload};
use crate::protocol::framing::Framing;

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
        [] => (Workload::Echo, None),
        [host, port] if parse_service(host).is_err() && port.parse::<u16>().is_ok() => {
            return Err(Failure::asked_wrongly(format_args!(
                "there is no service '{host}' (try {host}:{port}, or --ab for two servers)"
            )));
        }
        [service, address] => (parse_service(service)?, Some(address)),
        [one] => match parse_service(one) {
            Ok(service) => (service, None),
            Err(_) => (Workload::Echo, Some(one)),
        },
        [..] => unreachable!("clap takes two at most"),
    };
    let pids = load.pid.as_ref().map_or(Vec::new(), |pids| pids.0.clone());
    let wrong = match (address, &arguments.ab) {
        (Some(address), None) if pids.len() <= 1 => {
            let (target, pid) = (resolve(address)?, pids.first().copied());
            let plan = plan(load, service, target, pid, None)?;
            return Ok(Task::One(Box::new(plan)));
        }
        (None, Some(both)) if pids.is_empty() || pids.len() == 2 => {
            let side = |at: usize| {
                let (target, pid) = (resolve(&both[at])?, pids.get(at).copied());
                let block = Some((BLOCK, BLOCK_WARMUP));
                plan(load, service, target, pid, block).map(Box::new)
            };
            let (a, b, blocks) = (side(0)?, side(1)?, load.blocks);
            return Ok(Task::AbTest { a, b, blocks });
        }
        (Some(_), None) => "--pid takes one process (two only with --ab)",
        (None, Some(_)) => "--ab needs two processes: --pid PID1,PID2",
        (Some(_), Some(_)) => {
            "--ab already names both servers (try epollo bench echo --ab ADDR1 ADDR2)"
        }
        (None, None) => "no server given (try epollo bench echo 127.0.0.1:12345)",
    };
    Err(Failure::asked_wrongly(wrong))
}

fn plan(
    load: &LoadArguments,
    service: Workload,
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
        pairs: service == Workload::Chat && load.chat_with == ChatPartner::Pair,
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
        (Workload::Chat, _) if plan.pipeline > 1 => {
            "chat takes turns: --pipeline must be 1".to_owned()
        }
        (Workload::Chat, Framing::Auto) => {
            "bench needs a fixed framing (try --framing line, nul, padded[:N] or chunk)".to_owned()
        }
        (Workload::Chat, _) if size < SIZE_OF_NAME => format!(
            "a chat message must hold its request number: --size must be at least {SIZE_OF_NAME}"
        ),
        (Workload::Chat, Framing::Padded(frame)) if size > frame => {
            format!("{size} bytes do not fit into a frame of {frame} (--size)")
        }
        (Workload::Hello, _) if plan.pipeline > 1 => {
            "hello sends no requests: --pipeline must be 1".to_owned()
        }
        (Workload::Chat | Workload::Hello | Workload::Echo, _) => return Ok(()),
    };
    Err(Failure::asked_wrongly(wrong))
}

fn parse_service(text: &str) -> Result<Workload, Failure> {
    Workload::from_str(text, false).map_err(|_| {
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
