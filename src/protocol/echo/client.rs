//! echo, client side, in two styles. [`Relay`] is for pipes: a stream goes to the server, what comes
//! back goes out and is compared byte by byte. [`Dialogue`] is for a terminal: a line, its answer,
//! the next line. Both are a console (our user) and a remote (the server), and neither knows what
//! a terminal is.

use std::collections::VecDeque;
use std::time::Duration;

use crate::protocol::{CloseReason, Context, Event, Peer, PeerId, Service, StateName, Time};

mod dialogue;

pub use dialogue::{ANSWER_BYTES_MAX, ANSWER_TIME_MAX, Dialogue, LINE_BYTES_MAX};

/// How many bytes may be on their way before no more input is read: a server that only answers
/// when it has everything needs this much; memory is bounded by it.
pub const IN_FLIGHT_BYTES_MAX: usize = 64 << 20;
/// How long, once everything has come back, the server's end is awaited, or a byte too many.
pub const END_TIME_MAX: Duration = Duration::from_millis(200);

/// Where a peer of an echo client came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Our user: input and output.
    Console,
    /// The server.
    Remote,
    /// Whatever comes here asks for the end at once: a signal.
    Interrupt,
}

/// What came back, compared with what was sent. All figures in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Read from the input, to be sent.
    pub sent: u64,
    /// Received back, right or wrong.
    pub received: u64,
    /// Differing from what was sent at the same place.
    pub changed: u64,
    /// Received beyond what was sent. The first read that brings some ends the run.
    pub surplus: u64,
    /// Of these, not come back.
    pub lost: u64,
    /// The server ended the connection before the input had ended: there may be more to send.
    pub cut_short: bool,
    /// The server was left since it did nothing for as long as it was to be waited for.
    pub is_silent: bool,
    /// Our user asked for the end.
    pub is_interrupted: bool,
}

impl Tally {
    /// Whether exactly what was sent came back.
    pub fn is_faithful(&self) -> bool {
        let is_complete = self.surplus == 0 && self.lost == 0 && !self.cut_short;
        self.changed == 0 && is_complete && !self.is_silent && !self.is_interrupted
    }
}

/// The state of our user.
const CONSOLE: StateName = StateName::new("terminal", "open");

/// The state of the signals.
const INTERRUPT: StateName = StateName::new("signals", "waiting");

/// The state of the server.
fn remote(state: &'static str) -> StateName {
    StateName::new("echo", state)
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Input {
    #[default]
    Open,
    /// The input has ended, and what it gave is not all handed over.
    Ended,
    /// Everything was handed over, and the connection was half-closed.
    Finished,
}

/// The client for pipes.
#[derive(Debug, Default)]
pub struct Relay {
    console: Option<PeerId>,
    remote: Option<PeerId>,
    input: Input,
    to_server: Vec<u8>,
    in_flight: VecDeque<u8>,
    to_user: Vec<u8>,
    tally: Tally,
    /// When the server, or our user, last took or gave something.
    latest: Time,
    patience: Option<Duration>,
    remote_ending: Option<CloseReason>,
    console_ending: Option<CloseReason>,
}

impl Relay {
    /// A client that has sent nothing. It leaves a server that does nothing for `patience` while the
    /// next move is the server's; without one it waits for ever.
    pub fn new(patience: Option<Duration>) -> Relay {
        Relay {
            patience,
            ..Relay::default()
        }
    }

    /// The comparison, final once the run has ended.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// How the connection ended.
    pub fn remote_ending(&self) -> Option<CloseReason> {
        self.remote_ending
    }

    /// How the user's side ended.
    pub fn console_ending(&self) -> Option<CloseReason> {
        self.console_ending
    }

    /// Compares what came with what was sent; the part of it that answers something.
    fn verify<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (answers, surplus) = bytes.split_at(bytes.len().min(self.in_flight.len()));
        let expected = self.in_flight.drain(..answers.len());
        let changed = expected.zip(answers).filter(|(one, other)| one != *other);
        self.tally.changed += changed.count() as u64;
        self.tally.received += bytes.len() as u64;
        self.tally.surplus += surplus.len() as u64;
        answers
    }

    fn is_all_back(&self) -> bool {
        self.input == Input::Finished && self.in_flight.is_empty()
    }

    /// Whether there is nothing left that we could do before the server does something.
    fn is_servers_move(&self) -> bool {
        self.input != Input::Open
            || !self.to_server.is_empty()
            || self.in_flight.len() >= IN_FLIGHT_BYTES_MAX
    }

    /// When the server is left if nothing happens; never while our user is the one who holds it up.
    fn due(&self) -> Option<Time> {
        if !self.to_user.is_empty() {
            None
        } else if self.is_all_back() {
            Some(self.latest.after(END_TIME_MAX))
        } else {
            let patience = self.patience.filter(|_| self.is_servers_move());
            patience.map(|patience| self.latest.after(patience))
        }
    }

    fn step_console(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        match event {
            Event::Received(bytes) => {
                self.tally.sent += bytes.len() as u64;
                self.to_server.extend_from_slice(bytes);
            }
            Event::Eof => self.input = Input::Ended,
            Event::Connected | Event::TimerExpired(_) => {}
            Event::Notified | Event::Writable | Event::Stopping => {
                if self.tally.is_interrupted {
                    return cx.abort();
                }
                if !send_front(cx, &mut self.to_user).is_empty() {
                    self.latest = cx.now();
                }
                if self.remote.is_none() && self.to_user.is_empty() {
                    cx.stop();
                }
            }
        }
        if let Some(remote) = self.remote {
            cx.notify(remote);
        }
    }

    fn step_remote(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        match event {
            Event::Received(bytes) => {
                self.latest = cx.now();
                let answers = self.verify(bytes);
                self.to_user.extend_from_slice(answers);
                self.wake_console(cx);
            }
            Event::Eof => {
                // Nothing more comes back, so it does not matter whether the server takes the rest.
                self.tally.cut_short = self.input == Input::Open;
                return cx.abort();
            }
            Event::TimerExpired(_) => {}
            Event::Connected | Event::Notified | Event::Writable | Event::Stopping => {
                self.hand_over(cx);
            }
        }
        let is_late =
            matches!((event, self.due()), (Event::TimerExpired(at), Some(due)) if due <= at);
        if self.tally.surplus > 0 || self.tally.is_interrupted || is_late {
            self.tally.is_silent = is_late && !self.is_all_back();
            cx.abort();
        } else {
            cx.set_timer(self.due());
        }
    }

    fn step_interrupt(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        if let Event::Received(_) = event {
            self.tally.is_interrupted = true;
            for peer in self.console.into_iter().chain(self.remote) {
                cx.notify(peer);
            }
        }
    }

    fn hand_over(&mut self, cx: &mut Context<'_>) {
        let handed = send_front(cx, &mut self.to_server);
        self.in_flight.extend(&handed);
        if !handed.is_empty() {
            self.latest = cx.now();
        }
        match self.input {
            Input::Ended if self.to_server.is_empty() => {
                cx.shutdown_write();
                self.input = Input::Finished;
                self.latest = cx.now();
            }
            Input::Open if !handed.is_empty() => self.wake_console(cx),
            Input::Open | Input::Ended | Input::Finished => {}
        }
    }

    fn wake_console(&self, cx: &mut Context<'_>) {
        if let Some(console) = self.console {
            cx.notify(console);
        }
    }
}

/// Sends as much of the front of `bytes` as there is room for; returns it.
fn send_front(cx: &mut Context<'_>, bytes: &mut Vec<u8>) -> Vec<u8> {
    let count = bytes.len().min(cx.send_capacity());
    let front: Vec<u8> = bytes.drain(..count).collect();
    cx.send(&front);
    front
}

impl Service for Relay {
    type Session = Origin;
    type Origin = Origin;

    fn open(&mut self, cx: &mut Context<'_>, origin: Origin, _peer: &Peer<'_>) -> Origin {
        match origin {
            Origin::Console => self.console = Some(cx.me()),
            Origin::Remote => self.remote = Some(cx.me()),
            Origin::Interrupt => {}
        }
        origin
    }

    fn step(&mut self, cx: &mut Context<'_>, session: &mut Origin, event: Event<'_>) {
        match session {
            Origin::Console => self.step_console(cx, event),
            Origin::Remote => self.step_remote(cx, event),
            Origin::Interrupt => self.step_interrupt(cx, event),
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, session: Origin, reason: CloseReason) {
        match session {
            Origin::Console => {
                self.console = None;
                self.console_ending = Some(reason);
                cx.stop();
            }
            Origin::Remote => {
                self.remote = None;
                self.remote_ending = Some(reason);
                self.tally.lost = (self.in_flight.len() + self.to_server.len()) as u64;
                self.tally.cut_short |= self.input == Input::Open && reason != CloseReason::Aborted;
                self.wake_console(cx);
            }
            Origin::Interrupt => {}
        }
    }

    fn read_limit(&self, session: &Origin) -> usize {
        match session {
            Origin::Console if self.to_server.is_empty() && self.remote.is_some() => {
                IN_FLIGHT_BYTES_MAX - self.in_flight.len().min(IN_FLIGHT_BYTES_MAX)
            }
            Origin::Remote if self.to_user.is_empty() => usize::MAX,
            Origin::Interrupt => usize::MAX,
            Origin::Console | Origin::Remote => 0,
        }
    }

    fn state(&self, session: &Origin) -> StateName {
        match (session, &self.input) {
            (Origin::Console, _) => CONSOLE,
            (Origin::Interrupt, _) => INTERRUPT,
            (Origin::Remote, Input::Open | Input::Ended) => remote("sending"),
            (Origin::Remote, Input::Finished) => remote("receiving"),
        }
    }
}
