//! The words that every kind of trace uses for interests, events, effects and errors. No byte of a peer is
//! among them, and which of them are shown, and how, is not decided here.

use std::fmt;
use std::io;

use super::Flags;
use crate::protocol::{Effect, Event};

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

/// An operating system error in a few plain words, without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

/// `Received 12`: bytes are counted, not shown.
impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Received(bytes) => write!(f, "Received {}", bytes.len()),
            Event::Eof => f.write_str("Eof"),
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
            Effect::ShutdownWrite => f.write_str("ShutdownWrite"),
            Effect::Close => f.write_str("Close"),
            Effect::Refuse(why) => write!(f, "Refuse: {why}"),
            Effect::Abort => f.write_str("Abort"),
            Effect::DiscardTyped => f.write_str("DiscardTyped"),
            Effect::SetTimer(_) => f.write_str("SetTimer"),
            Effect::Notify(peer) => write!(f, "Notify {peer}"),
            Effect::StopAccepting => f.write_str("StopAccepting"),
            Effect::Stop => f.write_str("Stop"),
        }
    }
}
