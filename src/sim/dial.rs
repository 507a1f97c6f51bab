//! Connections of the process's own making: when their far end answers, and how. The port that is called
//! says which it will be, so that whoever calls knows what it ought to be told.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::fault::Fault;
use super::net::{Net, SocketId};
use super::queue::Route;
use super::socket::{Key, Place, Socket};
use crate::protocol::Time;

/// Who owns the connections that the process makes.
pub(super) const DIALLED: usize = usize::MAX - 2;
/// What a server that answers says before it closes.
pub(super) const GREETING: &[u8] = b"welcome";
/// How long an answer takes, at most, and how long the kernel waits for one that never comes.
pub(super) const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(127);

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is answered; the server says its greeting and closes.
    Answered,
    /// Nobody listens.
    Refused,
    /// Nobody answers at all.
    TimedOut,
    /// It is answered and reset at once.
    Reset,
}

impl Fate {
    pub(super) const ALL: [Fate; 4] = [Fate::Answered, Fate::Refused, Fate::TimedOut, Fate::Reset];

    /// Whom to call for it.
    pub(super) fn address(self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 1 + self as u16))
    }

    pub(super) fn of(address: SocketAddr) -> Fate {
        let place = usize::from(address.port()).wrapping_sub(1);
        Fate::ALL.get(place).copied().unwrap_or(Fate::Refused)
    }
}

/// A call that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dial {
    at: Time,
    fate: Fate,
}

impl Net {
    /// connect(2), whose answer takes so long if there is one.
    pub(super) fn dial(&mut self, address: SocketAddr, delay: Duration) -> Result<SocketId, Fault> {
        if !self.has_descriptor() {
            return Err(Fault::ProcessFull);
        }
        let fate = Fate::of(address);
        let mut socket = Socket::new(DIALLED, address, Route::from((4_096, 4_096)), None);
        socket.place = Place::Held;
        socket.is_connecting = true;
        let id = self.add_held(socket);
        let delay = if fate == Fate::TimedOut {
            SILENCE
        } else {
            delay
        };
        let at = self.now.after(delay);
        self.dials.insert(id.0, Dial { at, fate });
        Ok(id)
    }

    /// When the next call is answered.
    pub(super) fn next_answer(&self) -> Option<Time> {
        self.dials.values().map(|dial| dial.at).min()
    }

    /// Answers the calls that are due.
    pub(super) fn answer(&mut self) {
        let now = self.now;
        while let Some((&index, &dial)) = self.dials.iter().find(|(_, dial)| dial.at <= now) {
            self.dials.remove(&index);
            let id = SocketId(index);
            self.socket_mut(id).is_connecting = false;
            match dial.fate {
                Fate::Answered => {
                    self.send(id, GREETING).expect("it is open");
                    self.wake(id, Key::Any);
                    self.close(id);
                }
                Fate::Refused => self.fail(id, Fault::Refused),
                Fate::TimedOut => self.fail(id, Fault::TimedOut),
                Fate::Reset => self.reset(id),
            }
        }
    }

    /// The process closes a connection; if it is not answered yet, it never will be.
    pub(super) fn hang_up(&mut self, id: SocketId) {
        if self.dials.remove(&id.0).is_some() {
            self.socket_mut(id).is_connecting = false;
            self.fail(id, Fault::Reset);
        }
    }

    fn fail(&mut self, id: SocketId, fault: Fault) {
        let socket = self.socket_mut(id);
        socket.die();
        socket.error = Some(fault);
        socket.is_remote_open = false;
        self.wake(id, Key::Any);
    }
}
