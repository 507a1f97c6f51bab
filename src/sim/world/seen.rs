//! What the world saw the server do, recorded in the ledger of the connection.

use super::answers::is_out_of_place;
use super::{ADDRESSES, SIGNALS, TERMINAL, World};
use crate::protocol::chat::Partner;
use crate::sim::checker::Circumstances;
use crate::sim::client::Client;
use crate::sim::fate::{DIALLED, Fate};
use crate::sim::kernel::{Action, Clock};
use crate::sim::net::{Net, SocketId};
use crate::sim::pour;
use crate::sim::talker::{Heard, LATE, OPERATOR};

impl World {
    pub(super) fn look_at(&mut self, net: &mut Net, id: SocketId, action: Action<'_>) {
        let serial = net.socket(id).owner;
        let clock = Clock(net.now);
        match serial {
            TERMINAL => log::info!("{clock} server, the terminal: {action}"),
            SIGNALS => log::info!("{clock} server, the signals: {action}"),
            DIALLED => log::info!("{clock} server, a call of its own: {action}"),
            _ => log::info!("{clock} server, client {serial}: {action}"),
        }
        if action != Action::ReadNothing {
            self.looks = 0;
        }
        if serial == DIALLED {
            let socket = net.socket(id);
            if Fate::of(socket.address) == Fate::Slow && self.stopping_since.is_none() {
                self.note(pour::inspect(socket, action));
            }
            return;
        }
        if serial == TERMINAL || serial == SIGNALS {
            return self.saw_own(net, serial, action);
        }
        let client = &mut self.clients[serial];
        match action {
            Action::Reported => {
                self.reported_in_turn += 1;
                client.ledger.look_by = Some(self.turn + self.reported_in_turn as u64 + 1);
                self.reported.push(serial);
            }
            Action::Accepted => self.accepted(net, id),
            Action::Read(bytes) => {
                client.ledger.look_by = None;
                let is_fair = client.ledger.read_in(self.turn, bytes.len());
                let verdict = client.was_read(&self.plan, net.seen, bytes.len());
                let verdict = is_fair.and(verdict);
                self.inspect(serial, verdict);
            }
            Action::ReadEnd | Action::ReadNothing => client.ledger.look_by = None,
            Action::Written(bytes) => {
                // It may be wanted again from now on.
                let again = self.turn + self.reported_in_turn as u64 + 2;
                client.ledger.look_by = client.ledger.look_by.map(|_| again);
                self.written(net, id, bytes);
            }
            Action::Broken(_) => client.ledger.broken(),
            Action::Shut => client.ledger.shut(net.seen),
            Action::Closed => self.closed(net, id, true),
            Action::Reset => self.closed(net, id, false),
        }
        self.mark_dirty(serial);
        if !matches!(action, Action::Reported | Action::ReadNothing) {
            let at = net.now.after(self.clients[serial].pause());
            self.schedule(serial, at);
        }
    }

    fn saw_own(&mut self, net: &mut Net, owner: usize, action: Action<'_>) {
        match (owner, action) {
            (TERMINAL, Action::Written(bytes)) => {
                self.shown(bytes);
                self.typist.hurry(net.now);
            }
            (SIGNALS, Action::Read(_)) => self.begins_to_stop(net),
            (_, _) => {}
        }
    }

    /// The process is told to stop.
    pub(super) fn begins_to_stop(&mut self, net: &mut Net) {
        self.stopping_since = Some(net.noticed_at());
        net.is_ending = true;
        // What has arrived is owed an answer; what comes from here on is not.
        for client in &mut self.clients {
            let held = client.ledger.held.map(|id| net.socket(id).unread());
            client.ledger.due = held.map(|unread| client.ledger.read + unread as u64);
        }
        self.next_arrival = None;
    }

    fn circumstances(&self) -> Circumstances {
        Circumstances {
            stopping_since: self.stopping_since,
            may_evict: self.plan.limits.unsent_bytes_max < (16 << 20),
        }
    }

    fn accepted(&mut self, net: &Net, id: SocketId) {
        let serial = net.socket(id).owner;
        self.queues.accepted(self.clients[serial].port() as usize);
        let host = serial % ADDRESSES;
        let limits = &self.plan.limits;
        let is_full = self.held >= limits.clients_max;
        let has_too_many = limits
            .clients_per_address_max
            .is_some_and(|most| self.held_from[host] >= most);
        let ledger = &mut self.clients[serial].ledger;
        ledger.accepted(net.seen, self.accepted);
        ledger.held = Some(id);
        ledger.due = self.stopping_since.map(|_| 0);
        self.accepted += 1;
        ledger.is_surplus = is_full || has_too_many;
        if !ledger.is_surplus {
            self.held += 1;
            self.held_from[host] += 1;
        }
    }

    fn closed(&mut self, net: &Net, id: SocketId, delivers: bool) {
        let circumstances = self.circumstances();
        let socket = net.socket(id);
        let serial = socket.owner;
        let client = &mut self.clients[serial];
        let mut verdict = client.is_overdue(&self.plan, net, socket);
        if delivers {
            let orphaned = client.is_no_orphan(&self.plan, net.seen, socket, circumstances);
            verdict = verdict.and(orphaned);
        }
        let reason = client.was_closed(&self.plan, net, socket, circumstances);
        let verdict = verdict.and(reason);
        if client.ledger.place.is_some() && !client.ledger.is_surplus {
            self.held -= 1;
            self.held_from[serial % ADDRESSES] -= 1;
        }
        self.clients[serial].ledger.held = None;
        self.inspect(serial, verdict);
        self.closed_since_failure = true;
    }

    fn written(&mut self, net: &Net, id: SocketId, bytes: &[u8]) {
        let socket = net.socket(id);
        let serial = socket.owner;
        let client = &mut self.clients[serial];
        let verdict = client.was_written(&self.plan, net.seen, bytes);
        let verdict = verdict.and(client.is_queued_little(&self.plan, socket));
        self.inspect(serial, verdict);
        let Some(talker) = self.clients[serial].talker_mut() else {
            return;
        };
        match talker.hear(&self.plan, bytes) {
            Ok(heard) => heard
                .into_iter()
                .for_each(|heard| self.heard(serial, heard)),
            Err(what) => self.inspect(serial, Err(what)),
        }
    }

    fn heard(&mut self, serial: usize, heard: Heard) {
        let (speaker, number) = match heard {
            Heard::Message(speaker, number) => (speaker, number),
            Heard::Word(word) => {
                if let Some(talker) = self.clients[serial].talker_mut() {
                    talker.was_late |= word == LATE;
                }
                return;
            }
        };
        let listener = &self.clients[serial];
        let said = (speaker, number);
        let place_of_theirs = self
            .clients
            .get(speaker)
            .and_then(|client| client.ledger.place);
        // Who came first speaks first, unless it was silent for too long: then nobody can tell from here.
        let is_timed = self.plan.turn_timeout.is_some();
        let is_second = !is_timed && listener.ledger.place > place_of_theirs;
        let may_be_second = is_timed || is_second;
        let theirs = self.clients.get(speaker);
        let mut verdict = match is_out_of_place(&self.plan, listener, theirs, said, may_be_second) {
            Some(what) => Err(what),
            None => Ok(()),
        };
        if speaker == OPERATOR && self.plan.partner == Partner::Operator {
            // Each of its messages has one answer.
            let answered = listener.talker().map_or(0, |talker| talker.heard);
            verdict = verdict.and_then(|()| self.answers.heard(number, (serial, answered)));
            if number >= self.typist.answers() {
                verdict = Err(format!("hears answer {number}, which nobody typed"));
            }
        }
        if let Some(talker) = self.clients[serial].talker_mut() {
            if self.plan.partner == Partner::Pair {
                talker.partner = Some(speaker);
                talker.is_second = is_second;
            }
            talker.heard += 1;
        }
        if let Some(talker) = self.clients.get_mut(speaker).and_then(Client::talker_mut)
            && self.plan.partner == Partner::Pair
        {
            talker.partner = Some(serial);
        }
        self.inspect(serial, verdict);
    }

    fn shown(&mut self, bytes: &[u8]) {
        match self.typist.shown(bytes) {
            Ok(lines) => {
                for line in lines {
                    log::info!("shown: {line}");
                    self.answers.shown(&line);
                }
            }
            Err(what) => self.accuse(what),
        }
    }
}
