//! One connection of a browser: it asks once, within its deadline, and gets a reply or a stream of updates
//! until it leaves. What the answers are is in `routes.rs`.

use std::time::Duration;

use serde::Serialize;

use super::broadcast::{Broadcast, Data, Stage};
use super::http::{Reply, Status, stream_head};
use super::request::{BODY_BYTES_MAX, HEAD_BYTES_MAX, Parsed, parse};
use super::routes::{Answer, answer};
use super::snapshot::Tick;
use crate::protocol::{Context, Event};
use crate::reactor::OUTBOX_BYTES_MAX;

/// How long a request may take to come.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);
/// How often a stream gets updates.
pub(crate) const TICK: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(crate) struct HttpSession {
    state: State,
}

#[derive(Debug)]
enum State {
    /// It has not asked yet.
    Asking(Vec<u8>),
    /// What it asked for is being fetched.
    Waiting { is_head: bool },
    /// It gets a stream of updates.
    Streaming { next: u64, missed: u64 },
    /// It has its answer.
    Answered,
}

impl HttpSession {
    pub(crate) fn new(cx: &mut Context<'_>) -> HttpSession {
        cx.set_timer(Some(cx.now().after(REQUEST_TIME_MAX)));
        HttpSession {
            state: State::Asking(Vec::new()),
        }
    }

    pub(crate) fn read_limit(&self) -> usize {
        match &self.state {
            State::Asking(bytes) => HEAD_BYTES_MAX + BODY_BYTES_MAX - bytes.len(),
            // Input is ignored from now on, but EOF is not.
            State::Waiting { .. } | State::Streaming { .. } => 1024,
            State::Answered => 0,
        }
    }

    pub(crate) fn state(&self) -> &'static str {
        match self.state {
            State::Asking(_) => "asking",
            State::Waiting { .. } => "waiting",
            State::Streaming { .. } => "streaming",
            State::Answered => "answered",
        }
    }

    pub(crate) fn step(
        &mut self,
        cx: &mut Context<'_>,
        broadcast: &mut Broadcast,
        event: Event<'_>,
    ) {
        if !broadcast.has_place(cx.me()) {
            return cx.abort();
        }
        match (&mut self.state, event) {
            (State::Asking(bytes), Event::Received(more)) => {
                bytes.extend_from_slice(more);
                self.consider(cx, broadcast);
            }
            (State::Asking(_), Event::Eof) => {
                cx.close();
                self.answered(cx, broadcast);
            }
            (State::Asking(_), Event::TimerExpired(_)) => {
                let words = "the request took too long";
                self.say(cx, broadcast, &Reply::text(Status::TOO_SLOW, words), false);
            }
            (&mut State::Waiting { is_head }, Event::Notified) => {
                if let Some(reply) = broadcast.take_reply(cx.me()) {
                    self.say(cx, broadcast, &reply, is_head);
                }
            }
            (
                State::Streaming { next, missed },
                Event::TimerExpired(_) | Event::Notified | Event::Writable,
            ) => send_updates(cx, broadcast, next, missed),
            // It must not hold up the end of the run; nor must who has asked for nothing: browsers
            // connect in advance.
            (State::Streaming { .. } | State::Asking(_), Event::Stopping) => cx.abort(),
            (
                State::Asking(_)
                | State::Waiting { .. }
                | State::Streaming { .. }
                | State::Answered,
                Event::Received(_)
                | Event::Eof
                | Event::Connected
                | Event::TimerExpired(_)
                | Event::Notified
                | Event::Writable
                | Event::Stopping,
            ) => {}
        }
    }

    /// Answers the request if it is whole.
    fn consider(&mut self, cx: &mut Context<'_>, broadcast: &mut Broadcast) {
        let State::Asking(bytes) = &mut self.state else {
            return;
        };
        let bytes = std::mem::take(bytes);
        let request = match parse(&bytes) {
            Parsed::Partial => {
                self.state = State::Asking(bytes);
                return;
            }
            Parsed::Wrong(reply) => return self.say(cx, broadcast, &reply, false),
            Parsed::Whole(request) => request,
        };
        let is_head = request.method == "HEAD";
        match answer(broadcast, cx, &request) {
            Answer::Now(reply) => self.say(cx, broadcast, &reply, is_head),
            Answer::Later(question) => {
                broadcast.reached(cx.me(), Stage::Served);
                broadcast.ask(cx.me(), question);
                cx.set_timer(None);
                self.state = State::Waiting { is_head };
            }
            Answer::Stream(next) => {
                broadcast.reached(cx.me(), Stage::Served);
                cx.send(stream_head().as_bytes());
                cx.send_with(|out| write_event(out, "meta", broadcast.meta().as_bytes()));
                cx.set_timer(Some(cx.now().after(TICK)));
                self.state = State::Streaming { next, missed: 0 };
            }
        }
    }

    fn say(
        &mut self,
        cx: &mut Context<'_>,
        broadcast: &mut Broadcast,
        reply: &Reply,
        is_head: bool,
    ) {
        cx.set_timer(None);
        reply.send(cx, is_head);
        self.answered(cx, broadcast);
    }

    fn answered(&mut self, cx: &Context<'_>, broadcast: &mut Broadcast) {
        broadcast.reached(cx.me(), Stage::Answered);
        self.state = State::Answered;
    }
}

/// A tick as one browser gets it.
#[derive(Serialize)]
struct SentTick<'a> {
    #[serde(flatten)]
    tick: &'a Tick,
    /// Events that it was too slow to take.
    missed: u64,
}

/// Sends what is new and fits; what is too old by the time it does is missed.
fn send_updates(cx: &mut Context<'_>, broadcast: &mut Broadcast, next: &mut u64, missed: &mut u64) {
    let oldest = broadcast.oldest_update().max(*next);
    let lost = oldest - *next;
    *missed += lost;
    broadcast.missed += lost;
    *next = oldest;
    for updates in broadcast.updates_since(*next) {
        let mut event = Vec::new();
        match &updates.data {
            Data::Written(data) => write_event(&mut event, updates.name, data),
            Data::Tick(tick) => {
                let sent = SentTick {
                    tick,
                    missed: *missed,
                };
                let data = serde_json::to_vec(&sent).expect("numbers and names");
                write_event(&mut event, updates.name, &data);
            }
        }
        // What is larger than any outbox goes out when there is nothing else.
        if event.len() > cx.send_capacity() && cx.send_capacity() < OUTBOX_BYTES_MAX {
            break;
        }
        cx.send(&event);
        *next = updates.number + 1;
    }
    cx.set_timer(Some(cx.now().after(TICK)));
}

/// One server-sent event (WHATWG HTML, section 9.2). JSON has no line ends.
fn write_event(out: &mut Vec<u8>, name: &str, data: &[u8]) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}
