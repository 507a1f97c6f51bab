//! One event as one flat JSON object: a line of `--trace FILE.jsonl`, and what the explorer page
//! gets. Where it is written to is not decided here.

use std::borrow::Cow;
use std::fmt::{Debug, Display};
use std::io;
use std::time::Duration;

use nix::errno::Errno;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::{Directory, Flags, ReadPause, Subject, TraceEvent};
use crate::protocol::Time;
use crate::protocol::display::Escaped;

/// Appends an event that `directory` has seen to `out`, without a line end. At most `payload` bytes of
/// what a peer sends or is sent are shown, escaped.
pub fn object(
    out: &mut Vec<u8>,
    at: Time,
    directory: &Directory,
    event: &TraceEvent<'_>,
    payload: usize,
) {
    let object = Object {
        at,
        directory,
        event,
        payload,
    };
    serde_json::to_writer(out, &object).expect("a Vec takes everything, and the keys are text");
}

/// The same, as a part of other JSON.
pub fn raw(
    at: Time,
    directory: &Directory,
    event: &TraceEvent<'_>,
    payload: usize,
) -> Box<RawValue> {
    let object = Object {
        at,
        directory,
        event,
        payload,
    };
    to_raw_value(&object).expect("the keys are text")
}

/// An event to be serialized.
pub struct Object<'a> {
    /// When it was.
    pub at: Time,
    /// What has seen it.
    pub directory: &'a Directory,
    /// What happened.
    pub event: &'a TraceEvent<'a>,
    /// How many bytes of a read or write are shown.
    pub payload: usize,
}

/// Only its turn and what this kind of event has to say.
pub struct Particulars<'a>(pub Object<'a>);

impl Serialize for Particulars<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = Fields(serializer.serialize_map(None)?);
        fields.put("turn", &self.0.directory.turn())?;
        self.0.listener(&mut fields)?;
        self.0.particulars(&mut fields)?;
        fields.0.end()
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = Fields(serializer.serialize_map(None)?);
        fields
            .put("t", &self.at.as_nanos())?
            .put("turn", &self.directory.turn())?
            .put("kind", self.event.kind())?;
        match self.event.subject() {
            Subject::Loop | Subject::Waker | Subject::Listener(_) => self.listener(&mut fields)?,
            Subject::Peer(peer) => {
                fields.put("peer", &Shown(peer))?;
                if let Some(known) = self.directory.peer(peer) {
                    fields.put("name", &known.name)?;
                }
            }
        }
        self.particulars(&mut fields)?;
        fields.0.end()
    }
}

impl Object<'_> {
    /// Which listener it is about, if it is about one.
    fn listener<M: SerializeMap>(&self, fields: &mut Fields<M>) -> Result<(), M::Error> {
        if let Subject::Listener(index) = self.event.subject() {
            fields.put("listener", self.directory.listener(index))?;
        }
        Ok(())
    }

    /// What this kind of event has to say.
    fn particulars<M: SerializeMap>(&self, fields: &mut Fields<M>) -> Result<(), M::Error> {
        match *self.event {
            TraceEvent::Waiting { timeout } => fields.put("timeout", &timeout.map(nanos))?,
            TraceEvent::Awake { events } => fields
                .put("waited", &nanos(self.directory.waited()))?
                .put("events", events.as_ref().unwrap_or(&0))?
                .trouble(events.err())?,
            TraceEvent::Ended => fields.put("busy", &nanos(self.directory.busy(self.at)))?,
            TraceEvent::Ready { flags, .. } => fields.put("flags", &Shown(flags))?,
            TraceEvent::Accepted {
                result, descriptor, ..
            } => fields
                .some("address", result.ok().map(Shown))?
                .some("fd", descriptor)?
                .done(result.map(|_| ()))?,
            TraceEvent::AcceptPaused { until, .. } => fields.put("until", &until.as_nanos())?,
            TraceEvent::Opened { state, .. } => fields
                .put("protocol", state.protocol)?
                .put("state", state.state)?,
            TraceEvent::Read {
                call, room, result, ..
            } => fields
                .put("call", call)?
                .put("room", &room)?
                .count(result.map(<[u8]>::len))?
                .data(result.unwrap_or_default(), self.payload)?,
            TraceEvent::ReadPaused { why, .. } => fields.held(why)?,
            TraceEvent::Peeked { result, .. } => fields.count(result)?,
            TraceEvent::Wrote {
                call,
                offered,
                result,
                ..
            } => fields
                .put("call", call)?
                .put("offered", &offered.len())?
                .count(result)?
                .data(&offered[..result.unwrap_or(0)], self.payload)?,
            TraceEvent::Delivery {
                acknowledged,
                is_complete,
                ..
            } => fields
                .some("acknowledged", acknowledged.ok())?
                .some("complete", acknowledged.ok().map(|_| is_complete))?
                .trouble(acknowledged.err())?,
            TraceEvent::Connected { result, .. } => fields.done(result)?,
            TraceEvent::ErrorTaken { found, .. } => fields.done(found.map_or(Ok(()), Err))?,
            TraceEvent::ShutDown { result, .. } => fields.done(result)?,
            TraceEvent::Dispatched { event, .. } => fields.put("event", &Shown(event))?,
            TraceEvent::Moved { from, to, .. } => {
                fields.put("from", from.state)?.put("to", to.state)?
            }
            TraceEvent::Effect { effect, .. } => fields.put("effect", &Shown(effect))?,
            TraceEvent::Registered {
                peer,
                interest,
                result,
            } => {
                let before = self.directory.peer(peer).map(|known| known.interest_before);
                let before = before.filter(|&before| result.is_ok() && before != Flags::NONE);
                fields
                    .put("interest", interest.interest())?
                    .some("was", before.map(Flags::interest))?
                    .trouble(result.err())?
            }
            TraceEvent::TimerSet { at, .. } => fields.put("at", &at.as_nanos())?,
            TraceEvent::Fired { .. } => fields,
            TraceEvent::Closed { reason, .. } => fields.put("reason", &Debugged(reason))?,
        };
        Ok(())
    }
}

/// The fields of an object, one after the other.
struct Fields<M>(M);

impl<M: SerializeMap> Fields<M> {
    fn put(
        &mut self,
        key: &'static str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<&mut Self, M::Error> {
        self.0.serialize_entry(key, value)?;
        Ok(self)
    }

    /// Only if there is one.
    fn some(
        &mut self,
        key: &'static str,
        value: Option<impl Serialize>,
    ) -> Result<&mut Self, M::Error> {
        match value {
            Some(value) => self.put(key, &value),
            None => Ok(self),
        }
    }

    /// How many bytes a call moved, or why none.
    fn count(&mut self, result: Result<usize, &io::Error>) -> Result<&mut Self, M::Error> {
        match result {
            Ok(count) => self.put("result", &count),
            Err(error) => self.trouble(Some(error)),
        }
    }

    /// What came of a call that moves no bytes.
    fn done(&mut self, result: Result<(), &io::Error>) -> Result<&mut Self, M::Error> {
        match result {
            Ok(()) => self.put("result", "ok"),
            Err(error) => self.trouble(Some(error)),
        }
    }

    fn trouble(&mut self, error: Option<&io::Error>) -> Result<&mut Self, M::Error> {
        match error {
            Some(error) => self.put("result", error_word(error).as_ref()),
            None => Ok(self),
        }
    }

    /// Why a peer is not read.
    fn held(&mut self, why: ReadPause) -> Result<&mut Self, M::Error> {
        match why {
            ReadPause::Outbox { unsent } => self.put("why", "outbox")?.put("unsent", &unsent),
            ReadPause::Session => self.put("why", "session"),
        }
    }

    fn data(&mut self, bytes: &[u8], payload: usize) -> Result<&mut Self, M::Error> {
        match &bytes[..bytes.len().min(payload)] {
            [] => Ok(self),
            bytes => self.put("data", &Shown(Escaped(bytes))),
        }
    }
}

/// A trouble by the name that errno(3) gives it: `ECONNRESET`. What is no trouble, nothing to read or no
/// room to write, is `WouldBlock`.
pub fn error_word(error: &io::Error) -> Cow<'static, str> {
    if error.kind() == io::ErrorKind::WouldBlock {
        return Cow::Borrowed("WouldBlock");
    }
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::UnknownErrno) => {
            Cow::Owned(format!("errno {}", error.raw_os_error().unwrap_or(0)))
        }
        Some(errno) => Cow::Owned(format!("{errno:?}")),
        None => Cow::Owned(format!("{:?}", error.kind())),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A value as the text that people see.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A value by its name in the code.
struct Debugged<T>(T);

impl<T: Debug> Serialize for Debugged<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:?}", self.0))
    }
}
