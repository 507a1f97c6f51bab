//! Events as Chrome trace events, which Perfetto opens: one track for the loop, one for each
//! connection, a counter of connections. One JSON array, an event a line. Only what happened is
//! written: nothing is kept to be told later.
//!
//! The source of the format is Google's "Trace Event Format": `ph` B and E open and close a slice, i
//! is an instant, C a counter, M a name; `ts` is in microseconds.

use std::collections::BTreeMap;

use serde::Serialize;

use super::json::{Object, Particulars};
use super::text::Text;
use super::{Directory, Subject, TraceEvent};
use crate::protocol::Time;

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

    /// The lines of an event that `directory` has seen.
    pub fn event(
        &mut self,
        out: &mut Vec<u8>,
        at: Time,
        directory: &Directory,
        event: &TraceEvent<'_>,
        payload: usize,
    ) {
        let args = Particulars(Object {
            at,
            directory,
            event,
            payload,
        });
        let track = track(event.subject());
        if let TraceEvent::Waiting { .. } = event {
            let name = if directory.polls() { "poll" } else { "asleep" };
            line(out, &slice(at, track, name, &args));
        } else if let TraceEvent::Awake { .. } = event {
            line(out, &end(at, track));
            let name = format!("turn {}", directory.turn());
            line(out, &slice(at, track, &name, &args));
        } else if let TraceEvent::Ended = event {
            line(out, &end(at, track));
        } else if let TraceEvent::Opened { name, state, .. } = *event {
            let protocol = state.protocol;
            let mut name = name.to_string();
            if !name.ends_with(protocol) {
                name = format!("{name} {protocol}");
            }
            line(out, &named(at, track, "thread_name", &Name { name: &name }));
            line(out, &slice(at, track, state.state, &args));
            *self.open.entry(protocol).or_insert(0) += 1;
            self.count(out, at);
        } else if let TraceEvent::Moved { to, .. } = event {
            line(out, &end(at, track));
            line(out, &slice(at, track, to.state, &args));
        } else {
            let name = format!("{:#}", LABEL.line(at, directory, event));
            line(out, &instant(at, track, &name, &args));
        }
        if let TraceEvent::Closed { peer, .. } = *event {
            line(out, &end(at, track));
            if let Some(known) = directory.peer(peer) {
                let open = self.open.entry(known.state.protocol);
                open.and_modify(|count| *count -= 1);
            }
            self.count(out, at);
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

/// What an instant is called: its kind, and what its line of text says, without bytes of a peer.
const LABEL: Text = Text {
    is_coloured: false,
    payload: 0,
    error_word: super::json::error_word,
};

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}

/// The track of a peer is its own: so is its generation, which begins at 1.
fn track(subject: Subject) -> u64 {
    match subject {
        Subject::Loop | Subject::Waker | Subject::Listener(_) => LOOP,
        Subject::Peer(peer) => LOOP + u64::from(peer.generation),
    }
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
