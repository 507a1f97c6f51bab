//! The account of one connection, as seen from the kernel. What the server owes it is checked in `checker.rs`.

use std::fmt;

use super::kernel::Clock;
use super::net::SocketId;
use crate::protocol::Time;
use crate::reactor::READ_BYTES_PER_TURN_MAX;

/// The account of one connection. Times are those that the server saw.
#[derive(Debug)]
pub(super) struct Ledger {
    /// How many were accepted before it; `None` if it was not.
    pub(super) place: Option<usize>,
    /// When that was.
    pub(super) accepted: Time,
    /// There was no place for it: it is to be turned away.
    pub(super) is_surplus: bool,
    /// Why it may end without having got everything.
    pub(super) excuse: Option<&'static str>,
    /// Bytes that the server read.
    pub(super) read: u64,
    /// How many of them it owes an answer for, since it was told to stop: those that had arrived.
    pub(super) due: Option<u64>,
    /// While the server has it.
    pub(super) held: Option<SocketId>,
    pub(super) written: u64,
    /// When bytes were first read.
    pub(super) first_read: Option<Time>,
    /// When bytes were last read or written.
    pub(super) active: Time,
    /// When it was accepted, or bytes were last written.
    pub(super) served: Time,
    /// Since when it is owed bytes and gets none.
    pub(super) owed_since: Option<Time>,
    pub(super) shut_at: Option<Time>,
    /// Something happened since the process last slept.
    pub(super) is_dirty: bool,
    /// The latest turn in which it was read, and how much.
    read_in_turn: (u64, usize),
    /// By which turn it must be looked at.
    pub(super) look_by: Option<u64>,
}

impl Ledger {
    pub(super) fn new() -> Ledger {
        Ledger {
            place: None,
            accepted: Time::ZERO,
            is_surplus: false,
            excuse: None,
            read: 0,
            due: None,
            held: None,
            written: 0,
            first_read: None,
            active: Time::ZERO,
            served: Time::ZERO,
            owed_since: None,
            shut_at: None,
            is_dirty: false,
            read_in_turn: (0, 0),
            look_by: None,
        }
    }

    pub(super) fn accepted(&mut self, now: Time, place: usize) {
        self.place = Some(place);
        self.accepted = now;
        self.active = now;
        self.served = now;
    }

    /// So many bytes were read in this turn, whether they are owed an answer or not.
    pub(super) fn read_in(&mut self, turn: u64, count: usize) -> Result<(), String> {
        let before = match self.read_in_turn {
            (latest, bytes) if latest == turn => bytes,
            _ => 0,
        };
        self.read_in_turn = (turn, before + count);
        if before >= READ_BYTES_PER_TURN_MAX {
            return Err(format!("is still read after {before} bytes in one turn"));
        }
        Ok(())
    }

    pub(super) fn shut(&mut self, now: Time) {
        self.shut_at = Some(now);
    }

    pub(super) fn broken(&mut self) {
        self.excuse.get_or_insert("broken");
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (read, written) = (self.read, self.written);
        let (active, served) = (Clock(self.active), Clock(self.served));
        write!(
            f,
            "the server read {read} and wrote {written} bytes, active at {active}, wrote at {served}"
        )
    }
}
