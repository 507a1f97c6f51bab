//! Connections of the process's own making: when their far end answers, and how. What they are to be told
//! is decided by nobody here.

use std::net::SocketAddr;
use std::time::Duration;

use super::fate::{DIALLED, Dial, Fate, GREETING, SILENCE};
use super::fault::Fault;
use super::net::{Net, SocketId};
use super::queue::Route;
use super::socket::{Key, Place, Socket};
use crate::protocol::Time;

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
        self.dials_changed();
        Ok(id)
    }

    fn dials_changed(&mut self) {
        let next = self.dials.values().map(|dial| dial.at).min();
        self.answer_at = next.unwrap_or(Time::NEVER);
    }

    /// Answers the calls that are due.
    pub(super) fn answer(&mut self) {
        let now = self.now;
        while self.answer_at <= now {
            let due = self.dials.iter().find(|(_, dial)| dial.at <= now);
            let (&index, &dial) = due.expect("it is among them");
            self.dials.remove(&index);
            self.dials_changed();
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
            self.dials_changed();
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
