//! The world around a simulated server: when clients come, who acts next, and what everybody saw.
//! The first thing that is wrong is kept; what each client does is its own business.

mod answers;
mod queues;
mod seen;
mod watch;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use super::client::{Client, Outcome, Stage};
use super::draw;
use super::kernel::{Action, Clock, Environment};
use super::net::{Net, SocketId};
use super::plan::Plan;
use super::random::Random;
use super::remote::Received;
use super::thread::Thread;
use super::typist::Typist;
use crate::protocol::Time;
use crate::protocol::chat::Partner;
use answers::Answers;
use queues::Queues;

/// Who owns the two streams that are no clients.
pub(super) const TERMINAL: usize = usize::MAX;
pub(super) const SIGNALS: usize = usize::MAX - 1;
/// How many listeners there are.
const PORTS: usize = 3;
/// Waits in a row that only look and come to nothing.
const LOOKS_MAX: u32 = 2_000;
/// How long a chat client waits for a partner before it gives up.
const LONELY_MAX: Duration = Duration::from_secs(10);
/// How long it takes two who wait for a partner to find each other, at the most.
const MATCHING_MAX: Duration = Duration::from_secs(5);
/// A client that is still there after this, though nothing holds it, is stranded.
const PATIENCE: Duration = Duration::from_secs(20_000);
/// Addresses that clients come from.
const ADDRESSES: usize = 16;

/// The clients, the user at the terminal, and the checker.
#[derive(Debug)]
pub(super) struct World {
    plan: Plan,
    rng: Random,
    clients: Vec<Client>,
    agenda: BinaryHeap<Reverse<(Time, usize)>>,
    next_arrival: Option<Time>,
    typist: Typist,
    signals: Option<SocketId>,
    acts: u64,
    accepted: usize,
    /// Connections that the server holds, and those from each address.
    held: usize,
    held_from: [usize; ADDRESSES],
    left: usize,
    turn: u64,
    looks: u32,
    dirty: Vec<usize>,
    reported: Vec<usize>,
    reported_in_turn: usize,
    accept_failed_at: Time,
    closed_since_failure: bool,
    answers: Answers,
    queues: Queues,
    pub(super) thread: Thread,
    stop_at: Option<Time>,
    stopping_since: Option<Time>,
    violation: Option<String>,
}

impl World {
    /// A world in which nobody has come yet.
    pub(super) fn new(plan: Plan) -> World {
        let mut rng = Random::new(plan.seed ^ 0x00c1_1e47);
        let span = plan.arrival_gap_max * u32::try_from(plan.clients / 4).unwrap_or(u32::MAX);
        let most = u64::try_from(span.as_nanos())
            .unwrap_or(u64::MAX)
            .max(1_000_000);
        let stop_at = plan
            .stops_early
            .then(|| Time::from_nanos(rng.between(1, most)));
        World {
            typist: Typist::new(plan.seed),
            rng,
            clients: Vec::with_capacity(plan.clients),
            agenda: BinaryHeap::new(),
            next_arrival: Some(Time::ZERO),
            signals: None,
            acts: 0,
            accepted: 0,
            held: 0,
            held_from: [0; ADDRESSES],
            left: 0,
            turn: 0,
            looks: 0,
            dirty: Vec::new(),
            reported: Vec::new(),
            reported_in_turn: 0,
            accept_failed_at: Time::ZERO,
            closed_since_failure: false,
            answers: Answers::default(),
            queues: Queues::default(),
            thread: Thread::new(plan.seed),
            stop_at,
            stopping_since: None,
            violation: None,
            plan,
        }
    }

    /// The streams of the server that are no clients'.
    pub(super) fn open(&mut self, terminal: SocketId, signals: SocketId) {
        self.typist.id = Some(terminal);
        self.signals = Some(signals);
    }

    /// Closes their remote ends.
    pub(super) fn close(&mut self, net: &mut Net) {
        for id in [self.typist.id.take(), self.signals.take()]
            .into_iter()
            .flatten()
        {
            net.close(id);
        }
    }

    /// The first thing that was wrong.
    pub(super) fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    /// Notes what is wrong, unless something was before.
    pub(super) fn accuse(&mut self, what: String) {
        log::info!("WRONG: {what}");
        self.violation.get_or_insert(what);
    }

    /// Notes what is wrong, if something is.
    pub(super) fn note(&mut self, verdict: Result<(), String>) {
        verdict.unwrap_or_else(|what| self.accuse(what));
    }

    /// How often a client or the user did something.
    pub(super) fn acts(&self) -> u64 {
        self.acts
    }

    /// When the server read the signal to stop.
    pub(super) fn stopping_since(&self) -> Option<Time> {
        self.stopping_since
    }

    /// Those who have not left, for people.
    pub(super) fn stragglers(&self) -> String {
        let there = self
            .clients
            .iter()
            .filter(|client| client.stage != Stage::Gone);
        let names: Vec<String> = there.take(3).map(Client::to_string).collect();
        names.join("; ")
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left == self.clients.len()
    }

    fn arrive(&mut self, now: Time) {
        let serial = self.clients.len();
        let host = u8::try_from(serial % ADDRESSES).expect("few addresses");
        let port = 1024 + u16::try_from(serial % 60_000).expect("less than 60,000");
        let address = SocketAddr::from(([127, 0, 0, 1 + host], port));
        let client = draw::draw(&self.plan, &mut self.rng, serial, address);
        self.clients.push(client);
        self.schedule(serial, now);
        let gap = self.rng.duration(self.plan.arrival_gap_max);
        let is_last = self.clients.len() >= self.plan.clients || self.stopping_since.is_some();
        self.next_arrival = (!is_last).then(|| now.after(gap));
    }

    fn schedule(&mut self, serial: usize, at: Time) {
        let client = &mut self.clients[serial];
        if client.stage != Stage::Gone && client.due.is_none_or(|due| at < due) {
            client.due = Some(at);
            self.agenda.push(Reverse((at, serial)));
        }
    }

    fn act_client(&mut self, net: &mut Net, serial: usize) {
        self.acts += 1;
        let client = &mut self.clients[serial];
        client.due = None;
        let outcome = client.act(net, &self.plan);
        log::info!("{} {client}: {outcome}", Clock(net.now));
        match outcome {
            Outcome::Again(Some(at)) => self.schedule(serial, at),
            Outcome::Again(None) => self.wait_for_partner(net, serial),
            Outcome::Ended(end) => self.saw_end(net, serial, end),
            Outcome::Left | Outcome::Refused => {
                if self.clients[serial].stage != Stage::Gone {
                    self.clients[serial].leave(net);
                }
            }
        }
        if self.clients[serial].stage == Stage::Gone {
            self.left += 1;
        }
        self.mark_dirty(serial);
    }

    fn saw_end(&mut self, net: &mut Net, serial: usize, end: Received) {
        let client = &self.clients[serial];
        let partner = client.talker().and_then(|talker| talker.partner);
        let partner = partner.and_then(|partner| self.clients.get(partner));
        let is_stopping = self.stopping_since.is_some();
        let is_sacrificed = client.id.is_some_and(|id| net.socket(id).is_sacrificed());
        if !is_sacrificed && (client.ledger.place.is_some() || !is_stopping) {
            let verdict = client.saw_end(
                &self.plan,
                end,
                partner,
                is_stopping,
                !net.stopped.is_zero(),
            );
            self.inspect(serial, verdict);
        }
        let client = &mut self.clients[serial];
        let is_alone = client.id.is_none_or(|id| net.socket(id).is_gone());
        let lingers = client.behaviour.lingers && !is_alone && client.stage == Stage::Talking;
        if lingers && end == Received::End {
            client.stage = Stage::Lingering;
        } else {
            client.leave(net);
        }
    }

    /// A chat client that nobody talks with gives up after a while, unless two of them do.
    fn wait_for_partner(&mut self, net: &mut Net, serial: usize) {
        let client = &self.clients[serial];
        if self.plan.partner != Partner::Pair || !is_lonely(client) {
            return;
        }
        let until = client.ledger.accepted.after(LONELY_MAX + net.stopped);
        if until > net.now {
            self.schedule(serial, until);
            return;
        }
        let long_ago = |other: &&Client| {
            other.behaviour.reads_after == Duration::ZERO
                && other.stage == Stage::Talking
                && other.ledger.accepted.after(MATCHING_MAX + net.stopped) < net.now
        };
        // Whoever is silent may be the partner of one of them.
        let hears = client.behaviour.reads_after == Duration::ZERO
            && client.stage == Stage::Talking
            && !self.plan.has_silent_clients;
        let mut others = self.clients.iter().filter(|other| other.serial != serial);
        let other = others.find(|other| is_lonely(other) && long_ago(other));
        if let Some(other) = other.filter(|_| hears) {
            let verdict = Err(format!("and {} wait for a partner", other.serial));
            self.inspect(serial, verdict);
        }
        // An end in mid-message would make it a message.
        self.clients[serial].leave_by(net, Net::reset);
    }

    pub(super) fn inspect(&mut self, serial: usize, verdict: Result<(), String>) {
        if let Err(what) = verdict {
            let role = self.clients[serial].port();
            self.accuse(format!("{role:?} client {serial} {what}"));
        }
    }

    fn mark_dirty(&mut self, serial: usize) {
        if !std::mem::replace(&mut self.clients[serial].ledger.is_dirty, true) {
            self.dirty.push(serial);
        }
    }

    /// Once everybody has left, or when the plan says so, the server is told to end.
    fn end(&mut self, net: &mut Net) {
        let is_over = self.is_empty() && self.next_arrival.is_none() && net.dials.is_empty();
        if self.stop_at.is_none() && is_over {
            self.stop_at = Some(net.now);
        }
        if self.stop_at.is_some_and(|at| at <= net.now) && self.stopping_since.is_none() {
            self.stop_at = Some(Time::NEVER);
            match self.thread.stop() {
                Ok(true) => self.begins_to_stop(net),
                Ok(false) => {
                    if let Some(signals) = self.signals {
                        // It cannot fail: nobody else writes there.
                        let _ = net.send(signals, &[15]);
                    }
                }
                Err(what) => self.accuse(what),
            }
        }
    }
}

/// A chat client that waits for somebody to talk with.
fn is_lonely(client: &Client) -> bool {
    let Some(talker) = client.talker() else {
        return false;
    };
    let is_there = matches!(client.stage, Stage::Talking | Stage::Finished);
    is_there
        && client.ledger.place.is_some()
        && client.ledger.excuse.is_none()
        && talker.partner.is_none()
        && talker.heard == 0
        && talker.has_begun()
}

impl Environment for World {
    fn next(&self) -> Option<Time> {
        if self.violation.is_some() {
            return None;
        }
        let clients = self.agenda.peek().map(|Reverse((at, _))| *at);
        let stop = self.stop_at.filter(|&at| at < Time::NEVER);
        clients
            .into_iter()
            .chain(self.next_arrival)
            .chain(self.typist.due)
            .chain(self.thread.due)
            .chain(stop)
            .min()
    }

    fn act(&mut self, net: &mut Net) {
        while let Some(at) = self.next_arrival.filter(|&at| at <= net.now) {
            self.arrive(at.max(net.now));
        }
        if self.typist.due.is_some_and(|due| due <= net.now) {
            self.acts += 1;
            self.typist.act(net, &self.plan);
        }
        if self.thread.due.is_some_and(|due| due <= net.now) {
            let verdict = self.thread.act(net.now);
            self.note(verdict);
        }
        while let Some(&Reverse((at, serial))) = self.agenda.peek() {
            if at > net.now {
                break;
            }
            self.agenda.pop();
            if self.clients[serial].due == Some(at) {
                self.act_client(net, serial);
            }
        }
        self.check_patience(net);
        // Those who are left when the run is over act, too.
        if net.is_asleep {
            self.check_shutdown(net);
        }
        self.end(net);
    }

    fn saw(&mut self, net: &mut Net, id: SocketId, action: Action<'_>) {
        self.look_at(net, id, action);
    }

    fn accept_failed(&mut self, net: &Net) {
        self.accept_failed_at = net.now;
        self.closed_since_failure = false;
    }

    fn asked_in_vain(&mut self, listener: usize) {
        self.queues.asked_in_vain(listener);
    }

    fn waits(&mut self, net: &Net, is_asleep: bool) {
        self.check(net, is_asleep);
    }

    fn never_waits(&mut self, calls: u64) {
        self.accuse(format!(
            "the process has made {calls} calls and does not wait: it spins"
        ));
    }
}
