//! The words that every kind of trace uses for moments, events and effects. No byte of a peer is
//! among them, and which of them are told, and how, is not decided here.

use std::fmt;

use super::{Flags, Moment, Source};
use crate::protocol::{Effect, Event, PeerId};

impl Moment<'_> {
    /// What kind of moment it is, in one word: `read`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Moment::Waiting { .. } => "wait",
            Moment::Woke { .. } => "woke",
            Moment::Ended => "end",
            Moment::Ready { .. } => "ready",
            Moment::Accepted { .. } => "accept",
            Moment::Paused { .. } => "pause",
            Moment::Opened { .. } => "open",
            Moment::Read { .. } => "read",
            Moment::Held { .. } => "hold",
            Moment::Peeked { .. } => "peek",
            Moment::Wrote { .. } => "write",
            Moment::Shut { .. } => "shutdown",
            Moment::Told { .. } => "told",
            Moment::Moved { .. } => "state",
            Moment::Wished { .. } => "wish",
            Moment::Watched { .. } => "interest",
            Moment::Armed { .. } => "timer",
            Moment::Fired { .. } => "fire",
            Moment::Closed { .. } => "close",
        }
    }

    /// About which peer it is, if it is about one.
    #[must_use]
    pub fn peer(&self) -> Option<PeerId> {
        match *self {
            Moment::Ready {
                source: Source::Peer(peer),
                ..
            }
            | Moment::Opened { peer, .. }
            | Moment::Read { peer, .. }
            | Moment::Held { peer, .. }
            | Moment::Peeked { peer, .. }
            | Moment::Wrote { peer, .. }
            | Moment::Shut { peer, .. }
            | Moment::Told { peer, .. }
            | Moment::Moved { peer, .. }
            | Moment::Wished { peer, .. }
            | Moment::Watched { peer, .. }
            | Moment::Armed { peer, .. }
            | Moment::Fired { peer }
            | Moment::Closed { peer, .. } => Some(peer),
            Moment::Waiting { .. }
            | Moment::Woke { .. }
            | Moment::Ended
            | Moment::Ready {
                source: Source::Listener(_),
                ..
            }
            | Moment::Accepted { .. }
            | Moment::Paused { .. } => None,
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
            Event::Finished => f.write_str("Finished"),
            Event::Woken => f.write_str("Woken"),
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
            Effect::Finish => f.write_str("Finish"),
            Effect::Leave => f.write_str("Leave"),
            Effect::Refuse(why) => write!(f, "Refuse: {why}"),
            Effect::Abort => f.write_str("Abort"),
            Effect::DiscardTyped => f.write_str("DiscardTyped"),
            Effect::WakeAt(_) => f.write_str("WakeAt"),
            Effect::Wake(peer) => write!(f, "Wake {peer}"),
            Effect::StopAccepting => f.write_str("StopAccepting"),
            Effect::Stop => f.write_str("Stop"),
        }
    }
}
