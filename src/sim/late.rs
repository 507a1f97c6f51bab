//! Whom a server keeps for longer than its limits allow. Too early is judged where reasons are.

use std::time::Duration;

use super::client::{Client, Role};
use super::net::Net;
use super::plan::Plan;
use super::socket::Socket;
use super::talker::Talker;
use crate::protocol::Time;

/// How late a server may be that has much to do: a turn with thousands of clients takes its time, and
/// before timers come all of them must have been heard.
const LATE_MAX: Duration = Duration::from_secs(2);

impl Client {
    /// The server closes it, for whatever reason: is it late for another?
    pub(super) fn is_overdue(&self, plan: &Plan, net: &Net, socket: &Socket) -> Result<(), String> {
        let owed_since = self.owed_since(socket).filter(|_| self.is_owed_surely());
        let limits = [
            ("idle", Some(self.ledger.active), plan.policy.idle_timeout),
            ("taking nothing", owed_since, plan.policy.write_timeout),
            ("lingering", self.ledger.shut_at, plan.policy.linger),
        ];
        for (what, since, limit) in limits {
            self.is_in_time(what, since, limit, net, net.seen)?;
        }
        // It may stay after it was told, to read that.
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
            return Err(format!("is kept though {what} for {time:?}"));
        }
        Ok(())
    }

    /// Since when it has got nothing of what it is owed.
    pub(super) fn owed_since(&self, socket: &Socket) -> Option<Time> {
        match self.role {
            Role::Hello { .. } | Role::Chat(_) if socket.owes() => Some(self.ledger.served),
            Role::Hello { .. } | Role::Chat(_) => None,
            Role::Echo { .. } => self.ledger.owed_since,
        }
    }

    /// Of a chat it is not known when the server began to owe it something.
    fn is_owed_surely(&self) -> bool {
        match self.role {
            Role::Hello { .. } | Role::Echo { .. } => true,
            Role::Chat(_) => false,
        }
    }
}
