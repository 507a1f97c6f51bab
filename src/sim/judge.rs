//! What a server owes to each connection, and whether it got it. All of it is seen from the kernel:
//! bytes read and written, times, and what was closed; the server is never asked.

use std::fmt;
use std::time::Duration;

use super::client::{Client, Role};
use super::far::Received;
use super::kernel::Clock;
use super::net::{Net, SocketId};
use super::plan::Plan;
use super::socket::Socket;
use crate::protocol::Time;
use crate::reactor::{OUTBOX_BYTES_LOW, OUTBOX_BYTES_MAX, READ_BYTES_PER_TURN_MAX};

/// The books of one connection. Times are those that the server saw.
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
    pub(super) is_touched: bool,
    /// The latest turn in which it was read, and how much.
    read_in_turn: (u64, usize),
    /// By which turn it must be looked at.
    pub(super) look_by: Option<u64>,
}

/// What the judge knows of the whole server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// When the server was told to stop.
    pub(super) stopping_since: Option<Time>,
    /// Whether all unsent bytes together may have been too many.
    pub(super) may_evict: bool,
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
            is_touched: false,
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
            return Err(format!("is read on after {before} bytes in one turn"));
        }
        Ok(())
    }

    pub(super) fn shut(&mut self, now: Time) {
        self.shut_at = Some(now);
    }

    pub(super) fn broken(&mut self) {
        self.excuse.get_or_insert("broken");
    }

    /// Bytes are owed and have been for a while, as far as can be seen.
    pub(super) fn owed(&self, client: &Client, plan: &Plan) -> u64 {
        match client.role {
            Role::Hello { .. } => (plan.greeting.len() as u64).saturating_sub(self.written),
            Role::Echo { .. } => {
                let due = self.due.map_or(self.read, |due| due.min(self.read));
                due.saturating_sub(self.written)
            }
            Role::Chat(_) => 0,
        }
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

impl Client {
    /// The server read so many bytes, to answer or, once it stops, to throw away.
    pub(super) fn was_read(&mut self, plan: &Plan, now: Time, count: usize) -> Result<(), String> {
        let ledger = &mut self.ledger;
        ledger.active = now;
        ledger.first_read.get_or_insert(now);
        match self.role {
            Role::Echo { .. } => {
                ledger.read += count as u64;
                let owed = self.ledger.owed(self, plan);
                if owed > 0 {
                    self.ledger.owed_since.get_or_insert(now);
                }
                if owed > OUTBOX_BYTES_MAX as u64 && self.ledger.due.is_some() {
                    return Err(format!(
                        "is owed {owed} bytes that had arrived before the stop: some are thrown away"
                    ));
                }
                if owed > OUTBOX_BYTES_MAX as u64 {
                    return Err(format!("is owed {owed} bytes, more than an outbox takes"));
                }
            }
            Role::Hello { .. } | Role::Chat(_) => {}
        }
        Ok(())
    }

    /// The server wrote these bytes: they must be the very ones that are due.
    pub(super) fn was_written(
        &mut self,
        plan: &Plan,
        now: Time,
        bytes: &[u8],
    ) -> Result<(), String> {
        let start = self.ledger.written;
        let count = bytes.len() as u64;
        match self.role {
            Role::Hello { .. } => {
                let due = plan.greeting.get(usize::try_from(start).unwrap_or(0)..);
                if !due.is_some_and(|due| due.starts_with(bytes)) {
                    return Err(format!("is greeted wrongly at byte {start}"));
                }
            }
            Role::Echo { .. } => {
                if start + count > self.ledger.read {
                    return Err(format!("gets byte {} before it was read", start + count));
                }
                let wrong = (start..)
                    .zip(bytes)
                    .find(|&(at, &byte)| byte != self.echo_byte(plan, at));
                if let Some((at, _)) = wrong {
                    return Err(format!(
                        "gets a wrong byte at {at}: lost, doubled or crossed"
                    ));
                }
            }
            Role::Chat(_) => {}
        }
        self.ledger.written += count;
        self.ledger.active = now;
        self.ledger.served = now;
        let is_owed = self.ledger.owed(self, plan) > 0;
        self.ledger.owed_since = is_owed.then_some(now);
        Ok(())
    }

    /// Whether the server would read it now. Of a chat only the two who talk know.
    pub(super) fn is_wanted(&self, plan: &Plan, socket: &Socket) -> bool {
        let is_room_left = match self.role {
            Role::Hello { .. } => true,
            // What came after the stop may be answered, too; then it takes up room.
            Role::Echo { .. } if self.ledger.shut_at.is_none() => {
                let unanswered = self.ledger.read.saturating_sub(self.ledger.written);
                unanswered <= OUTBOX_BYTES_LOW as u64
            }
            Role::Echo { .. } => self.ledger.owed(self, plan) <= OUTBOX_BYTES_LOW as u64,
            Role::Chat(_) => false,
        };
        is_room_left && socket.is_held() && !socket.end_was_read() && !self.ledger.is_surplus
    }

    /// The process goes to sleep: nothing that it could do for this client may be left.
    pub(super) fn is_left_alone(&self, plan: &Plan, socket: &Socket) -> Result<(), String> {
        if !socket.is_held() || socket.is_listed() {
            return Ok(());
        }
        if self.ledger.is_surplus {
            return Err("has no place and is not turned away".to_owned());
        }
        if self.is_wanted(plan, socket) && socket.has_input() {
            let unread = socket.unread();
            return Err(format!(
                "is not read: {unread} bytes, ended: {}",
                socket.is_ended()
            ));
        }
        // Who must not speak now may leave all the same.
        let has_just_ended = socket.unread() == 0 && socket.is_ended() && !socket.end_was_read();
        if matches!(self.role, Role::Chat(_)) && has_just_ended {
            return Err("has ended and is not heard".to_owned());
        }
        let owed = self.ledger.owed(self, plan);
        if owed > 0 && socket.is_writable() {
            return Err(format!("is owed {owed} bytes and could take some"));
        }
        let is_echo = matches!(self.role, Role::Echo { .. });
        if is_echo && owed == 0 && socket.end_was_read() && socket.is_delivered() {
            return Err("is done and not closed".to_owned());
        }
        Ok(())
    }

    /// The server closes it: there must be a reason.
    pub(super) fn was_closed(
        &mut self,
        plan: &Plan,
        net: &Net,
        socket: &Socket,
        circumstances: Circumstances,
    ) -> Result<(), String> {
        let reason = self.reason(plan, net.seen, socket, circumstances);
        match reason {
            Some(Reason::Done) => Ok(()),
            Some(Reason::Excused(why)) => {
                self.ledger.excuse.get_or_insert(why);
                Ok(())
            }
            None => Err(self.no_reason(plan, net, socket)),
        }
    }

    fn no_reason(&self, plan: &Plan, net: &Net, socket: &Socket) -> String {
        let ledger = &self.ledger;
        let progressed_at = socket.progressed_at(net.seen);
        let looks_stalled = |limit| ledger.served.after(limit) <= net.seen;
        if plan.policy.write_timeout.is_some_and(looks_stalled) && progressed_at > ledger.served {
            let at = Clock(progressed_at);
            return format!("is closed though it reads: it acknowledged bytes at {at} ({ledger})");
        }
        format!("is closed for no reason ({ledger})")
    }

    fn reason(
        &self,
        plan: &Plan,
        now: Time,
        socket: &Socket,
        circumstances: Circumstances,
    ) -> Option<Reason> {
        let ledger = &self.ledger;
        let is_over = |since: Option<Time>, limit: Option<Duration>| matches!((since, limit), (Some(since), Some(limit)) if since.after(limit) <= now);
        let owed = ledger.owed(self, plan);
        if ledger.excuse == Some("broken") {
            Some(Reason::Excused("broken"))
        } else if socket.end_was_read() && owed == 0 && !socket.owes() && socket.queued() == 0 {
            Some(Reason::Done)
        } else if ledger.is_surplus {
            Some(Reason::Excused("turned away"))
        } else if ledger.place.is_none() && circumstances.stopping_since.is_some() {
            Some(Reason::Excused("never accepted"))
        } else if is_over(Some(ledger.active), plan.policy.idle_timeout)
            && !self.was_heard_late(plan, socket)
        {
            Some(Reason::Excused("idle"))
        } else if is_over(self.owed_since(socket, now), plan.policy.write_timeout) {
            Some(Reason::Excused("takes nothing"))
        } else if is_over(self.lingers_since(socket, now), plan.policy.linger) {
            Some(Reason::Excused("lingers"))
        } else if is_over(circumstances.stopping_since, plan.limits.grace) {
            Some(Reason::Excused("the grace is over"))
        } else if circumstances.may_evict && (owed > 0 || socket.owes()) {
            Some(Reason::Excused("evicted"))
        } else {
            None
        }
    }

    /// It sent something before its time was over, and the server wanted it.
    fn was_heard_late(&self, plan: &Plan, socket: &Socket) -> bool {
        let deadline = plan
            .policy
            .idle_timeout
            .map(|limit| self.ledger.active.after(limit));
        let came = socket.unread_since();
        // What epoll has yet to tell again, the server could not know; the first time it must ask.
        let is_known = self.is_wanted(plan, socket) && !(socket.is_listed() && socket.is_denied());
        is_known && came.zip(deadline).is_some_and(|(came, end)| came < end)
    }

    /// The client was told the end, or a reset: had it got everything?
    pub(super) fn was_told(
        &self,
        plan: &Plan,
        told: Received,
        partner: Option<&Client>,
        is_stopping: bool,
        was_stopped: bool,
    ) -> Result<(), String> {
        if self.ledger.excuse.is_some() {
            return Ok(());
        }
        if told == Received::Reset {
            return Err(format!("is reset for no reason ({})", self.ledger));
        }
        if self.received != self.ledger.written {
            return Err(format!(
                "got {} bytes of {}",
                self.received, self.ledger.written
            ));
        }
        let total = match &self.role {
            Role::Hello { .. } => plan.greeting.len() as u64,
            Role::Echo { .. } if is_stopping => self.ledger.due.unwrap_or(self.ledger.read),
            Role::Echo { .. } => self.sent,
            Role::Chat(talker) => {
                return self.chat_was_told(plan, talker.heard, partner, is_stopping, was_stopped);
            }
        };
        // What came after it was told to stop is answered or not.
        let is_whole = match self.ledger.due {
            Some(_) => self.received >= total,
            None => self.received == total,
        };
        if !is_whole {
            return Err(format!(
                "got {} bytes of {total}, then the end",
                self.received
            ));
        }
        Ok(())
    }
}

enum Reason {
    Done,
    Excused(&'static str),
}
