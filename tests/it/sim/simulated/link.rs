//! What has become of a connection, as far as it tells for what to wait and what may happen next.

use epollo::sim::Received;

use super::script::{Act, Call, Outcome};

/// What has happened to a connection, by the steps and their outcomes.
#[derive(Clone, Debug, Default)]
pub struct Link {
    pub is_accepted: bool,
    pub is_watched: bool,
    pub is_closed: bool,
    /// We have sent a FIN, the far end has.
    pub is_shut: bool,
    pub is_far_shut: bool,
    pub is_far_closed: bool,
    /// Either end has sent a reset.
    pub is_broken: bool,
    /// The far end has been told of it.
    pub is_far_told: bool,
    /// What was sent, and what of it was not read yet, on our side and at the far end.
    pub sent: usize,
    pub unread: usize,
    pub untaken: usize,
}

impl Link {
    /// Both ends have ended it in good order.
    pub fn is_over(&self) -> bool {
        !self.is_broken && self.is_shut && self.is_far_shut
    }

    fn reset(&mut self) {
        self.is_broken |= !self.is_over();
    }

    pub fn note_act(&mut self, act: Act, outcome: &Outcome) {
        match (act, outcome) {
            (Act::Send(_), &Outcome::Count(count)) => {
                self.sent += count;
                self.unread += count;
            }
            (Act::Receive(_), &Outcome::Far(Received::Bytes(count))) => self.untaken -= count,
            (Act::Finish, Outcome::Done) => self.is_far_shut = true,
            (Act::Reset, Outcome::Done) => {
                self.is_far_closed = true;
                self.reset();
            }
            (Act::Close, Outcome::Done) => {
                self.is_far_closed = true;
                if self.untaken > 0 {
                    self.reset();
                } else if !self.is_broken {
                    self.is_far_shut = true;
                }
            }
            (_, Outcome::WasReset | Outcome::Far(Received::Reset)) => self.is_far_told = true,
            (_, _) => {}
        }
    }

    pub fn note_call(&mut self, call: Call, outcome: &Outcome) {
        match (call, outcome) {
            (Call::Register(_), Outcome::Done) => self.is_watched = true,
            (Call::Read(_), Outcome::Bytes(bytes)) => self.unread -= bytes.len(),
            (Call::Write(_), &Outcome::Count(count)) => {
                if self.is_far_closed {
                    self.reset();
                } else {
                    self.untaken += count;
                }
            }
            (Call::Shutdown, Outcome::Done) => self.is_shut = true,
            (Call::Reset, Outcome::Done) => {
                self.is_closed = true;
                self.reset();
            }
            (Call::Close, Outcome::Done) => {
                self.is_closed = true;
                if self.unread > 0 {
                    self.reset();
                } else if !self.is_broken {
                    self.is_shut = true;
                }
            }
            (_, _) => {}
        }
    }
}
