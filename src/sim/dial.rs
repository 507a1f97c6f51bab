//! Connections of the process's own making: what their far ends do, and when. What they are to be told
//! is decided by nobody here.

use std::mem;
use std::net::SocketAddr;
use std::time::Duration;

use super::fate::{ANSWER_TIME_MAX, DIALLED, Dial, Fate, GREETING, SILENCE};
use super::fault::Fault;
use super::net::{Net, SocketId};
use super::queue::Route;
use super::random::Random;
use super::remote::Received;
use super::socket::{Key, Place, Socket};
use crate::protocol::Time;

/// What a slow far end reads at once, and its pauses.
const READ_BYTES_MAX: usize = 16 << 10;
const READ_PAUSE_MAX: Duration = Duration::from_millis(20);

impl Net {
    /// connect(2). How soon it is answered, and through which buffers, is drawn.
    pub(super) fn dial(
        &mut self,
        address: SocketAddr,
        rng: &mut Random,
    ) -> Result<SocketId, Fault> {
        if !self.has_descriptor() {
            return Err(Fault::ProcessFull);
        }
        let fate = Fate::of(address);
        let send = rng.one_of(&[4_096, 100_000, 1 << 20]);
        let mut socket = Socket::new(DIALLED, address, Route::from((4_096, send)), None);
        socket.place = Place::Held;
        socket.is_connecting = true;
        let id = self.add_held(socket);
        let delay = match fate {
            Fate::TimedOut => SILENCE,
            Fate::Answered | Fate::Refused | Fate::Reset | Fate::Slow => {
                rng.duration(ANSWER_TIME_MAX)
            }
        };
        let at = self.now.after(delay);
        let rng = Random::new(rng.number());
        self.dials.insert(id.0, Dial { at, fate, rng });
        self.dials_changed();
        Ok(id)
    }

    fn dials_changed(&mut self) {
        let next = self.dials.values().map(|dial| dial.at).min();
        self.answer_at = next.unwrap_or(Time::NEVER);
    }

    /// Lets the far ends act that are due.
    pub(super) fn answer(&mut self) {
        let now = self.now;
        while self.answer_at <= now {
            let due = self.dials.iter().find(|(_, dial)| dial.at <= now);
            let index = *due.expect("it is among them").0;
            let dial = self.dials.remove(&index).expect("it was found");
            let id = SocketId(index);
            let is_new = mem::take(&mut self.socket_mut(id).is_connecting);
            match dial.fate {
                Fate::Slow if is_new => {
                    self.wake(id, Key::Any);
                    self.go_on(id, dial);
                }
                Fate::Slow => self.go_on(id, dial),
                Fate::Answered => {
                    self.send(id, GREETING).expect("it is open");
                    self.wake(id, Key::Any);
                    self.close(id);
                }
                Fate::Refused => self.fail(id, Fault::Refused),
                Fate::TimedOut => self.fail(id, Fault::TimedOut),
                Fate::Reset => self.reset(id),
            }
            self.dials_changed();
        }
    }

    /// A far end reads a little, and says what time it is if that was heard before, until it reads the end.
    fn go_on(&mut self, id: SocketId, mut dial: Dial) {
        match self.receive(id, 1 + dial.rng.below(READ_BYTES_MAX)) {
            Received::End | Received::Reset => return self.close(id),
            Received::Bytes(_) | Received::Nothing => {}
        }
        if self.socket(id).unread() == 0 && dial.rng.happens(1, 2) {
            // Where nobody receives it, the next read tells.
            let _ = self.send(id, &self.now.as_nanos().to_le_bytes());
        }
        dial.at = self.now.after(dial.rng.duration(READ_PAUSE_MAX));
        self.dials.insert(id.0, dial);
    }

    /// The process closes a connection; if it is not answered yet, it never will be.
    pub(super) fn hang_up(&mut self, id: SocketId) {
        if mem::take(&mut self.socket_mut(id).is_connecting) {
            self.dials.remove(&id.0);
            self.dials_changed();
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
