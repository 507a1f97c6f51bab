//! How bytes move: one loop over one [`Kernel`], a slab of peers, and a [`Service`] that says what
//! the bytes mean. Nothing here knows a protocol, and nothing here but [`Kernel::wait`] blocks.
//!
//! Readiness is edge-triggered. Whatever stops early (a budget, a full outbox, a session that does
//! not listen, a machine without descriptors) is remembered here and resumed here.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::mem;

use slab::Slab;

use crate::protocol::{CloseReason, Effects, Event, PeerId, Service, Time};
use crate::trace::{Observer, Off, TraceEvent};

mod accept;
mod close;
mod connection;
mod counters;
mod delivery;
mod effects;
mod flush;
mod handle;
mod kernel;
mod limits;
mod origins;
#[cfg(feature = "os")]
mod os;
mod outbox;
mod outcome;
mod peer;
mod stop;
mod timers;
mod token;
mod traced;
mod view;
mod wait;

pub use accept::{ACCEPT_PAUSE, ACCEPTS_PER_TURN_MAX};
pub use counters::Counters;
pub use handle::Handle;
pub use kernel::{Batch, Delivery, EVENTS_PER_TURN_MAX, Interest, Kernel, Readiness, Waker};
pub use limits::{ConnectOptions, Holdings, Limits, Policy};
#[cfg(feature = "os")]
pub use os::{
    Direction, IoMode, ListenOptions, OnError, OsKernel, OsStream, OsWaker, Terminal, bind, dial,
    reason,
};
pub use outbox::{OUTBOX_BYTES_LOW, OUTBOX_BYTES_MAX};
pub use peer::READ_BYTES_PER_TURN_MAX;
pub use token::{Target, Token};
pub use view::PeerView;

use accept::{Accepting, Listening, PerAddress};
use connection::{Connection, Due, Outbound, Unread};
use delivery::Debts;
use limits::{Policies, PolicyId};
use outbox::BufferPool;
use stop::LastWords;
use timers::Timers;
use traced::TracedKernel;

/// The most that is read at once, and the size of the one buffer that all peers share.
pub const SCRATCH_BYTES: usize = 64 * 1024;

/// How far the run is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Going,
    /// A session asked to stop; this turn's wake phase begins it.
    StopAsked,
    /// Peers get what they are owed, until this time.
    Stopping(Time),
}

/// The event loop. One thread; memory grows with the number of peers and with what they are owed,
/// and both are bounded by [`Limits`].
pub struct Reactor<K: Kernel, S: Service, O: Observer = Off> {
    kernel: TracedKernel<K, O>,
    service: S,
    limits: Limits,
    policies: Policies,
    listeners: Vec<Listening<K::Listener, S::Origin>>,
    /// Where accepting begins: behind the listener that brought somebody last.
    first_listener: usize,
    peers: Slab<Connection<K::Stream, S::Session>>,
    clients: usize,
    per_address: PerAddress,
    generation: u32,
    timers: Timers,
    now: Time,
    /// Whatever was ready before this time, the kernel has told. Timers go by it and not by `now`:
    /// after a stall, wherever it was, peers are heard before they are called late.
    drained_until: Time,
    /// When the first truncated wait began, and how many events are missing until all were reported.
    partial: Option<(Time, usize)>,
    run: Run,
    /// What the kernel said this turn.
    ready: Vec<Readiness>,
    /// Our own ready queue: peers whose reading stopped early.
    unread: VecDeque<PeerId>,
    /// What peers are to be told in the wake phase: that they are connected, notified, or writable.
    notifications: VecDeque<(PeerId, Event<'static>)>,
    /// Peers that the send phase looks at.
    dirty: Vec<PeerId>,
    /// What all outboxes hold.
    buffered_bytes: usize,
    pool: BufferPool,
    /// `None` while it is lent.
    scratch: Option<Box<[u8; SCRATCH_BYTES]>>,
    effects: Effects,
    counters: Counters,
    /// What peers have not acknowledged.
    debts: Debts,
    /// Whose last words are still read though the run is to stop.
    last_words: BTreeMap<PeerId, LastWords>,
    /// Who is to be told [`Event::Stopping`], unless its session is to be woken first.
    drained: Vec<PeerId>,
    /// Until when sessions are woken first.
    wakes_until: Time,
    /// Made when somebody asks for one.
    handle: Option<Handle<K::Waker>>,
}

impl<K: Kernel, S: Service> Reactor<K, S> {
    /// A reactor without listeners and peers.
    pub fn new(kernel: K, service: S, limits: Limits) -> Reactor<K, S> {
        Reactor::observed(kernel, service, limits, Off)
    }
}

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// A reactor without listeners and peers whose every [`TraceEvent`] is seen by `observer`.
    pub fn observed(mut kernel: K, service: S, limits: Limits, observer: O) -> Reactor<K, S, O> {
        let now = kernel.now();
        Reactor {
            kernel: TracedKernel::new(kernel, observer),
            service,
            limits,
            policies: Policies::default(),
            listeners: Vec::new(),
            first_listener: 0,
            peers: Slab::new(),
            clients: 0,
            per_address: PerAddress::with_limit(limits.clients_per_address_max),
            generation: 0,
            timers: Timers::default(),
            now,
            drained_until: now,
            partial: None,
            run: Run::Going,
            ready: Vec::with_capacity(EVENTS_PER_TURN_MAX),
            unread: VecDeque::new(),
            notifications: VecDeque::new(),
            dirty: Vec::new(),
            buffered_bytes: 0,
            pool: BufferPool::beside(limits.unsent_bytes_max),
            scratch: Some(Box::new([0; SCRATCH_BYTES])),
            effects: Effects::default(),
            counters: Counters::default(),
            debts: Debts::new(),
            last_words: BTreeMap::new(),
            drained: Vec::new(),
            wakes_until: Time::ZERO,
            handle: None,
        }
    }

    /// The service, with what its sessions left in it.
    pub fn service(&self) -> &S {
        &self.service
    }

    /// The same, for whoever runs the reactor turn by turn and has something to tell between turns.
    pub fn service_mut(&mut self) -> &mut S {
        &mut self.service
    }

    /// The service after the run. The observer ends with the reactor.
    pub fn into_service(self) -> S {
        self.service
    }

    /// What has been counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What is still held.
    pub fn holdings(&self) -> Holdings {
        Holdings {
            peers: self.peers.len(),
            timers: self.timers.len(),
            buffered_bytes: self.buffered_bytes,
        }
    }

    /// When the last wait ended: the time of this turn.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The kernel under it: a simulated one has something to say after a turn.
    pub fn kernel_mut(&mut self) -> &mut K {
        &mut self.kernel.kernel
    }

    /// Runs until a session asks to stop and everybody has got what they were owed, or until there
    /// is neither a listener nor a peer.
    /// Once asked to stop it stays so: [`listen`](Reactor::listen) fails, and whoever is attached or connected
    /// is told [`Event::Stopping`] at once; a further run sees them off.
    ///
    /// # Errors
    /// Only if the kernel cannot wait any more. No peer can cause it.
    ///
    /// # Panics
    /// By a mistake of the reactor's, or of the service's that [`Context`](crate::protocol::Context) names.
    pub fn run(&mut self) -> io::Result<()> {
        while self.keeps_going() {
            self.turn()?;
        }
        assert_eq!(
            self.holdings(),
            Holdings::default(),
            "a run gives everything back"
        );
        assert!(
            self.debts.is_empty(),
            "nobody is left who is owed something"
        );
        Ok(())
    }

    /// One turn of [`run`](Reactor::run), for those who look at every turn. Each has the same four
    /// phases.
    ///
    /// # Errors
    /// Those of [`run`](Reactor::run).
    pub fn turn(&mut self) -> io::Result<()> {
        self.wait()?;
        self.receive();
        self.wake();
        self.send();
        self.kernel.note(&TraceEvent::Ended);
        Ok(())
    }

    /// Whether [`run`](Reactor::run) has another turn to do.
    pub fn keeps_going(&self) -> bool {
        !self.peers.is_empty() || !self.listeners.is_empty()
    }

    /// Phase 2: what is ready becomes events, events become effects. First those that the kernel has
    /// told of, then those whose reading stopped early in an earlier turn: whoever is both is read once.
    fn receive(&mut self) {
        let carried_over = self.unread.len();
        let ready = mem::take(&mut self.ready);
        for readiness in &ready {
            self.kernel.ready(readiness);
            match readiness.token.target() {
                Target::Peer(id) => {
                    if self.on_ready(id, readiness) {
                        self.read(id);
                        self.enforce_memory_limit();
                    }
                }
                Target::Listener(index) => {
                    let mut listeners = self.listeners.iter_mut();
                    let is_it =
                        |listening: &&mut Listening<_, _>| listening.index as usize == index;
                    if let Some(listening) = listeners.find(is_it) {
                        listening.accepting = Accepting::Ready;
                    }
                }
                // What was asked for is done in the wake phase.
                Target::Waker => {}
            }
        }
        self.read_carried_over(carried_over);
        self.ready = ready;
        let (first, count) = (self.first_listener, self.listeners.len());
        for offset in 0..count {
            self.accept((first + offset) % count);
        }
    }

    #[inline(never)]
    fn read_carried_over(&mut self, count: usize) {
        for _ in 0..count {
            if let Some(id) = self.unread.pop_front() {
                self.read(id);
            }
            self.enforce_memory_limit();
        }
    }

    /// Phase 3: what is due becomes events, events become effects.
    fn wake(&mut self) {
        self.take_requests();
        match self.run {
            Run::StopAsked => self.begin_stop(),
            Run::Stopping(deadline) => self.go_on_stopping(deadline),
            Run::Going => {}
        }
        self.dispatch_notifications();
        // At most as many as there are now: what is armed meanwhile waits for the next turn.
        for _ in 0..self.timers.len() {
            let Some(id) = self.timers.pop_due(self.drained_until) else {
                break;
            };
            self.fire(id);
            self.enforce_memory_limit();
        }
    }

    /// Tells those that were woken before; whom that wakes again is told in the next turn.
    fn dispatch_notifications(&mut self) {
        for _ in 0..self.notifications.len() {
            if let Some((id, event)) = self.notifications.pop_front() {
                self.dispatch(id, event);
                self.mark_dirty(id);
                self.enforce_memory_limit();
            }
        }
    }

    /// Phase 4: outboxes go out, interests follow, whoever is done is closed.
    fn send(&mut self) {
        if self.dirty.is_empty() {
            return;
        }
        let count = self.dirty.len();
        for nth in 0..count {
            self.flush(self.dirty[nth]);
            // A session that is told an end may answer it.
            self.enforce_memory_limit();
        }
        // What was marked meanwhile waits for the next turn.
        self.dirty.drain(..count);
    }

    /// If all unsent bytes together take too much memory, offers the kernel what it has not refused, then
    /// gives back what the rest does not need, then closes those that are owed the most. To be called
    /// after whatever adds some.
    #[inline]
    fn enforce_memory_limit(&mut self) {
        if self.buffered_bytes > self.limits.unsent_bytes_max {
            self.evict();
        }
    }

    #[cold]
    fn evict(&mut self) {
        // Whose outbox the kernel may have room for is among these.
        for nth in 0..self.dirty.len() {
            self.write_outbox(self.dirty[nth]);
        }
        if self.buffered_bytes > self.limits.unsent_bytes_max {
            self.fit_outboxes();
        }
        while self.buffered_bytes > self.limits.unsent_bytes_max {
            let worst = self
                .peers
                .iter()
                .filter(|(_, peer)| peer.unsent() > 0 && self.kernel.kernel.is_socket(&peer.stream))
                .max_by_key(|(_, connection)| connection.unsent());
            let Some((slot, connection)) = worst else {
                return;
            };
            self.close(peer_id(slot, connection.generation()), CloseReason::Evicted);
        }
    }

    fn fit_outboxes(&mut self) {
        for (_, connection) in &mut self.peers {
            self.buffered_bytes -= connection.buffered_bytes();
            connection.fit();
            self.buffered_bytes += connection.buffered_bytes();
        }
    }
}

fn peer_id(slot: usize, generation: u32) -> PeerId {
    let slot = u32::try_from(slot).expect("peers are bounded by descriptors");
    PeerId { slot, generation }
}

/// The peer of this id, unless it is gone. A failed look-up is normal.
fn find<Stream, Session>(
    peers: &mut Slab<Connection<Stream, Session>>,
    id: PeerId,
) -> Option<&mut Connection<Stream, Session>> {
    peers
        .get_mut(id.slot as usize)
        .filter(|connection| connection.generation() == id.generation)
}
