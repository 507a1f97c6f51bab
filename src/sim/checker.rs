//! What a server owes to each connection, and whether it got it. All of it is seen from the kernel:
//! bytes read and written, times, and what was closed; the server is never asked.

use std::time::Duration;

use super::client::{Client, Role};
use super::kernel::Clock;
use super::net::Net;
use super::plan::Plan;
use super::remote::Received;
use super::socket::Socket;
use crate::protocol::Time;
use crate::reactor::{OUTBOX_BYTES_LOW, OUTBOX_BYTES_MAX};

/// What the checker knows of the whole server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// When the server was told to stop.
    pub(super) stopping_since: Option<Time>,
    /// Whether all unsent bytes together may have been too many.
    pub(super) may_evict: bool,
}

impl Client {
    /// Bytes are owed and have been for a while, as far as can be seen.
    fn owed(&self, plan: &Plan) -> u64 {
        let ledger = &self.ledger;
        match self.role {
            Role::Hello { .. } => (plan.greeting.len() as u64).saturating_sub(ledger.written),
            Role::Echo { .. } => {
                let due = ledger.due.map_or(ledger.read, |due| due.min(ledger.read));
                due.saturating_sub(ledger.written)
            }
            Role::Chat(_) => 0,
        }
    }

    /// The server read so many bytes, to answer or, once it stops, to throw away.
    pub(super) fn was_read(&mut self, plan: &Plan, now: Time, count: usize) -> Result<(), String> {
        let ledger = &mut self.ledger;
        ledger.active = now;
        ledger.first_read.get_or_insert(now);
        match self.role {
            Role::Echo { .. } => {
                ledger.read += count as u64;
                let owed = self.owed(plan);
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
                    return Err(format!("gets a wrong greeting from byte {start} on"));
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
        let is_owed = self.owed(plan) > 0;
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
            Role::Echo { .. } => self.owed(plan) <= OUTBOX_BYTES_LOW as u64,
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
            return Err("got no place and was not turned away".to_owned());
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
            return Err("has ended, but its end was not read".to_owned());
        }
        let owed = self.owed(plan);
        if owed > 0 && socket.is_writable() {
            return Err(format!("is owed {owed} bytes and could accept some"));
        }
        let is_echo = matches!(self.role, Role::Echo { .. });
        if is_echo && owed == 0 && socket.end_was_read() && socket.is_delivered() {
            return Err("is done but not closed".to_owned());
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
        let owed = self.owed(plan);
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
        // What epoll has yet to report again, the server could not know; the first time it must ask.
        let is_known = self.is_wanted(plan, socket) && !(socket.is_listed() && socket.is_denied());
        is_known && came.zip(deadline).is_some_and(|(came, end)| came < end)
    }

    /// The client saw EOF, or a reset: had it got everything?
    pub(super) fn saw_end(
        &self,
        plan: &Plan,
        end: Received,
        partner: Option<&Client>,
        is_stopping: bool,
        was_stopped: bool,
    ) -> Result<(), String> {
        if self.ledger.excuse.is_some() {
            return Ok(());
        }
        if end == Received::Reset {
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
                return self.chat_saw_end(plan, talker.heard, partner, is_stopping, was_stopped);
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
