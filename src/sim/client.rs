//! One simulated client: it comes, sends in pieces, reads at its own pace, and ends in its own way.
//! What it says depends on its [`Role`]; whether the server treats it right is not judged here.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::behaviour::{Behaviour, Ending};
use super::kernel::Clock;
use super::ledger::Ledger;
use super::net::{Net, SocketId};
use super::plan::Plan;
use super::queue::Route;
use super::random::Random;
use super::remote::Received;
use super::talker::Talker;
use crate::protocol::Time;

/// What a client that trickles says byte by byte.
const TRICKLE_BYTES: u64 = 100;
/// What a client has ready to be sent, at most.
const READY_BYTES: u64 = 4_096;
/// The same of one that sends in large pieces.
const READY_BYTES_LARGE: u64 = 65_536;

/// The listeners of a simulated server, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    Hello,
    Echo,
    Chat,
}

#[derive(Debug)]
pub(super) enum Role {
    /// Bytes that the greeting does not ask for.
    Hello {
        noise: u64,
    },
    /// Bytes of its pattern, after which it says the quit word if it `quits`.
    Echo {
        total: u64,
        quits: bool,
    },
    Chat(Box<Talker>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Coming,
    Talking,
    /// It has shut its half.
    Finished,
    /// It saw EOF and left its half open.
    Lingering,
    /// Its machine is gone.
    Vanished,
    Gone,
}

/// What an act of a client came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It acts again at this time, or when something happens to it.
    Again(Option<Time>),
    /// It saw EOF, or a reset.
    Ended(Received),
    /// It left by itself.
    Left,
    /// Nobody listens any more.
    Refused,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Again(Some(at)) => write!(f, "continues at {}", Clock(*at)),
            Outcome::Again(None) => f.write_str("waits"),
            Outcome::Ended(Received::Reset) => f.write_str("gets a reset"),
            Outcome::Ended(_) => f.write_str("gets the end"),
            Outcome::Left => f.write_str("leaves"),
            Outcome::Refused => f.write_str("is refused"),
        }
    }
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) serial: usize,
    pub(super) role: Role,
    pub(super) behaviour: Behaviour,
    pub(super) route: Route,
    pub(super) rng: Random,
    pub(super) address: SocketAddr,
    pub(super) id: Option<SocketId>,
    pub(super) stage: Stage,
    /// When it acts next, if that is known.
    pub(super) due: Option<Time>,
    pub(super) came: Time,
    /// It closed or reset, whatever was on its way.
    pub(super) has_left: bool,
    pub(super) sent: u64,
    pub(super) received: u64,
    /// What it is about to send.
    pub(super) outgoing: Vec<u8>,
    pub(super) ledger: Ledger,
}

/// A byte that shows whose it is and where it belongs.
fn pattern(serial: usize, at: u64) -> u8 {
    let mixed = (at + ((serial as u64) << 20)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56).to_le_bytes()[0]
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Client {
            serial,
            stage,
            sent,
            received,
            ..
        } = self;
        let port = self.port();
        write!(
            f,
            "client {serial} ({port:?}, {stage:?}, sent {sent}, received {received})"
        )
    }
}

impl Client {
    pub(super) fn port(&self) -> Port {
        match self.role {
            Role::Hello { .. } => Port::Hello,
            Role::Echo { .. } => Port::Echo,
            Role::Chat(_) => Port::Chat,
        }
    }

    /// The byte that an echo client has at this place of its stream.
    pub(super) fn echo_byte(&self, plan: &Plan, at: u64) -> u8 {
        let Role::Echo { total, .. } = self.role else {
            return 0;
        };
        match at.checked_sub(total) {
            None => pattern(self.serial, at),
            Some(beyond) => last_words(plan)[usize::try_from(beyond).unwrap_or(0)],
        }
    }

    /// How many bytes an echo client sends in all.
    pub(super) fn echo_total(&self, plan: &Plan) -> u64 {
        match self.role {
            Role::Echo { total, quits: true } => total + last_words(plan).len() as u64,
            Role::Echo { total, .. } => total,
            Role::Hello { .. } | Role::Chat(_) => 0,
        }
    }

    pub(super) fn talker(&self) -> Option<&Talker> {
        match &self.role {
            Role::Chat(talker) => Some(talker),
            Role::Hello { .. } | Role::Echo { .. } => None,
        }
    }

    pub(super) fn talker_mut(&mut self) -> Option<&mut Talker> {
        match &mut self.role {
            Role::Chat(talker) => Some(talker),
            Role::Hello { .. } | Role::Echo { .. } => None,
        }
    }

    /// Does the next thing.
    pub(super) fn act(&mut self, net: &mut Net, plan: &Plan) -> Outcome {
        let Some(id) = self.id else {
            return self.come(net, plan);
        };
        if self.stage == Stage::Vanished {
            return stays_until_closed(net, id);
        }
        let read = match self.read(net, id) {
            Ok(read) => read,
            Err(outcome) => return outcome,
        };
        if self.stage == Stage::Lingering {
            return stays_until_closed(net, id);
        }
        let wrote = self.stage == Stage::Talking && self.write(net, id, plan);
        if self.stage == Stage::Talking && self.ends(net, id, plan) {
            return Outcome::Left;
        }
        let goes_on = read || wrote;
        let next = goes_on.then(|| net.now.after(self.pause()));
        Outcome::Again(next.or_else(|| self.reads_later(net)))
    }

    fn come(&mut self, net: &mut Net, plan: &Plan) -> Outcome {
        let port = self.port() as usize;
        match net.connect(port, self.serial, self.address, self.route) {
            Ok(Some(id)) => {
                self.id = Some(id);
                self.stage = Stage::Talking;
                self.came = net.now;
                Outcome::Again(Some(net.now.after(self.pause())))
            }
            // A SYN that nobody answers is sent again after a second (tcp(7)).
            Ok(None) => Outcome::Again(Some(net.now.after(Duration::from_secs(1)))),
            Err(_) if plan.stops_early => Outcome::Refused,
            Err(_) => Outcome::Ended(Received::Reset),
        }
    }

    pub(super) fn pause(&mut self) -> Duration {
        self.rng.duration(self.behaviour.pause_max)
    }

    fn reads_later(&self, net: &Net) -> Option<Time> {
        let from = self.came.after(self.behaviour.reads_after);
        (from > net.now && from < Time::NEVER).then_some(from)
    }

    /// Reads some; whether there was something.
    fn read(&mut self, net: &mut Net, id: SocketId) -> Result<bool, Outcome> {
        if self.reads_later(net).is_some() || self.behaviour.reads_after == Duration::MAX {
            // It notices only that it is alone.
            return match net.socket(id).is_gone() {
                true => Err(Outcome::Left),
                false => Ok(false),
            };
        }
        let most = 1 + self.rng.below(self.behaviour.read_max);
        match net.receive(id, most) {
            Received::Bytes(count) => {
                self.received += count as u64;
                Ok(true)
            }
            Received::Nothing => Ok(false),
            Received::End if self.stage == Stage::Lingering => Ok(false),
            end @ (Received::End | Received::Reset) => Err(Outcome::Ended(end)),
        }
    }

    /// Sends a piece; whether there is reason to go on by itself.
    fn write(&mut self, net: &mut Net, id: SocketId, plan: &Plan) -> bool {
        if self.outgoing.is_empty() {
            self.refill(plan);
        }
        let is_trickling = self.behaviour.trickles
            && self.echo_total(plan).saturating_sub(self.sent) <= TRICKLE_BYTES;
        let piece_max = if is_trickling {
            1
        } else {
            self.behaviour.piece_max
        };
        let count = self.outgoing.len().min(1 + self.rng.below(piece_max));
        if count == 0 {
            return false;
        }
        // A reset is seen by the next read.
        let Ok(count) = net.send(id, &self.outgoing[..count]) else {
            return true;
        };
        self.sent += count as u64;
        self.outgoing.drain(..count);
        if let Some(talker) = self.talker_mut().filter(|_| count > 0) {
            talker.is_saying = true;
        }
        if self.outgoing.is_empty()
            && let Some(talker) = self.talker_mut()
        {
            talker.said_it();
        }
        count > 0
    }

    fn refill(&mut self, plan: &Plan) {
        let start = self.sent;
        let ready = match self.behaviour.piece_max as u64 > READY_BYTES {
            true => READY_BYTES_LARGE,
            false => READY_BYTES,
        };
        let count = match &mut self.role {
            Role::Hello { noise } => noise.saturating_sub(start).min(ready),
            Role::Echo { .. } => self.echo_total(plan).saturating_sub(start).min(ready),
            Role::Chat(talker) => {
                talker.next(plan, self.serial, &mut self.rng, &mut self.outgoing);
                return;
            }
        };
        let bytes: Vec<u8> = (start..start + count)
            .map(|at| self.echo_byte(plan, at))
            .collect();
        self.outgoing.extend(bytes);
    }

    fn has_said_everything(&self, plan: &Plan) -> bool {
        self.outgoing.is_empty()
            && match &self.role {
                Role::Hello { noise } => self.sent >= *noise,
                Role::Echo { .. } => self.sent == self.echo_total(plan),
                Role::Chat(talker) => talker.has_said_everything(),
            }
    }

    fn has_heard_everything(&self, plan: &Plan) -> bool {
        match &self.role {
            Role::Hello { .. } => self.received == plan.greeting.len() as u64,
            Role::Echo { .. } => self.received == self.echo_total(plan),
            Role::Chat(talker) => self.received == self.ledger.written && talker.has_its_answers(),
        }
    }

    /// Ends in its way if it is time to; whether it is gone.
    fn ends(&mut self, net: &mut Net, id: SocketId, plan: &Plan) -> bool {
        let has_said_all = self.has_said_everything(plan);
        // A message that ends with the stream is a message; none is to be cut so.
        let is_between = self.talker().is_none() || self.outgoing.is_empty();
        match self.behaviour.ending {
            Ending::ResetAt(sent) if self.sent >= sent || has_said_all => {
                self.leave_by(net, Net::reset);
                true
            }
            Ending::CloseAt(sent) if is_between && (self.sent >= sent || has_said_all) => {
                self.leave_by(net, Net::close);
                true
            }
            Ending::Close if has_said_all && self.has_heard_everything(plan) => {
                self.leave_by(net, Net::close);
                true
            }
            Ending::VanishAt(sent) if is_between && (self.sent >= sent || has_said_all) => {
                net.vanish(id);
                self.has_left = true;
                self.stage = Stage::Vanished;
                false
            }
            Ending::HalfClose if has_said_all => {
                net.finish(id);
                self.stage = Stage::Finished;
                false
            }
            Ending::ResetAt(_)
            | Ending::CloseAt(_)
            | Ending::VanishAt(_)
            | Ending::Close
            | Ending::HalfClose
            | Ending::Stay => false,
        }
    }

    /// Leaves, whatever is on its way.
    pub(super) fn leave_by(&mut self, net: &mut Net, way: fn(&mut Net, SocketId)) {
        if let Some(id) = self.id.take() {
            way(net, id);
        }
        self.has_left = true;
        self.stage = Stage::Gone;
    }

    /// Closes what is open at its end.
    pub(super) fn leave(&mut self, net: &mut Net) {
        if let Some(id) = self.id.take() {
            net.close(id);
        }
        self.stage = Stage::Gone;
    }
}

fn stays_until_closed(net: &Net, id: SocketId) -> Outcome {
    if net.socket(id).is_gone() {
        Outcome::Left
    } else {
        Outcome::Again(None)
    }
}

/// What an echo client says last if it quits.
fn last_words(plan: &Plan) -> Vec<u8> {
    let word = plan.echo_quit.as_deref().unwrap_or_default();
    [b"\n", word, b"\n"].concat()
}
