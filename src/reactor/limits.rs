//! What a reactor and its peers are held to. Numbers only; who enforces them is elsewhere.

use std::net::IpAddr;
use std::ops::Index;
use std::time::Duration;

/// The limits of a whole reactor. Others may be added: build it upon [`Limits::default`].
///
/// ```
/// use epollo::reactor::Limits;
/// let limits = Limits { clients_max: 100, ..Limits::default() };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections accepted and open at the same time; one more is closed at once.
    pub clients_max: usize,
    /// The same for each client address; `None` is no limit.
    pub clients_per_address_max: Option<usize>,
    /// Memory for the unsent bytes of all peers together; beyond it the socket with the most is closed, whether
    /// it was accepted, attached or connected. What is no socket counts, and is never closed for it.
    pub unsent_bytes_max: usize,
    /// How long peers may take to get what they are owed once the run is to stop; `None` for ever.
    pub grace: Option<Duration>,
    /// How long to look again and again before sleeping. Costs a core, saves the wake-up.
    pub spin: Duration,
}

impl Default for Limits {
    /// 10,000 clients, 256 MiB of unsent bytes, 5 s of grace, no spinning: what `epollo serve` takes where
    /// descriptors and memory suffice.
    fn default() -> Limits {
        Limits {
            clients_max: 10_000,
            clients_per_address_max: None,
            unsent_bytes_max: 256 << 20,
            grace: Some(Duration::from_secs(5)),
            spin: Duration::ZERO,
        }
    }
}

/// What a reactor holds. All 0 after a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Peers that are not closed.
    pub peers: usize,
    /// Timers that are set.
    pub timers: usize,
    /// Memory for the unsent bytes of all peers, in bytes.
    pub buffered_bytes: usize,
}

/// The limits of the peers of one listener, dial or attached stream. `None` is no limit, and the default but
/// for `linger`. Others may be added: build it upon [`Policy::default`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Nothing received, sent or acknowledged for this long: closed. Whether a peer acknowledges takes a second
    /// look: one that is owed bytes may be given as long again.
    pub idle_timeout: Option<Duration>,
    /// Bytes wait, ours or the kernel's, and the peer acknowledges none for this long, and at most a quarter
    /// more: closed by a reset.
    pub write_timeout: Option<Duration>,
    /// How long a peer that we left, and that has acknowledged everything, may take to close its half while
    /// what it sends is thrown away, in steps of no less than 10 ms; 2 s by default. `None` closes as soon as the kernel has our last byte:
    /// whether that arrives nobody looks any more, and what the peer has sent meanwhile has the kernel reset
    /// the connection, which may destroy it. What is no socket never lingers.
    pub linger: Option<Duration>,
    /// Whether one that does not close its half in that time is reset. For a peer that may not read, and
    /// so does not see that we left (a chat server out of turn): a reset it notices.
    pub resets_after_linger: bool,
    /// Whether it is read also while its own outbox is full. For peers whose answers go elsewhere
    /// (the server of a client that copies a pipe): both would wait for each other. What its session
    /// takes is then bounded by [`Service::read_limit`](crate::protocol::Service::read_limit) alone.
    pub reads_while_owing: bool,
    /// The peers of this listener take no place of [`Limits::clients_max`] and are not counted as clients: for an
    /// observer's page beside the service, which also goes on when accepting stops, until the run does. Whoever opens
    /// such a listener bounds how many come in.
    pub exempt_from_limits: bool,
}

/// How a connection is made by [`Reactor::connect`](super::Reactor::connect). Others may be added: build it
/// upon [`ConnectOptions::default`], which is no limit, and an address of ours that the kernel chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// What the peer is held to. Without an `idle_timeout` a connection that nobody answers is given up
    /// by the kernel, after minutes (tcp(7), `tcp_syn_retries`).
    pub policy: Policy,
    /// From which of our addresses; `None` leaves it to the kernel.
    pub source: Option<IpAddr>,
}

impl Default for Policy {
    /// [`Policy::UNLIMITED`].
    fn default() -> Policy {
        Policy::UNLIMITED
    }
}

impl Policy {
    /// The default, as a constant: nothing is limited but how long a peer may linger, 2 s.
    pub const UNLIMITED: Policy = Policy {
        idle_timeout: None,
        write_timeout: None,
        linger: Some(Duration::from_secs(2)),
        resets_after_linger: false,
        reads_while_owing: false,
        exempt_from_limits: false,
    };
}

/// Names one of the [`Policies`] of a reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PolicyId(u32);

/// The policies of all listeners and peers, each kept once and for as long as the reactor lives: a program
/// has a few, however many streams it attaches.
#[derive(Debug, Default)]
pub(super) struct Policies(Vec<Policy>);

impl Policies {
    pub(super) fn id_of(&mut self, policy: &Policy) -> PolicyId {
        let place = self.0.iter().position(|known| known == policy);
        let place = place.unwrap_or_else(|| {
            self.0.push(*policy);
            self.0.len() - 1
        });
        PolicyId(u32::try_from(place).expect("policies are few"))
    }
}

impl Index<PolicyId> for Policies {
    type Output = Policy;

    fn index(&self, id: PolicyId) -> &Policy {
        &self.0[id.0 as usize]
    }
}
