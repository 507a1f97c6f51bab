//! What must hold whenever the server waits: nobody is left alone, nobody waits too long, nothing
//! spins, and a run that is told to stop ends.

use std::time::Duration;

use super::{LOOKS_MAX, PATIENCE, PORTS, World};
use crate::protocol::Time;
use crate::reactor::ACCEPT_PAUSE;
use crate::sim::net::Net;

/// A pause is counted from when the turn began.
const PAUSE_SLACK: Duration = Duration::from_millis(1);
/// How much later than its grace a run may end: closing takes time too.
const ENDING_SLACK: Duration = Duration::from_secs(1);

impl World {
    pub(super) fn check(&mut self, net: &Net, is_asleep: bool) {
        self.turn += 1;
        // Who is asked to spin looks as often as it can.
        self.looks += u32::from(self.plan.limits.spin.is_zero());
        if is_asleep {
            self.looks = 0;
            for serial in std::mem::take(&mut self.dirty) {
                self.clients[serial].ledger.is_dirty = false;
                let client = &self.clients[serial];
                if let Some(id) = client.ledger.held {
                    let verdict = client.is_no_ghost(net.socket(id));
                    self.inspect(serial, verdict);
                }
                let client = &self.clients[serial];
                if let Some(id) = client.id {
                    let verdict = client.is_left_alone(&self.plan, net.socket(id));
                    self.inspect(serial, verdict);
                }
            }
            self.check_listeners(net);
        }
        if self.looks > LOOKS_MAX {
            self.looks = 0;
            self.accuse(format!(
                "the process has polled {LOOKS_MAX} times without a result: it spins"
            ));
        }
        if let Err(what) = self.queues.turn(net) {
            self.accuse(what);
        }
        self.check_fairness(net);
    }

    /// A process that does not hear that it is told to stop may sleep for ever.
    pub(in crate::sim) fn check_shutdown(&mut self, net: &Net) {
        let grace = self.plan.limits.grace.unwrap_or_default() + ENDING_SLACK + net.stopped;
        let since = self.stopping_since;
        if since.is_some_and(|since| net.now > since.after(grace)) {
            self.accuse("the shutdown takes longer than its grace period".to_owned());
        }
    }

    fn check_listeners(&mut self, net: &Net) {
        if self.stopping_since.is_some() || !net.has_descriptor() {
            return;
        }
        let rests = net.now < self.accept_failed_at.after(ACCEPT_PAUSE + PAUSE_SLACK)
            && !self.closed_since_failure;
        for port in (0..PORTS).filter(|&port| net.waiting(port) > 0 && !net.is_listed(port)) {
            if !rests {
                self.accuse(format!(
                    "the process sleeps while {} clients wait at port {port}",
                    net.waiting(port)
                ));
            }
        }
    }

    /// Nobody who was reported of may wait for more turns than there were ready.
    fn check_fairness(&mut self, net: &Net) {
        let turn = self.turn;
        let mut wrong = None;
        let mut reported = std::mem::take(&mut self.reported);
        reported.retain(|&serial| {
            let client = &self.clients[serial];
            let (Some(look_by), Some(id)) = (client.ledger.look_by, client.id) else {
                return false;
            };
            if look_by >= turn {
                return true;
            }
            let socket = net.socket(id);
            let is_forgotten = !socket.is_listed() && socket.has_input();
            if is_forgotten && client.is_wanted(&self.plan, socket) {
                wrong = Some(format!(
                    "client {serial} was reported ready but not read for too many turns"
                ));
            }
            false
        });
        self.reported = reported;
        if let Some(wrong) = wrong {
            self.accuse(wrong);
        }
        self.reported_in_turn = 0;
    }

    pub(super) fn check_patience(&mut self, net: &Net) {
        let last = self.clients.last().map_or(Time::ZERO, |client| client.came);
        if self.next_arrival.is_none()
            && last.after(PATIENCE + net.stopped) < net.now
            && !self.is_empty()
        {
            let who = self.stragglers();
            self.accuse(format!("clients are stranded: {who}"));
        }
    }
}
