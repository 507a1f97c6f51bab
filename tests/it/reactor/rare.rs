//! The reactor with a few clients on a simulated kernel in which nothing goes wrong: what is rare
//! enough on a real one, or in a seed, that it must be set up byte by byte.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use epollo::protocol::echo::{Echo, Settings};
use epollo::protocol::{CloseReason, Context, Event, Peer, Service};
use epollo::reactor::{EVENTS_PER_TURN_MAX, Limits, Policy, Reactor};
use epollo::sim::{FaultProfile, Received, SimKernel, SocketId};

use crate::serve::attacks::memory;

/// What all outboxes together may take.
const UNSENT_BYTES_MAX: usize = 8 << 20;

/// A server with its clients; the clock moves only while the reactor waits.
pub(super) struct Rig<S: Service> {
    pub(super) reactor: Reactor<SimKernel<()>, S>,
    listeners: Vec<usize>,
    clients: u16,
}

impl<S: Service> Rig<S> {
    /// One listener a door.
    fn new(service: S, descriptors_max: usize, origins: &[S::Origin]) -> Rig<S> {
        let policy = Policy {
            linger: Some(Duration::from_secs(2)),
            ..Policy::default()
        };
        Rig::held_to(service, fault_profile(descriptors_max), origins, policy)
    }

    /// The same with other faults, and for clients who are held to this policy.
    pub(super) fn held_to(
        service: S,
        fault_profile: FaultProfile,
        origins: &[S::Origin],
        policy: Policy,
    ) -> Rig<S> {
        Rig::seeded(1, service, fault_profile, origins, policy)
    }

    /// The same, where the seed decides what goes wrong.
    pub(super) fn seeded(
        seed: u64,
        service: S,
        fault_profile: FaultProfile,
        origins: &[S::Origin],
        policy: Policy,
    ) -> Rig<S> {
        let mut kernel = SimKernel::new(seed, fault_profile, ());
        let listeners: Vec<usize> = origins.iter().map(|_| kernel.listener(128)).collect();
        let limits = Limits {
            unsent_bytes_max: UNSENT_BYTES_MAX,
            grace: None,
            ..Limits::default()
        };
        let mut reactor = Reactor::new(kernel, service, limits);
        for (&listener, &origin) in listeners.iter().zip(origins) {
            reactor.listen(listener, origin, policy).unwrap();
        }
        Rig {
            reactor,
            listeners,
            clients: 0,
        }
    }

    /// A client that waits to be accepted; how many bytes it can have under way, each way.
    pub(super) fn connect(&mut self, listener: usize, buffers: (usize, usize)) -> SocketId {
        self.clients += 1;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 10_000 + self.clients));
        let net = &mut self.reactor.kernel_mut().net;
        let connected = net.connect(self.listeners[listener], 0, address, buffers);
        connected.unwrap().expect("a place in the backlog")
    }

    fn send(&mut self, client: SocketId, bytes: &[u8]) {
        let net = &mut self.reactor.kernel_mut().net;
        assert_eq!(net.send(client, bytes), Ok(bytes.len()));
    }

    /// Lets the reactor run until it would sleep forever. Fails if it does not within some turns.
    pub(super) fn settle(&mut self) {
        for _ in 0..1_000 {
            if self.reactor.turn().is_err() {
                return;
            }
        }
        panic!("it never sleeps");
    }

    /// Reads as a client until nothing more comes; how much, and what was there instead.
    pub(super) fn receive_all(&mut self, client: SocketId) -> (usize, Received) {
        let mut total = 0;
        loop {
            match self.reactor.kernel_mut().net.receive(client, usize::MAX) {
                Received::Bytes(count) => total += count,
                then @ (Received::Nothing | Received::End | Received::Reset) => {
                    return (total, then);
                }
            }
            self.settle();
        }
    }
}

/// Nothing goes wrong.
pub(super) fn fault_profile(descriptors_max: usize) -> FaultProfile {
    FaultProfile {
        descriptors_max,
        faults_per_1024: 0,
        stops_per_65536: 0,
        stop_max: Duration::ZERO,
        batch: EVENTS_PER_TURN_MAX,
        call_cost_max: Duration::ZERO,
    }
}

#[test]
fn what_was_not_read_yet_breaks_a_silence_also_behind_a_full_outbox() {
    let quit = Some(b"QUIT".to_vec());
    let echo = Echo::new(Settings { quit, print: false });
    let mut rig = Rig::new(echo, 100, &[()]);
    let client = rig.connect(0, (1 << 20, 1_000));
    // More than it may owe and be read: what follows waits in the kernel.
    let begun = [&[b'.'; 50_000][..], b"\nQUIT"].concat();
    rig.send(client, &begun);
    rig.reactor.turn().unwrap();
    rig.reactor.turn().unwrap();
    rig.send(client, b"E is another word\n");
    rig.settle();
    let (received, then) = rig.receive_all(client);
    assert_eq!(received, begun.len() + b"E is another word\n".len());
    assert_eq!(then, Received::Nothing, "it talks on");
}

#[test]
fn a_crowd_at_one_listener_does_not_keep_every_descriptor_from_another() {
    let origins = [(), (), ()];
    let room_for_one = origins.len() + 1;
    let mut rig = Rig::new(Echo::new(Settings::default()), room_for_one, &origins);
    let others = [rig.connect(1, (64, 64)), rig.connect(2, (64, 64))];
    let mut waiting: Vec<SocketId> = (0..50).map(|_| rig.connect(0, (64, 64))).collect();
    waiting.extend(others);
    let mut served = Vec::new();
    while !others.iter().all(|other| served.contains(other)) {
        rig.reactor.turn().unwrap();
        let net = &mut rig.reactor.kernel_mut().net;
        if let Some(at) = waiting.iter().position(|&id| net.socket(id).is_held()) {
            let client = waiting.swap_remove(at);
            net.close(client);
            served.push(client);
        }
    }
    assert!(served.len() <= 4, "after {} of the crowd", served.len() - 2);
}

#[test]
fn who_takes_nearly_everything_keeps_no_memory_that_is_not_counted() {
    let count = 4_000;
    let mut rig = Rig::new(Echo::new(Settings::default()), 10_000, &[()]);
    let before = memory(std::process::id(), "VmRSS");
    for _ in 0..count {
        let client = rig.connect(0, (1_024, 16_384));
        // As much as it may owe and still be read, and what the kernel takes.
        let sent = 49 * 1_024;
        for _ in 0..sent / 1_024 {
            rig.send(client, &[b'.'; 1_024]);
            rig.settle();
        }
        let mut taken = 0;
        while taken < sent - 16_384 - 1 {
            let most = sent - 16_384 - 1 - taken;
            let Received::Bytes(count) = rig.reactor.kernel_mut().net.receive(client, most) else {
                panic!("it is owed more");
            };
            taken += count;
            rig.settle();
        }
        rig.send(client, b"!");
        rig.settle();
    }
    let grown = memory(std::process::id(), "VmRSS").saturating_sub(before);
    assert_eq!(
        rig.reactor.holdings().peers,
        count,
        "nobody is owed so much"
    );
    // Each could keep 64 KiB. Most of this is for the simulation, and for other tests beside it.
    assert!(grown < 128 * 1024, "{grown} KiB for {count}");
}

/// Sends more than an outbox takes, and counts how often it is told that there is room again.
struct Flood {
    writable: usize,
}

impl Service for Flood {
    type Session = ();
    type Origin = ();

    fn open(&mut self, cx: &mut Context<'_>, (): (), _: &Peer<'_>) {
        let bytes = vec![b'.'; 2 * cx.send_capacity()];
        cx.send(&bytes);
        assert_eq!(cx.send_capacity(), 0);
    }

    fn step(&mut self, _: &mut Context<'_>, (): &mut (), event: Event<'_>) {
        assert_eq!(event, Event::Writable);
        self.writable += 1;
    }

    fn close(&mut self, _: &mut Context<'_>, (): (), _: CloseReason) {}
}

#[test]
fn a_session_is_told_once_that_its_outbox_has_room_again() {
    let mut rig = Rig::new(Flood { writable: 0 }, 100, &[()]);
    let client = rig.connect(0, (1_000, 1_000));
    rig.settle();
    assert_eq!(rig.reactor.service().writable, 0, "it is full");
    let (received, _) = rig.receive_all(client);
    assert!(received > 100_000, "{received} bytes");
    assert_eq!(rig.reactor.service().writable, 1);
}

/// Asks at every piece for a timer that is over at once, and remembers what it had received when one came.
struct Hasty {
    received: usize,
    expired_after: Vec<usize>,
}

impl Service for Hasty {
    type Session = ();
    type Origin = ();

    fn open(&mut self, _: &mut Context<'_>, (): (), _: &Peer<'_>) {}

    fn step(&mut self, cx: &mut Context<'_>, (): &mut (), event: Event<'_>) {
        match event {
            Event::Received(bytes) => {
                self.received += bytes.len();
                cx.set_timer(Some(cx.now()));
            }
            Event::TimerExpired(_) => self.expired_after.push(self.received),
            Event::Eof | Event::Connected | Event::Notified | Event::Writable | Event::Stopping => {
                panic!("{event:?}")
            }
        }
    }

    fn close(&mut self, _: &mut Context<'_>, (): (), _: CloseReason) {}
}

#[test]
fn a_timer_comes_after_all_that_was_sent_in_time_however_many_turns_that_takes() {
    let service = Hasty {
        received: 0,
        expired_after: Vec::new(),
    };
    let mut rig = Rig::new(service, 100, &[()]);
    let client = rig.connect(0, (1 << 20, 1_000));
    rig.send(client, &[b'.'; 300_000]);
    rig.settle();
    assert_eq!(rig.reactor.service().expired_after, [300_000]);
}
