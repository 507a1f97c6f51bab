//! One connection that asks: what it sends when, and what came back. echo and chat differ in how
//! answers are cut; nothing else is decided by the protocol.

use std::collections::VecDeque;

use super::pace::Pace;
use super::payload::{Name, Payloads};
use super::recorder::{Recorder, Request};
use super::verify::{Finding, Verifier};
use crate::protocol::framing::{Decoder, Framing, encode};
use crate::protocol::{Context, Time};
use crate::reactor::{OUTBOX_BYTES_LOW, OUTBOX_BYTES_MAX};

/// A connection that sends requests and waits for their answers.
pub struct Requester {
    connection: u32,
    sent: u64,
    under_way: VecDeque<Request>,
    verifier: Verifier,
    /// How chat messages are delimited; an echo is not.
    decoder: Option<Decoder>,
    /// When requests are due in an open loop, once it has begun.
    pace: Option<Pace>,
}

/// What all connections that ask share.
pub struct Orders {
    pub payloads: Payloads,
    pub pipeline: usize,
    pub framing: Option<Framing>,
    /// Whether requests may be sent, and how many more.
    pub budget: Budget,
    /// Requests in flight on all connections.
    pub under_way: u64,
    /// Since when there are some.
    pub busy_since: Time,
}

impl Orders {
    /// One more is sent; whether it is one of a number that was ordered.
    pub fn send(&mut self, now: Time) -> bool {
        if self.under_way == 0 {
            self.busy_since = now;
        }
        self.budget.spend();
        self.under_way += 1;
        self.budget != Budget::Unlimited
    }
}

/// How many requests may still be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    Unlimited,
    Left(u64),
}

impl Budget {
    /// Whether none is left.
    pub fn is_spent(self) -> bool {
        self == Budget::Left(0)
    }

    /// One is sent.
    fn spend(&mut self) {
        match self {
            Budget::Unlimited => {}
            Budget::Left(left) => *left -= 1,
        }
    }
}

impl Requester {
    pub fn new(connection: u32, orders: &Orders) -> Requester {
        let decoder = orders
            .framing
            .map(|framing| Decoder::new(framing, orders.payloads.size()));
        Requester {
            connection,
            sent: 0,
            under_way: VecDeque::new(),
            verifier: Verifier::new(connection),
            decoder,
            pace: None,
        }
    }

    /// How much it can take at once.
    pub fn read_limit(&self) -> usize {
        match &self.decoder {
            None => usize::MAX,
            Some(decoder) => decoder.read_limit(),
        }
    }

    /// The number of its connection, as its payloads name it.
    pub fn number(&self) -> u32 {
        self.connection
    }

    /// Whether any of its requests was answered.
    pub fn was_answered(&self) -> bool {
        self.verifier.unanswered(self.sent) < self.sent
    }

    /// What came last and is no answer.
    pub fn strange(&self) -> &[u8] {
        self.verifier.strange()
    }

    /// Whether it has asked and none of its requests was answered.
    pub fn is_unanswered(&self) -> bool {
        self.sent > 0 && !self.was_answered()
    }

    /// Whether it has begun to ask by a pace.
    pub fn is_paced(&self) -> bool {
        self.pace.is_some()
    }

    /// The load begins, and requests are due by it and not by answers.
    pub fn begin(&mut self, pace: Pace) {
        self.pace = Some(pace);
    }

    /// Takes what arrived; false if it can make nothing of what comes after.
    pub fn hear(
        &mut self,
        cx: &mut Context<'_>,
        orders: &mut Orders,
        recorder: &mut Recorder,
        bytes: &[u8],
    ) -> bool {
        match &mut self.decoder {
            None => self.judge(orders, recorder, cx.now(), bytes),
            Some(decoder) => {
                decoder.receive(bytes, cx.now());
                self.hear_messages(cx, Time::ZERO, orders, recorder)
            }
        }
    }

    /// Takes the messages that are whole, where the server was silent until then.
    pub fn hear_messages(
        &mut self,
        cx: &mut Context<'_>,
        silent_until: Time,
        orders: &mut Orders,
        recorder: &mut Recorder,
    ) -> bool {
        while let Some(decoder) = &mut self.decoder {
            match decoder.next(silent_until) {
                Ok(None) => break,
                Ok(Some(message)) if !self.is_well_cut(orders, &message) => {
                    self.refuse(orders, recorder, message.len());
                    return false;
                }
                Ok(Some(message)) => {
                    if !self.judge(orders, recorder, cx.now(), &message) {
                        return false;
                    }
                }
                Err(_overlong) => {
                    let size = orders.payloads.size();
                    recorder.found(self.connection, Finding::Surplus(size));
                    return false;
                }
            }
        }
        true
    }

    /// Whether a message ends where it should. A chunk may come in pieces, other messages may not.
    fn is_well_cut(&self, orders: &Orders, message: &[u8]) -> bool {
        orders.framing == Some(Framing::Chunk) || message.len() == orders.payloads.size()
    }

    fn refuse(&mut self, orders: &mut Orders, recorder: &mut Recorder, bytes: usize) {
        let finding = self.verifier.refuse(self.sent, bytes);
        if recorder.found(self.connection, finding) {
            orders.under_way -= 1;
            self.under_way.pop_front();
        }
    }

    fn judge(
        &mut self,
        orders: &mut Orders,
        recorder: &mut Recorder,
        now: Time,
        bytes: &[u8],
    ) -> bool {
        let Requester {
            connection,
            sent,
            under_way,
            verifier,
            ..
        } = self;
        let mut is_on_track = true;
        let all = &mut orders.under_way;
        verifier.take(&orders.payloads, *sent, bytes, |finding| {
            is_on_track &= finding != Finding::LostTrack;
            if !recorder.found(*connection, finding) {
                return;
            }
            *all -= 1;
            let request = under_way.pop_front().expect("it was under way");
            if let Finding::Answered(_) = finding {
                recorder.answered(request, now);
            }
        });
        is_on_track
    }

    /// Sends what is due, as long as there is room for it.
    pub fn ask(&mut self, cx: &mut Context<'_>, orders: &mut Orders, recorder: &mut Recorder) {
        let now = cx.now();
        while !orders.budget.is_spent() && cx.send_capacity() >= OUTBOX_BYTES_MAX - OUTBOX_BYTES_LOW
        {
            let due = match &mut self.pace {
                Some(pace) if pace.due() > now => break,
                Some(pace) => pace.take(),
                None if self.under_way.len() >= orders.pipeline => break,
                None => now,
            };
            self.send(cx, orders);
            self.under_way.push_back(Request {
                due,
                sent: now,
                is_ordered: orders.send(now),
            });
            if self.pace.is_some() {
                recorder.asked(due, now);
            }
        }
        let silence = self.decoder.as_ref().and_then(Decoder::wake_at);
        let due = self.pace.as_ref().map(Pace::due);
        let due = due.filter(|&due| due > now && !orders.budget.is_spent());
        let wake_at = [silence, due].into_iter().flatten().min();
        if wake_at.is_some() || self.decoder.is_some() {
            cx.set_timer(wake_at);
        }
    }

    fn send(&mut self, cx: &mut Context<'_>, orders: &Orders) {
        let name = Name {
            connection: self.connection,
            sequence: self.sent,
        };
        self.sent += 1;
        match orders.framing {
            None => cx.send_with(|out| orders.payloads.write(name, out)),
            Some(framing) => {
                let mut message = Vec::with_capacity(orders.payloads.size());
                orders.payloads.write(name, &mut message);
                cx.send_with(|out| encode(framing, &message, out));
            }
        }
    }

    /// The connection is gone, or the run is: nothing of it is under way any more.
    pub fn give_up(&mut self, orders: &mut Orders) {
        orders.under_way -= self.under_way.len() as u64;
        self.under_way.clear();
    }

    /// What was not answered never will be.
    pub fn lose_unanswered(&self, recorder: &mut Recorder) {
        let first = self.sent - self.verifier.unanswered(self.sent);
        for sequence in first..self.sent {
            recorder.lose(Name {
                connection: self.connection,
                sequence,
            });
        }
    }
}
