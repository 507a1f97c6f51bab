//! What was asked of `epollo bench`, checked and complete: a plan that a run can follow without asking
//! again. Nothing is opened here.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::args::Protocol;
use super::super::values::{parse_remote_address, parse_size};
use super::super::{Failure, reason};
use super::args::{Arrivals, BenchArguments, LoadArguments};
use super::preflight::Sources;
use super::report::Asked;
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
/// The largest payload.
pub(super) const SIZE_MAX: usize = 1 << 20;
/// The smallest chat message and the smallest payload that name their request.
pub(super) const SIZE_OF_NAME: usize = 16;

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) service: Protocol,
    pub(super) target: SocketAddr,
    /// More addresses of the same name, to try where nobody listens at the first.
    pub(super) others: Vec<SocketAddr>,
    pub(super) connections: usize,
    pub(super) idle: usize,
    pub(super) size: usize,
    pub(super) pipeline: usize,
    /// Requests a second; `None` is a closed loop.
    pub(super) rate: Option<f64>,
    pub(super) arrivals: Arrivals,
    pub(super) connect_rate: Option<f64>,
    pub(super) warmup: Duration,
    /// Our user chose the warm-up: if it is short, that is worth a word.
    pub(super) warns_of_warmup: bool,
    pub(super) end: End,
    pub(super) sources: Option<Sources>,
    pub(super) framing: Framing,
    pub(super) seed: u64,
    pub(super) spin: Duration,
    pub(super) pid: Option<u32>,
}

/// What ends the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    After(Duration),
    Requests(u64),
}

impl Plan {
    /// The settings that the report names.
    pub(super) fn asked(&self) -> Asked {
        let duration = match self.end {
            End::After(duration) => duration,
            End::Requests(_) => Duration::ZERO,
        };
        Asked {
            connections: self.connections,
            idle: self.idle,
            size: self.size,
            pipeline: self.pipeline,
            rate: self.rate,
            arrivals: self.rate.map(|_| match self.arrivals {
                Arrivals::Fixed => "fixed".to_owned(),
                Arrivals::Poisson => "poisson".to_owned(),
            }),
            duration: duration.as_secs_f64(),
            requests: match self.end {
                End::After(_) => None,
                End::Requests(requests) => Some(requests),
            },
            warmup: self.warmup.as_secs_f64(),
            framing: (self.service == Protocol::Chat).then(|| self.framing.to_string()),
            seed: self.seed,
        }
    }
}

/// What the arguments ask for: one run, or two servers in turn.
pub(super) enum Wish {
    One(Box<Plan>),
    Duel {
        a: Box<Plan>,
        b: Box<Plan>,
        blocks: usize,
    },
}

/// Checks the arguments against each other.
pub(super) fn understand(arguments: &BenchArguments) -> Result<Wish, Failure> {
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
            Ok(Wish::One(Box::new(plan)))
        }
        (Some(_), None) => Err(Failure::asked_wrongly("one server has one --pid")),
        (None, Some(both)) if pids.is_empty() || pids.len() == 2 => {
            let side = |at: usize| {
                let block = Some((BLOCK, BLOCK_WARMUP));
                let target = resolve(&both[at])?;
                plan(load, service, target, pids.get(at).copied(), block).map(Box::new)
            };
            Ok(Wish::Duel {
                a: side(0)?,
                b: side(1)?,
                blocks: load.blocks,
            })
        }
        (None, Some(_)) => Err(Failure::asked_wrongly(
            "--ab needs two processes: --pid PID1,PID2",
        )),
        (Some(_), Some(_)) => Err(Failure::asked_wrongly(
            "--ab names both servers (try epollo bench echo --ab ADDR1 ADDR2)",
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
        Some(requests) => End::Requests(requests as u64),
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
        connections: load.connections.min(load.requests.unwrap_or(usize::MAX)),
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
    let wrong = match plan.service {
        Protocol::Chat if plan.pipeline > 1 => {
            Some("chat is spoken in turns: --pipeline is 1".to_owned())
        }
        Protocol::Chat if plan.framing == Framing::Auto => Some(
            "bench has to know how to cut its messages: line, nul, padded[:N] or chunk (--framing)"
                .to_owned(),
        ),
        Protocol::Chat if plan.size < SIZE_OF_NAME => Some(format!(
            "a chat message that names its request takes {SIZE_OF_NAME} bytes or more (--size)"
        )),
        Protocol::Chat => match plan.framing {
            Framing::Padded(frame) if plan.size > frame => Some(format!(
                "{} bytes do not fit into a frame of {frame} (--size)",
                plan.size
            )),
            Framing::Auto | Framing::Line | Framing::Nul | Framing::Chunk | Framing::Padded(_) => {
                None
            }
        },
        Protocol::Hello if plan.pipeline > 1 => Some("hello has nothing to pipeline".to_owned()),
        Protocol::Hello | Protocol::Echo => None,
    };
    match wrong {
        Some(words) => Err(Failure::asked_wrongly(words)),
        None => Ok(()),
    }
}

fn parse_service(text: &str) -> Result<Protocol, Failure> {
    let mut all = Protocol::ALL.into_iter();
    all.find(|protocol| protocol.name() == text).ok_or_else(|| {
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
        Err(error) => Err(Failure::at_work(format_args!(
            "cannot find {text}: {}",
            reason(&error)
        ))),
    }
}

pub(super) fn parse_payload_size(text: &str) -> Result<usize, String> {
    match parse_size(text)? {
        size @ 1..=SIZE_MAX => Ok(size),
        _ => Err(format!("a request takes 1 to 1M bytes, not {text}")),
    }
}

pub(super) fn parse_rate(text: &str) -> Result<f64, String> {
    let plain = text.parse::<f64>().ok();
    let rate = plain.or_else(|| {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let factor = match unit {
            "k" => 1e3,
            "M" => 1e6,
            _ => return None,
        };
        number.parse::<f64>().ok().map(|number| number * factor)
    });
    rate.filter(|rate| rate.is_finite() && *rate > 0.0 && *rate <= 1e7)
        .ok_or_else(|| {
            format!("'{text}' is not a rate (a number a second, up to 10M; try 500 or 50k)")
        })
}

/// The processes of `--pid`.
#[derive(Clone, Debug)]
pub(super) struct Pids(Vec<u32>);

pub(super) fn parse_pids(text: &str) -> Result<Pids, String> {
    let pids: Option<Vec<u32>> = text
        .split(',')
        .map(|pid| pid.trim().parse().ok().filter(|&pid| pid > 0))
        .collect();
    pids.filter(|pids| pids.len() <= 2)
        .map(Pids)
        .ok_or_else(|| format!("'{text}' is not a process id (two with --ab: PID1,PID2)"))
}

pub(super) fn parse_requests(text: &str) -> Result<usize, String> {
    parse_size::Config::new()
        .with_decimal()
        .parse_size(text)
        .ok()
        .and_then(|count| usize::try_from(count).ok())
        .filter(|&count| count > 0)
        .ok_or_else(|| format!("'{text}' is not a number of requests from 1 up (try 1000 or 100k)"))
}
