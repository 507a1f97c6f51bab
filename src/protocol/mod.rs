//! The contract between the reactor and a protocol, and the protocols themselves. Nothing here
//! touches a socket, a clock, a log or the environment: events come in, effects go out.
//!
//! A [`Service`] is the state that all peers of a protocol share; a [`Service::Session`] is the
//! state machine of one peer. The reactor calls [`Service::step`] with an [`Event`]; the machine
//! answers through its [`Context`], which collects [`Effect`]s. Protocols never block and never
//! fail: what a peer does wrong is answered ([`Context::refuse`]).

use std::fmt;
use std::mem;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

pub mod chat;
pub mod display;
pub mod echo;
pub mod framing;
pub mod hello;
pub mod screen;
pub mod turns;

/// A time on the kernel's clock, in nanoseconds since an origin that only the kernel knows.
///
/// It never goes back. The reactor reads it once a turn, so that every step of a turn agrees on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// The origin of the clock.
    pub const ZERO: Time = Time(0);
    /// Later than any time that comes: 584 years after the origin.
    pub const NEVER: Time = Time(u64::MAX);

    /// The time that lies `nanoseconds` after the origin.
    pub const fn from_nanos(nanoseconds: u64) -> Time {
        Time(nanoseconds)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This time and `delay` more; saturates at [`Time::NEVER`].
    pub fn after(self, delay: Duration) -> Time {
        let delay = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        Time(self.0.saturating_add(delay))
    }

    /// How long it has been since `earlier`; zero if that is still to come.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Names one peer for as long as the reactor lives.
///
/// The slot is used again by later peers, the generation is not (it wraps after 2^32 peers): an id
/// that outlives its peer finds nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId {
    /// The place in the reactor's slab.
    pub slot: u32,
    /// Which of all the peers that the reactor has had; never 0.
    pub generation: u32,
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// Who a peer is, for its whole life.
///
/// It only exists while [`Service::open`] runs; a session keeps of it what it needs.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// Its name within the reactor: what [`Context::notify`] takes.
    pub id: PeerId,
    /// The address at the far end of its connection: who was accepted, or whom we have connected to.
    /// `None` if it is no connection (a terminal, a pipe). An IPv4 address is never written as an IPv6 one.
    pub address: Option<SocketAddr>,
    /// Who it is, for people: a log, a screen. Nothing is decided by it.
    pub name: fmt::Arguments<'a>,
}

/// What a session is told.
///
/// A match over all of them is meant: a new event is a new major version, and the compiler shows where it
/// has to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Bytes arrived, at least one, in the order in which the peer sent them. Where one event ends
    /// and the next begins means nothing.
    Received(&'a [u8]),
    /// The peer will send no more (its `read` gave 0). Comes once at most; nothing is received after.
    Eof,
    /// The connection that the program asked for is established. Comes once, before anything else that the peer
    /// does, but not before what others do: a timer set in `open`, `Notified`, `Stopping`. If it cannot be
    /// established, it closes as [`CloseReason::Broken`], or earlier as `Idle`, `Evicted`, `Aborted` or `Stopped`.
    Connected,
    /// The time asked for by [`Context::set_timer`] has come; this is that time. Everything that the
    /// session takes and that the peer had sent by then has been received, also after a stall of ours:
    /// until that time, silence was silence. The timer has to be set again.
    TimerExpired(Time),
    /// Another session ([`Context::notify`]) or the program asked for it. Who and why, the service knows.
    Notified,
    /// There is room. A session may count on it only where [`Context::send_capacity`] was below half of the
    /// outbox (`OUTBOX_BYTES_LOW`) after a step; then also if the kernel took all that was sent at once.
    Writable,
    /// The program is about to end: the last chance to send. After it the reactor lets the peer
    /// leave, as if the session had asked for [`Effect::Close`].
    Stopping,
}

/// What a session asks for, in that order; but what it sends goes out last. A new one is a new major version, as of [`Event`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send these bytes of [`Effects::bytes`] to the peer.
    Send(Range<usize>),
    /// Send these bytes of what was just received back to the peer. Only in answer to
    /// [`Event::Received`]; nothing is copied as long as the kernel takes them.
    SendBack(Range<usize>),
    /// Send no more: once the outbox is empty, `shutdown(Write)`. The peer is still heard.
    ShutdownWrite,
    /// Send no more and hear no more: like [`Effect::ShutdownWrite`], while whatever the peer still sends
    /// is read and thrown away for a bounded time, so that no reset destroys what was sent
    /// (the `linger` of its policy; a peer that acknowledges nothing is given up by the kernel, or earlier by
    /// its `write_timeout`).
    Close,
    /// Leave because the peer broke a rule; the words go to the log.
    Refuse(&'static str),
    /// Close now with a reset, which the peer notices also where it does not read; what was not sent
    /// yet is lost.
    Abort,
    /// Throw away what the peer has typed and we have not received, a line that it has not ended
    /// among it. Only a terminal knows of such; of any other peer nothing is thrown away.
    DiscardTyped,
    /// Send [`Event::TimerExpired`] at this time, instead of any time asked for before; at once, but not
    /// in this step, if it is over. `None`: never.
    SetTimer(Option<Time>),
    /// Send [`Event::Notified`] to a peer (itself, too), as often as asked; no matter if it is gone.
    Notify(PeerId),
    /// Close all listeners; the peers stay.
    StopAccepting,
    /// End the run: close the listeners, send [`Event::Stopping`] to every peer, flush, close.
    Stop,
}

/// The effects of one step, with the bytes that they send. Used again for every step, so that a
/// step allocates nothing once the buffers have grown.
#[derive(Debug, Default)]
pub struct Effects {
    list: Vec<Effect>,
    bytes: Vec<u8>,
    /// Where all but the first piece of a step is composed.
    composed: Vec<u8>,
    columns: Option<usize>,
}

impl Effects {
    /// The context for one step of the peer `me`. `capacity` is what its outbox can still take.
    pub fn context(&mut self, now: Time, me: PeerId, capacity: usize) -> Context<'_> {
        Context {
            now,
            me,
            capacity,
            effects: self,
        }
    }

    /// The effects in the order in which they were asked for.
    pub fn list(&self) -> &[Effect] {
        &self.list
    }

    /// The bytes that [`Effect::Send`] speaks of.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
    }
}

/// What a session may see and ask for during one step.
#[derive(Debug)]
pub struct Context<'a> {
    now: Time,
    me: PeerId,
    capacity: usize,
    effects: &'a mut Effects,
}

impl Context<'_> {
    /// The time of this turn. It says nothing about what the peer has sent by now:
    /// [`Event::TimerExpired`] does.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The peer whose step this is.
    pub fn me(&self) -> PeerId {
        self.me
    }

    /// How many more bytes the peer's outbox takes before it counts as full. Sending more is
    /// allowed and not lost; a session that relays without an end of its own should not. Behind
    /// [`Effect::ShutdownWrite`], `Close` or `Refuse` all is dropped that is sent, whatever this says.
    pub fn send_capacity(&self) -> usize {
        self.capacity
    }

    /// How wide the window is in which our user sees what this peer is sent; `None` if there is none.
    pub fn columns(&self) -> Option<usize> {
        self.effects.columns
    }

    /// Says how wide that window is, in this step and until somebody says otherwise. For the service
    /// that has asked; a protocol cannot.
    pub fn set_columns(&mut self, columns: Option<usize>) {
        self.effects.columns = columns;
    }

    /// Asks for [`Effect::Send`]. Bytes sent in one step go out in one `write` where the kernel takes
    /// them.
    pub fn send(&mut self, bytes: &[u8]) {
        let start = self.effects.bytes.len();
        self.effects.bytes.extend_from_slice(bytes);
        self.sent_since(start);
    }

    /// Sends what `compose` writes into the buffer, which is empty at first.
    pub fn send_with(&mut self, compose: impl FnOnce(&mut Vec<u8>)) {
        if self.effects.bytes.is_empty() {
            compose(&mut self.effects.bytes);
            self.sent_since(0);
        } else {
            let mut composed = mem::take(&mut self.effects.composed);
            compose(&mut composed);
            self.send(&composed);
            composed.clear();
            self.effects.composed = composed;
        }
    }

    /// Asks for [`Effect::SendBack`].
    ///
    /// # Panics
    /// When the step is over, if so much was not received in it: in answer to any other event than
    /// [`Event::Received`], if the range is not empty.
    #[allow(
        clippy::inline_always,
        reason = "measured: 20 instructions an echo less"
    )]
    #[inline(always)]
    pub fn send_back(&mut self, received: Range<usize>) {
        if !received.is_empty() {
            self.capacity = self.capacity.saturating_sub(received.len());
            self.effects.list.push(Effect::SendBack(received));
        }
    }

    fn sent_since(&mut self, start: usize) {
        let end = self.effects.bytes.len();
        if end > start {
            self.capacity = self.capacity.saturating_sub(end - start);
            self.effects.list.push(Effect::Send(start..end));
        }
    }

    /// Asks for [`Effect::ShutdownWrite`].
    pub fn shutdown_write(&mut self) {
        self.effects.list.push(Effect::ShutdownWrite);
    }

    /// Asks for [`Effect::Close`].
    pub fn close(&mut self) {
        self.effects.list.push(Effect::Close);
    }

    /// Asks for [`Effect::Refuse`].
    pub fn refuse(&mut self, why: &'static str) {
        self.effects.list.push(Effect::Refuse(why));
    }

    /// Asks for [`Effect::Abort`].
    pub fn abort(&mut self) {
        self.effects.list.push(Effect::Abort);
    }

    /// Asks for [`Effect::DiscardTyped`].
    pub fn discard_typed(&mut self) {
        self.effects.list.push(Effect::DiscardTyped);
    }

    /// Asks for [`Effect::SetTimer`].
    pub fn set_timer(&mut self, time: Option<Time>) {
        self.effects.list.push(Effect::SetTimer(time));
    }

    /// Asks for [`Effect::Notify`].
    pub fn notify(&mut self, peer: PeerId) {
        self.effects.list.push(Effect::Notify(peer));
    }

    /// Asks for [`Effect::StopAccepting`].
    pub fn stop_accepting(&mut self) {
        self.effects.list.push(Effect::StopAccepting);
    }

    /// Asks for [`Effect::Stop`].
    pub fn stop(&mut self) {
        self.effects.list.push(Effect::Stop);
    }
}

/// Where a machine stands, for people who watch it: words of the protocol, no data of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateName {
    /// Which protocol: `echo`.
    pub protocol: &'static str,
    /// Which state of it: `talking`.
    pub state: &'static str,
}

impl StateName {
    /// This state of this protocol.
    pub const fn new(protocol: &'static str, state: &'static str) -> StateName {
        StateName { protocol, state }
    }
}

/// Why a peer is gone. Every peer has exactly one. A new one is a new major version, as of [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseReason {
    /// Both halves ended and everything was sent; or we left, and do not linger.
    Finished,
    /// The connection broke: reset by the peer, or the kernel gave it up. The number is the
    /// kernel's, of errno(3); 0 if it gave none.
    Broken(i32),
    /// Nothing received and nothing sent for the idle timeout.
    Idle,
    /// Bytes waited and the peer took none for the write timeout.
    WriteStalled,
    /// We left, and the peer did not close its half within the linger bound.
    Lingered,
    /// It had the most unsent bytes when all unsent bytes together were too many.
    Evicted,
    /// The session asked for [`Effect::Abort`].
    Aborted,
    /// The run ended before the peer did.
    Stopped,
}

/// A protocol: what all its peers share, and how one peer's machine moves.
///
/// A call never blocks and never panics on anything that a peer sends.
pub trait Service {
    /// One peer's machine.
    type Session;
    /// Where a peer came from: a listener, a connection of ours or an attached stream, named by whoever set it up.
    type Origin: Copy;

    /// A peer came in. Whoever is not welcome is refused here:
    /// [`Context::refuse`], or [`Context::close`] without a word to the log.
    fn open(
        &mut self,
        cx: &mut Context<'_>,
        origin: Self::Origin,
        peer: &Peer<'_>,
    ) -> Self::Session;

    /// Something happened to this peer. After [`Effect::Close`] nothing is received any more, but
    /// every other event may still come.
    fn step(&mut self, cx: &mut Context<'_>, session: &mut Self::Session, event: Event<'_>);

    /// The peer is gone: nothing can be sent to it, and nothing comes after.
    fn close(&mut self, cx: &mut Context<'_>, session: Self::Session, reason: CloseReason);

    /// How many bytes the session will take now, at most. With 0 the peer is not read: what it
    /// sends waits in the kernel. Asked again after every step of the session.
    ///
    /// By default there is no limit but the reactor's: it reads 64 KiB at once, and a peer no more in
    /// one turn.
    #[inline]
    fn read_limit(&self, _session: &Self::Session) -> usize {
        usize::MAX
    }

    /// Where the session stands, for an observer; never asked when nobody looks.
    fn state(&self, _session: &Self::Session) -> StateName {
        StateName::default()
    }
}
