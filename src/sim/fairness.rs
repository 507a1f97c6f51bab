//! Whom a server keeps for longer than its limits allow, and whom it leaves before what it wrote is
//! acknowledged. Whether there is a reason at all is judged where reasons are.

use std::time::Duration;

use super::checker::Circumstances;
use super::client::{Client, Role};
use super::net::Net;
use super::plan::Plan;
use super::socket::Socket;
use super::talker::Talker;
use crate::protocol::Time;

/// How late a busy server may be: a turn with thousands of clients takes its time, and
/// all of them must have been read before timers expire.
const LATE_MAX: Duration = Duration::from_secs(2);

/// What waits in the kernel for a peer that does not read, at most, with TCP_NOTSENT_LOWAT.
const QUEUE_BYTES_MAX: usize = 256 << 10;

impl Client {
    /// Bytes were written to it: no more of them wait in the kernel than may.
    pub(super) fn is_queued_little(&self, plan: &Plan, socket: &Socket) -> Result<(), String> {
        let queued = socket.queued();
        if plan.lowat.is_some() && queued > QUEUE_BYTES_MAX {
            return Err(format!("has {queued} bytes in the kernel's send queue"));
        }
        Ok(())
    }

    /// The server closes it without a reset: then nothing may be left that nobody counts.
    pub(super) fn is_no_orphan(
        &self,
        plan: &Plan,
        now: Time,
        socket: &Socket,
        circumstances: Circumstances,
    ) -> Result<(), String> {
        let deadline = circumstances
            .stopping_since
            .zip(plan.limits.grace)
            .map(|(since, grace)| since.after(grace));
        let is_grace_over = deadline.is_some_and(|deadline| deadline <= now);
        // Bytes that nobody read make a reset of it.
        let stays = !socket.is_dead() && socket.unread() == 0 && socket.queued() > 0;
        if stays && self.ledger.place.is_some() && !is_grace_over {
            let queued = socket.queued();
            return Err(format!(
                "is closed with {queued} bytes unacknowledged: an orphan that is not counted"
            ));
        }
        Ok(())
    }

    /// The process sleeps: whoever has reset is not there any more.
    pub(super) fn is_no_ghost(&self, socket: &Socket) -> Result<(), String> {
        if socket.is_held() && socket.is_dead() && !socket.is_listed() {
            let unread = socket.unread();
            return Err(format!(
                "was reset, which epoll reported, but keeps its place: {unread} bytes are unread"
            ));
        }
        Ok(())
    }

    /// The server closes it, for whatever reason: is it late for another?
    pub(super) fn is_overdue(&self, plan: &Plan, net: &Net, socket: &Socket) -> Result<(), String> {
        let is_sure = self.is_owed_surely() || !socket.is_delivered();
        let owed_since = self.owed_since(socket, net.seen).filter(|_| is_sure);
        let is_waited_for = socket.is_delivered() && !socket.is_dead();
        let shut_at = self.ledger.shut_at.filter(|_| is_waited_for);
        let lingers_since = shut_at.map(|at| at.max(socket.progressed_at(net.seen)));
        // It is asked now and then what was acknowledged: four times before it is over, and once it lingers
        // as often as that may take. Then it may linger on for as long.
        let linger = plan.policy.linger;
        let between = linger.filter(|_| self.ledger.shut_at.is_some());
        let write_timeout = plan.policy.write_timeout;
        let write_timeout = write_timeout.map(|limit| limit * 5 / 4 + between.unwrap_or_default());
        // Who was written to may have acknowledged some of it: that takes a second look to know.
        let looks = if self.ledger.written > 0 { 2 } else { 1 };
        let idle_timeout = plan.policy.idle_timeout.map(|limit| limit * looks);
        let limits = [
            ("idle", self.idle_since(socket, net.seen), idle_timeout),
            ("acknowledging nothing", owed_since, write_timeout),
            ("lingering", lingers_since, linger.map(|linger| linger * 2)),
        ];
        for (what, since, limit) in limits {
            self.is_in_time(what, since, limit, net, net.seen)?;
        }
        // It may stay after the end, to read that.
        let until = self.ledger.shut_at.unwrap_or(net.seen);
        let dribbles = self.talker().is_some_and(Talker::dribbles);
        let begun = self.ledger.first_read.filter(|_| dribbles);
        self.is_in_time("dribbling", begun, plan.policy.idle_timeout, net, until)
    }

    fn is_in_time(
        &self,
        what: &str,
        since: Option<Time>,
        limit: Option<Duration>,
        net: &Net,
        until: Time,
    ) -> Result<(), String> {
        let (Some(since), Some(limit)) = (since, limit) else {
            return Ok(());
        };
        let is_late = since.after(limit + LATE_MAX + net.stopped) < until;
        if is_late && self.ledger.place.is_some() {
            let time = until.since(since);
            return Err(format!("is kept although {what} for {time:?}"));
        }
        Ok(())
    }

    /// Since when it has acknowledged nothing of what it is owed, by us or by the kernel.
    pub(super) fn owed_since(&self, socket: &Socket, seen: Time) -> Option<Time> {
        let progressed_at = socket.progressed_at(seen);
        if socket.queued() > 0 {
            return Some(progressed_at.max(self.ledger.accepted));
        }
        if !socket.is_delivered() {
            return self.ledger.shut_at.map(|at| at.max(progressed_at));
        }
        let since = match self.role {
            Role::Hello { .. } | Role::Chat(_) if socket.owes() => Some(self.ledger.served),
            Role::Hello { .. } | Role::Chat(_) => None,
            Role::Echo { .. } => self.ledger.owed_since,
        };
        since.map(|since| since.max(progressed_at))
    }

    /// Since when it has seen EOF and may be expected to end, too. While it acknowledges what it is
    /// owed, it does what it must first.
    pub(super) fn lingers_since(&self, socket: &Socket, seen: Time) -> Option<Time> {
        let shut_at = self.ledger.shut_at?;
        Some(match socket.queued() {
            0 => shut_at,
            _ => shut_at.max(socket.progressed_at(seen)),
        })
    }

    /// Since when nothing was read or written; what is acknowledged may count as something.
    fn idle_since(&self, socket: &Socket, seen: Time) -> Option<Time> {
        Some(self.ledger.active.max(socket.progressed_at(seen)))
    }

    /// Of a chat it is not known when the server began to owe it something.
    fn is_owed_surely(&self) -> bool {
        match self.role {
            Role::Hello { .. } | Role::Echo { .. } => true,
            Role::Chat(_) => false,
        }
    }
}
