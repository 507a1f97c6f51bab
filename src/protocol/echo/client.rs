//! echo, client side, in two styles. [`Relay`] is for pipes: a stream goes to the server, what comes
//! back goes out and is compared byte by byte. [`Dialogue`] is for a terminal: a line, its answer,
//! the next line. Both are a console (our user) and a remote (the server), and neither knows what
//! a terminal is.

use std::collections::VecDeque;
use std::fmt;

use crate::protocol::{CloseReason, Context, Event, PeerId, Service, Standing};

mod dialogue;

pub use dialogue::{ANSWER_BYTES_MAX, ANSWER_TIME_MAX, Dialogue, LINE_BYTES_MAX};

/// How many bytes may be on their way before no more input is read: a server that only answers
/// when it has everything needs this much; memory is bounded by it.
pub const IN_FLIGHT_BYTES_MAX: usize = 64 << 20;

/// By which door a peer of an echo client comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Our user: input and output.
    Console,
    /// The server.
    Remote,
}

/// What came back, compared with what was sent. All figures in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Handed to the connection.
    pub sent: u64,
    /// Received back, right or wrong.
    pub received: u64,
    /// Differing from what was sent at the same place.
    pub changed: u64,
    /// Received beyond what was sent.
    pub surplus: u64,
    /// Sent, or read from the input, and not come back.
    pub lost: u64,
    /// The server ended the connection before the input had ended: there may be more to send.
    pub cut_short: bool,
}

impl Tally {
    /// Whether exactly what was sent came back.
    pub fn is_faithful(&self) -> bool {
        self.changed == 0 && self.surplus == 0 && self.lost == 0 && !self.cut_short
    }
}

/// The standing of our user.
const CONSOLE: Standing = Standing {
    protocol: "terminal",
    state: "open",
};

/// The standing of a server that echoes.
fn remote(state: &'static str) -> Standing {
    Standing {
        protocol: "echo",
        state,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Input {
    Open,
    /// The input has ended, and what it gave is not all handed over.
    Ended,
    /// Everything was handed over, and the server told so by a half-close.
    Finished,
}

/// The client for pipes.
#[derive(Debug)]
pub struct Relay {
    console: Option<PeerId>,
    remote: Option<PeerId>,
    input: Input,
    to_server: Vec<u8>,
    in_flight: VecDeque<u8>,
    to_user: Vec<u8>,
    tally: Tally,
    console_ending: Option<CloseReason>,
}

impl Relay {
    /// A client that has sent nothing.
    pub fn new() -> Relay {
        Relay {
            console: None,
            remote: None,
            input: Input::Open,
            to_server: Vec::new(),
            in_flight: VecDeque::new(),
            to_user: Vec::new(),
            tally: Tally::default(),
            console_ending: None,
        }
    }

    /// The comparison, final once the run has ended.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// How the user's side ended.
    pub fn console_ending(&self) -> Option<CloseReason> {
        self.console_ending
    }

    fn verify(&mut self, bytes: &[u8]) {
        self.tally.received += bytes.len() as u64;
        for &byte in bytes {
            match self.in_flight.pop_front() {
                Some(expected) => self.tally.changed += u64::from(expected != byte),
                None => self.tally.surplus += 1,
            }
        }
    }

    fn step_console(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        match event {
            Event::Received(bytes) => self.to_server.extend_from_slice(bytes),
            Event::Finished => self.input = Input::Ended,
            Event::Woken | Event::Stopping => {
                send_front(cx, &mut self.to_user);
                if self.remote.is_none() && self.to_user.is_empty() {
                    cx.stop();
                }
            }
        }
        if let Some(remote) = self.remote {
            cx.wake(remote);
        }
    }

    fn step_remote(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        match event {
            Event::Received(bytes) => {
                self.verify(bytes);
                self.to_user.extend_from_slice(bytes);
                self.wake_console(cx);
            }
            Event::Finished => cx.leave(),
            Event::Woken | Event::Stopping => self.hand_over(cx),
        }
    }

    fn hand_over(&mut self, cx: &mut Context<'_>) {
        let handed = send_front(cx, &mut self.to_server);
        self.in_flight.extend(&handed);
        self.tally.sent += handed.len() as u64;
        match self.input {
            Input::Ended if self.to_server.is_empty() => {
                cx.finish();
                self.input = Input::Finished;
            }
            Input::Open if !handed.is_empty() => self.wake_console(cx),
            Input::Open | Input::Ended | Input::Finished => {}
        }
    }

    fn wake_console(&self, cx: &mut Context<'_>) {
        if let Some(console) = self.console {
            cx.wake(console);
        }
    }
}

impl Default for Relay {
    fn default() -> Relay {
        Relay::new()
    }
}

/// Sends as much of the front of `bytes` as there is room for; returns it.
fn send_front(cx: &mut Context<'_>, bytes: &mut Vec<u8>) -> Vec<u8> {
    let count = bytes.len().min(cx.room());
    let front: Vec<u8> = bytes.drain(..count).collect();
    cx.send(&front);
    front
}

impl Service for Relay {
    type Session = Door;
    type Door = Door;

    fn open(&mut self, cx: &mut Context<'_>, door: Door, _name: fmt::Arguments<'_>) -> Door {
        match door {
            Door::Console => self.console = Some(cx.me()),
            Door::Remote => self.remote = Some(cx.me()),
        }
        door
    }

    fn step(&mut self, cx: &mut Context<'_>, session: &mut Door, event: Event<'_>) {
        match session {
            Door::Console => self.step_console(cx, event),
            Door::Remote => self.step_remote(cx, event),
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, session: Door, reason: CloseReason) {
        match session {
            Door::Console => {
                self.console = None;
                self.console_ending = Some(reason);
                cx.stop();
            }
            Door::Remote => {
                self.remote = None;
                self.tally.lost = (self.in_flight.len() + self.to_server.len()) as u64;
                self.tally.cut_short = self.input == Input::Open;
                self.wake_console(cx);
            }
        }
    }

    fn window(&self, session: &Door) -> usize {
        match session {
            Door::Console if self.to_server.is_empty() && self.remote.is_some() => {
                IN_FLIGHT_BYTES_MAX - self.in_flight.len().min(IN_FLIGHT_BYTES_MAX)
            }
            Door::Remote if self.to_user.is_empty() => usize::MAX,
            Door::Console | Door::Remote => 0,
        }
    }

    fn standing(&self, session: &Door) -> Standing {
        match (session, &self.input) {
            (Door::Console, _) => CONSOLE,
            (Door::Remote, Input::Open | Input::Ended) => remote("sending"),
            (Door::Remote, Input::Finished) => remote("receiving"),
        }
    }
}
