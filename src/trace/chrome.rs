//! Moments as Chrome trace events, which Perfetto opens: one track for the loop, one for each
//! connection, a counter of connections. One JSON array, an event a line. Only what happened is
//! written: nothing is kept to be told later.
//!
//! The source of the format is Google's "Trace Event Format": `ph` B and E open and close a slice, i
//! is an instant, C a counter, M a name; `ts` is in microseconds.

use std::collections::BTreeMap;

use serde::Serialize;

use super::json::{self, Object};
use super::{Directory, ReadPause, TraceEvent};
use crate::protocol::{PeerId, Time};

/// Closes the array.
pub const LAST: &str = "]\n";
/// There is one process.
const PID: u64 = 1;
/// The track of the loop: the main thread of its process.
const LOOP: u64 = PID;

/// What the counter needs.
#[derive(Debug, Default)]
pub struct Chrome {
    /// Peers that are there, of each protocol.
    open: BTreeMap<&'static str, u64>,
}

/// One event. The order of its fields is that of the file.
#[derive(Serialize)]
struct Event<'a, A> {
    ph: &'static str,
    ts: f64,
    pid: u64,
    tid: u64,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<A>,
}

impl Chrome {
    /// The first lines.
    pub fn begin(&mut self, out: &mut Vec<u8>, program: &str) {
        out.push(b'[');
        write(
            out,
            &named(Time::ZERO, LOOP, "process_name", &Name { name: program }),
        );
        line(
            out,
            &named(Time::ZERO, LOOP, "thread_name", &Name { name: "the loop" }),
        );
    }

    /// The lines of a moment that `directory` has seen.
    pub fn event(
        &mut self,
        out: &mut Vec<u8>,
        at: Time,
        directory: &Directory,
        moment: &TraceEvent<'_>,
        payload: usize,
    ) {
        let args = json::Particulars(Object {
            at,
            directory,
            moment,
            payload,
        });
        let track = moment.peer().map_or(LOOP, track);
        match *moment {
            TraceEvent::Waiting { .. } => {
                let name = if directory.looks() { "look" } else { "asleep" };
                line(out, &slice(at, track, name, &args));
            }
            TraceEvent::Woken { .. } => {
                line(out, &end(at, track));
                line(
                    out,
                    &slice(at, track, &format!("turn {}", directory.turn()), &args),
                );
            }
            TraceEvent::Ended => line(out, &end(at, track)),
            TraceEvent::Opened { name, state, .. } => {
                let protocol = state.protocol;
                let mut name = name.to_string();
                if !name.ends_with(protocol) {
                    name = format!("{name} {protocol}");
                }
                line(out, &named(at, track, "thread_name", &Name { name: &name }));
                line(out, &slice(at, track, state.state, &args));
                *self.open.entry(protocol).or_insert(0) += 1;
                self.count(out, at);
            }
            TraceEvent::Moved { to, .. } => {
                line(out, &end(at, track));
                line(out, &slice(at, track, to.state, &args));
            }
            TraceEvent::Closed { peer, .. } => {
                line(out, &instant(at, track, &label(moment), &args));
                line(out, &end(at, track));
                if let Some(known) = directory.peer(peer) {
                    self.open
                        .entry(known.protocol)
                        .and_modify(|count| *count -= 1);
                }
                self.count(out, at);
            }
            TraceEvent::Ready { .. }
            | TraceEvent::Accepted { .. }
            | TraceEvent::AcceptPaused { .. }
            | TraceEvent::Read { .. }
            | TraceEvent::ReadPaused { .. }
            | TraceEvent::Peeked { .. }
            | TraceEvent::Wrote { .. }
            | TraceEvent::ShutDown { .. }
            | TraceEvent::Dispatched { .. }
            | TraceEvent::Effect { .. }
            | TraceEvent::Registered { .. }
            | TraceEvent::TimerSet { .. }
            | TraceEvent::Fired { .. } => line(out, &instant(at, track, &label(moment), &args)),
        }
    }

    /// How many connections of each protocol there are now.
    fn count(&self, out: &mut Vec<u8>, at: Time) {
        line(out, &event("C", at, LOOP, "connections", Some(&self.open)));
    }
}

/// The line that says how many are missing before it.
pub fn dropped(lines: u64) -> String {
    let args = serde_json::json!({ "lines": lines });
    let mut out = Vec::new();
    line(&mut out, &named(Time::ZERO, LOOP, "dropped", args));
    String::from_utf8(out).expect("JSON is UTF-8")
}

/// What an instant is called: its kind and the one thing that matters most about it.
fn label(moment: &TraceEvent<'_>) -> String {
    let kind = moment.kind();
    let moved = |result: Result<usize, &_>| match result {
        Ok(count) => format!("{kind} {count}"),
        Err(error) => format!("{kind} {}", json::error_word(error)),
    };
    match *moment {
        TraceEvent::Ready { flags, .. } => format!("{kind} {flags}"),
        TraceEvent::Read { result, .. } => moved(result.map(<[u8]>::len)),
        TraceEvent::Peeked { result, .. } | TraceEvent::Wrote { result, .. } => moved(result),
        TraceEvent::Accepted {
            result: Err(error), ..
        }
        | TraceEvent::ShutDown {
            result: Err(error), ..
        }
        | TraceEvent::Registered {
            result: Err(error), ..
        } => moved(Err(error)),
        TraceEvent::ReadPaused {
            why: ReadPause::Outbox { .. },
            ..
        } => format!("{kind}: outbox"),
        TraceEvent::ReadPaused {
            why: ReadPause::Session,
            ..
        } => format!("{kind}: session"),
        TraceEvent::Dispatched { event, .. } => format!("{kind} {event}"),
        TraceEvent::Effect { effect, .. } => format!("{kind} {effect}"),
        TraceEvent::Registered { interest, .. } => format!("{kind} {}", interest.interest()),
        TraceEvent::Closed { reason, .. } => format!("{kind} {reason:?}"),
        TraceEvent::Waiting { .. }
        | TraceEvent::Woken { .. }
        | TraceEvent::Ended
        | TraceEvent::Accepted { .. }
        | TraceEvent::AcceptPaused { .. }
        | TraceEvent::Opened { .. }
        | TraceEvent::ShutDown { .. }
        | TraceEvent::Moved { .. }
        | TraceEvent::TimerSet { .. }
        | TraceEvent::Fired { .. } => kind.to_owned(),
    }
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}

/// The track of a peer. Its generation is its own, and begins at 1.
fn track(peer: PeerId) -> u64 {
    LOOP + u64::from(peer.generation)
}

fn slice<'a, A>(at: Time, tid: u64, name: &'a str, args: A) -> Event<'a, A> {
    event("B", at, tid, name, Some(args))
}

fn named<'a, A>(at: Time, tid: u64, what: &'a str, args: A) -> Event<'a, A> {
    event("M", at, tid, what, Some(args))
}

fn instant<'a, A>(at: Time, tid: u64, name: &'a str, args: A) -> Event<'a, A> {
    let event = event("i", at, tid, name, Some(args));
    // As high as its track.
    Event {
        s: Some("t"),
        ..event
    }
}

fn end(at: Time, tid: u64) -> Event<'static, ()> {
    event("E", at, tid, "", None)
}

fn event<'a, A>(
    ph: &'static str,
    at: Time,
    tid: u64,
    name: &'a str,
    args: Option<A>,
) -> Event<'a, A> {
    Event {
        ph,
        ts: at.as_nanos() as f64 / 1000.0,
        pid: PID,
        tid,
        name,
        s: None,
        args,
    }
}

/// Every line but the first.
fn line(out: &mut Vec<u8>, event: &impl Serialize) {
    out.push(b',');
    write(out, event);
}

fn write(out: &mut Vec<u8>, event: &impl Serialize) {
    serde_json::to_writer(&mut *out, event).expect("a Vec takes everything, and the keys are text");
    out.push(b'\n');
}
