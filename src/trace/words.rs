//! The words that every kind of trace uses for moments, events and effects. No byte of a peer is
//! among them, and which of them are told, and how, is not decided here.

use std::fmt;

use super::{Flags, Source, TraceEvent};
use crate::protocol::{Effect, Event, PeerId};

impl TraceEvent<'_> {
    /// What kind of moment it is, in one word: `read`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            TraceEvent::Waiting { .. } => "wait",
            TraceEvent::Woken { .. } => "woke",
            TraceEvent::Ended => "end",
            TraceEvent::Ready { .. } => "ready",
            TraceEvent::Accepted { .. } => "accept",
            TraceEvent::AcceptPaused { .. } => "pause",
            TraceEvent::Opened { .. } => "open",
            TraceEvent::Read { .. } => "read",
            TraceEvent::ReadPaused { .. } => "hold",
            TraceEvent::Peeked { .. } => "peek",
            TraceEvent::Wrote { .. } => "write",
            TraceEvent::ShutDown { .. } => "shutdown",
            TraceEvent::Dispatched { .. } => "told",
            TraceEvent::Moved { .. } => "state",
            TraceEvent::Effect { .. } => "wish",
            TraceEvent::Registered { .. } => "interest",
            TraceEvent::TimerSet { .. } => "timer",
            TraceEvent::Fired { .. } => "fire",
            TraceEvent::Closed { .. } => "close",
        }
    }

    /// About which peer it is, if it is about one.
    #[must_use]
    pub fn peer(&self) -> Option<PeerId> {
        match *self {
            TraceEvent::Ready {
                source: Source::Peer(peer),
                ..
            }
            | TraceEvent::Opened { peer, .. }
            | TraceEvent::Read { peer, .. }
            | TraceEvent::ReadPaused { peer, .. }
            | TraceEvent::Peeked { peer, .. }
            | TraceEvent::Wrote { peer, .. }
            | TraceEvent::ShutDown { peer, .. }
            | TraceEvent::Dispatched { peer, .. }
            | TraceEvent::Moved { peer, .. }
            | TraceEvent::Effect { peer, .. }
            | TraceEvent::Registered { peer, .. }
            | TraceEvent::TimerSet { peer, .. }
            | TraceEvent::Fired { peer }
            | TraceEvent::Closed { peer, .. } => Some(peer),
            TraceEvent::Waiting { .. }
            | TraceEvent::Woken { .. }
            | TraceEvent::Ended
            | TraceEvent::Ready {
                source: Source::Listener(_) | Source::Waker,
                ..
            }
            | TraceEvent::Accepted { .. }
            | TraceEvent::AcceptPaused { .. } => None,
        }
    }
}

impl Flags {
    /// What is waited for, where these are an interest: `read`, `write` or `both`.
    #[must_use]
    pub fn interest(self) -> &'static str {
        match (self.contains(Flags::IN), self.contains(Flags::OUT)) {
            (true, true) => "both",
            (false, true) => "write",
            (true, false) => "read",
            (false, false) => "nothing",
        }
    }
}

/// `Received 12`: bytes are counted, not shown.
impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Received(bytes) => write!(f, "Received {}", bytes.len()),
            Event::Eof => f.write_str("Finished"),
            Event::Connected => f.write_str("Connected"),
            Event::TimerExpired(_) => f.write_str("TimerExpired"),
            Event::Notified => f.write_str("Notified"),
            Event::Writable => f.write_str("Writable"),
            Event::Stopping => f.write_str("Stopping"),
        }
    }
}

/// `Send 12`, `Refuse: message too long`.
impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Send(range) => write!(f, "Send {}", range.len()),
            Effect::SendBack(range) => write!(f, "SendBack {}", range.len()),
            Effect::ShutdownWrite => f.write_str("Finish"),
            Effect::Close => f.write_str("Leave"),
            Effect::Refuse(why) => write!(f, "Refuse: {why}"),
            Effect::Abort => f.write_str("Abort"),
            Effect::DiscardTyped => f.write_str("DiscardTyped"),
            Effect::SetTimer(_) => f.write_str("WakeAt"),
            Effect::Notify(peer) => write!(f, "Wake {peer}"),
            Effect::StopAccepting => f.write_str("StopAccepting"),
            Effect::Stop => f.write_str("Stop"),
        }
    }
}
