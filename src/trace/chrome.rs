//! Moments as Chrome trace events, which Perfetto opens: one track for the loop, one for each
//! connection, a counter of connections. One JSON array, an event a line. Only what happened is
//! written: nothing is kept to be told later.
//!
//! The source of the format is Google's "Trace Event Format": `ph` B and E open and close a slice, i
//! is an instant, C a counter, M a name; `ts` is in microseconds.

use std::collections::BTreeMap;

use serde::Serialize;

use super::json::{self, Object};
use super::{Hold, Memory, Moment};
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

    /// The lines of a moment that `memory` has seen.
    pub fn event(
        &mut self,
        out: &mut Vec<u8>,
        at: Time,
        memory: &Memory,
        moment: &Moment<'_>,
        payload: usize,
    ) {
        let args = json::Particulars(Object {
            at,
            memory,
            moment,
            payload,
        });
        let track = moment.peer().map_or(LOOP, track);
        match *moment {
            Moment::Waiting { .. } => {
                let name = if memory.looks() { "look" } else { "asleep" };
                line(out, &slice(at, track, name, &args));
            }
            Moment::Woke { .. } => {
                line(out, &end(at, track));
                line(
                    out,
                    &slice(at, track, &format!("turn {}", memory.turn()), &args),
                );
            }
            Moment::Ended => line(out, &end(at, track)),
            Moment::Opened { name, standing, .. } => {
                let protocol = standing.protocol;
                let mut name = name.to_string();
                if !name.ends_with(protocol) {
                    name = format!("{name} {protocol}");
                }
                line(out, &named(at, track, "thread_name", &Name { name: &name }));
                line(out, &slice(at, track, standing.state, &args));
                *self.open.entry(protocol).or_insert(0) += 1;
                self.count(out, at);
            }
            Moment::Moved { to, .. } => {
                line(out, &end(at, track));
                line(out, &slice(at, track, to.state, &args));
            }
            Moment::Closed { peer, .. } => {
                line(out, &instant(at, track, &label(moment), &args));
                line(out, &end(at, track));
                if let Some(known) = memory.peer(peer) {
                    self.open
                        .entry(known.protocol)
                        .and_modify(|count| *count -= 1);
                }
                self.count(out, at);
            }
            Moment::Ready { .. }
            | Moment::Accepted { .. }
            | Moment::Paused { .. }
            | Moment::Read { .. }
            | Moment::Held { .. }
            | Moment::Peeked { .. }
            | Moment::Wrote { .. }
            | Moment::Shut { .. }
            | Moment::Told { .. }
            | Moment::Wished { .. }
            | Moment::Watched { .. }
            | Moment::Armed { .. }
            | Moment::Fired { .. } => line(out, &instant(at, track, &label(moment), &args)),
        }
    }

    /// How many connections of each protocol there are now.
    fn count(&self, out: &mut Vec<u8>, at: Time) {
        line(out, &event("C", at, LOOP, "connections", Some(&self.open)));
    }
}

/// The line that says how many are missing before it.
pub fn dropped(lines: u64) -> String {
    format!(
        ",{{\"ph\":\"M\",\"ts\":0,\"pid\":{PID},\"tid\":{LOOP},\"name\":\"dropped\",\"args\":{{\"lines\":{lines}}}}}\n"
    )
}

/// What an instant is called: its kind and the one thing that matters most about it.
fn label(moment: &Moment<'_>) -> String {
    let kind = moment.kind();
    let moved = |result: Result<usize, &_>| match result {
        Ok(count) => format!("{kind} {count}"),
        Err(error) => format!("{kind} {}", json::error_word(error)),
    };
    match *moment {
        Moment::Ready { flags, .. } => format!("{kind} {flags}"),
        Moment::Read { result, .. } => moved(result.map(<[u8]>::len)),
        Moment::Peeked { result, .. } | Moment::Wrote { result, .. } => moved(result),
        Moment::Accepted {
            result: Err(error), ..
        }
        | Moment::Shut {
            result: Err(error), ..
        }
        | Moment::Watched {
            result: Err(error), ..
        } => moved(Err(error)),
        Moment::Held {
            why: Hold::Outbox { .. },
            ..
        } => format!("{kind}: outbox"),
        Moment::Held {
            why: Hold::Session, ..
        } => format!("{kind}: session"),
        Moment::Told { event, .. } => format!("{kind} {event}"),
        Moment::Wished { effect, .. } => format!("{kind} {effect}"),
        Moment::Watched { interest, .. } => format!("{kind} {}", interest.interest()),
        Moment::Closed { reason, .. } => format!("{kind} {reason:?}"),
        Moment::Waiting { .. }
        | Moment::Woke { .. }
        | Moment::Ended
        | Moment::Accepted { .. }
        | Moment::Paused { .. }
        | Moment::Opened { .. }
        | Moment::Shut { .. }
        | Moment::Moved { .. }
        | Moment::Armed { .. }
        | Moment::Fired { .. } => kind.to_owned(),
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
