//! A plan of a load that a run can follow without asking again. Nothing is opened here.

use std::net::SocketAddr;
use std::time::Duration;

use super::sources::Sources;
use crate::protocol::framing::Framing;
use crate::report::Asked;

/// The largest payload.
pub const SIZE_MAX: usize = 1 << 20;
/// The smallest chat message and the smallest payload that name their request.
pub const SIZE_OF_NAME: usize = 16;

/// What the connections say, and what they expect of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Workload {
    /// Nothing is said, and a greeting is expected.
    Hello,
    /// Bytes, which come back.
    Echo,
    /// Messages in turns, each of which comes back.
    Chat,
}

impl Workload {
    /// What it is called: `echo`.
    pub fn name(self) -> &'static str {
        match self {
            Workload::Hello => "hello",
            Workload::Echo => "echo",
            Workload::Chat => "chat",
        }
    }
}

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the server is expected to speak.
    pub service: Workload,
    /// The server.
    pub target: SocketAddr,
    /// More addresses of the same name, to try where nobody listens at the first.
    pub others: Vec<SocketAddr>,
    /// Connections with requests; hello: at the same time.
    pub connections: usize,
    /// Additional idle connections.
    pub idle: usize,
    /// Bytes of a request.
    pub size: usize,
    /// Requests in flight per connection.
    pub pipeline: usize,
    /// Requests a second; `None` is a closed loop.
    pub rate: Option<f64>,
    /// How the requests of a rate are spaced.
    pub arrivals: Arrivals,
    /// Connections opened per second; `None`: as fast as possible.
    pub connect_rate: Option<f64>,
    /// Warm-up before measuring.
    pub warmup: Duration,
    /// Our user chose the warm-up: if it is short, that is worth a word.
    pub warns_of_warmup: bool,
    /// What ends the measurement.
    pub end: End,
    /// Addresses to connect from; `None` leaves it to the kernel.
    pub sources: Option<Sources>,
    /// Of chat.
    pub framing: Framing,
    /// Of chat: the server matches clients, so that each connection is made with another beside it, which sends
    /// back what it receives.
    pub pairs: bool,
    /// Of payloads and arrivals.
    pub seed: u64,
    /// How long to look again without sleeping.
    pub spin: Duration,
    /// The server's process, if its cost is to be reported.
    pub pid: Option<u32>,
}

/// What ends the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was measured for so long.
    After(Duration),
    /// So many requests were answered or lost.
    Requests(u64),
}

impl Plan {
    /// Connections that last, those that ask and all others.
    pub fn sockets(&self) -> usize {
        let asking = if self.pairs { 2 } else { 1 } * self.connections;
        self.idle + asking
    }

    /// The settings that the report names.
    pub fn asked(&self) -> Asked {
        let (duration, requests) = match self.end {
            End::After(duration) => (duration, None),
            End::Requests(requests) => (Duration::ZERO, Some(requests)),
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
            requests,
            warmup: self.warmup.as_secs_f64(),
            framing: (self.service == Workload::Chat).then(|| self.framing.to_string()),
            chat_with: self.pairs.then(|| "pair".to_owned()),
            seed: self.seed,
        }
    }
}

/// Who answers a chat client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum ChatPartner {
    /// The server, with the same text.
    Echo,
    /// Another client: each connection has one beside it, which sends back what it receives.
    Pair,
}

/// When requests of an open loop are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Arrivals {
    /// Evenly spaced.
    Fixed,
    /// As a Poisson process.
    Poisson,
}
