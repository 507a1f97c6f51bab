//! Moments as text for people, one line each: when, which turn, who, what. Where the lines go is not
//! decided here, and bytes of a peer are shown only as far as asked, escaped.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::time::Duration;

use super::{Flags, Hold, Memory, Moment, Source};
use crate::protocol::display::Escaped;
use crate::protocol::{CloseReason, Effect, Time};

/// How lines look.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// With colours, as ECMA-48 terminals understand them.
    pub is_coloured: bool,
    /// How many bytes of a read or write are shown, at most.
    pub payload: usize,
    /// The short name of an error: `ECONNRESET`. The library has no table of its own.
    pub error_word: fn(&io::Error) -> Cow<'static, str>,
}

impl Text {
    /// One moment, which `memory` has seen, with its line end. A turn begins with an empty line.
    #[must_use]
    pub fn line<'a>(&'a self, at: Time, memory: &'a Memory, moment: &'a Moment<'a>) -> Line<'a> {
        Line {
            text: self,
            at,
            memory,
            moment,
        }
    }
}

/// One moment as a line.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    text: &'a Text,
    at: Time,
    memory: &'a Memory,
    moment: &'a Moment<'a>,
}

const PLAIN: &str = "\x1b[0m";
const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const BLUE: &str = "\x1b[34m";
const MAGENTA: &str = "\x1b[35m";
const CYAN: &str = "\x1b[36m";

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Moment::Waiting { .. } = self.moment {
            f.write_str("\n")?;
        }
        let [dim, colour, plain] = if self.text.is_coloured {
            [DIM, self.colour(), PLAIN]
        } else {
            [""; 3]
        };
        let micros = self.at.as_nanos() / 1000;
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let turn = self.memory.turn();
        write!(f, "{dim}{seconds:>3}.{micros:06}  #{turn:<4}{plain}  ")?;
        self.who(f)?;
        write!(f, "  {colour}{:<8}{plain}  ", self.moment.kind())?;
        self.what(f)?;
        f.write_str("\n")
    }
}

impl Line<'_> {
    fn colour(&self) -> &'static str {
        match self.moment {
            Moment::Waiting { .. } | Moment::Ended => DIM,
            Moment::Woke { .. } => BOLD,
            Moment::Ready { .. } | Moment::Fired { .. } | Moment::Held { .. } => YELLOW,
            Moment::Read {
                result: Err(error), ..
            }
            | Moment::Peeked {
                result: Err(error), ..
            }
            | Moment::Wrote {
                result: Err(error), ..
            }
            | Moment::Accepted {
                result: Err(error), ..
            } if error.kind() == io::ErrorKind::WouldBlock => DIM,
            Moment::Read { result: Err(_), .. }
            | Moment::Peeked { result: Err(_), .. }
            | Moment::Wrote { result: Err(_), .. }
            | Moment::Accepted { result: Err(_), .. }
            | Moment::Shut { result: Err(_), .. }
            | Moment::Watched { result: Err(_), .. }
            | Moment::Paused { .. } => RED,
            Moment::Accepted { .. } | Moment::Opened { .. } | Moment::Closed { .. } => MAGENTA,
            Moment::Read { .. } | Moment::Peeked { .. } => GREEN,
            Moment::Wrote { .. } | Moment::Shut { .. } => CYAN,
            Moment::Told { .. } | Moment::Moved { .. } | Moment::Wished { .. } => BLUE,
            Moment::Watched { .. } | Moment::Armed { .. } => DIM,
        }
    }

    fn who(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listener = match *self.moment {
            Moment::Accepted { listener, .. }
            | Moment::Paused { listener, .. }
            | Moment::Ready {
                source: Source::Listener(listener),
                ..
            } => Some(listener),
            Moment::Waiting { .. }
            | Moment::Woke { .. }
            | Moment::Ended
            | Moment::Ready { .. }
            | Moment::Opened { .. }
            | Moment::Read { .. }
            | Moment::Held { .. }
            | Moment::Peeked { .. }
            | Moment::Wrote { .. }
            | Moment::Shut { .. }
            | Moment::Told { .. }
            | Moment::Moved { .. }
            | Moment::Wished { .. }
            | Moment::Watched { .. }
            | Moment::Armed { .. }
            | Moment::Fired { .. }
            | Moment::Closed { .. } => None,
        };
        if let Some(index) = listener {
            return write!(f, "listener {:<12}", self.memory.listener(index));
        }
        match self.moment.peer() {
            None => write!(f, "{:<21}", ""),
            Some(peer) => match self.memory.peer(peer) {
                Some(known) => write!(f, "{:<21}", known.name),
                None => write!(f, "peer {:<16}", peer.to_string()),
            },
        }
    }

    fn what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.moment {
            Moment::Waiting { timeout } => match timeout {
                None => f.write_str("sleeps until something is ready"),
                Some(Duration::ZERO) => f.write_str("only looks: there is still work"),
                Some(timeout) => write!(f, "sleeps, at most {}", Span(timeout)),
            },
            Moment::Woke { events } => {
                let verb = if self.memory.looks() {
                    "looked"
                } else {
                    "slept"
                };
                write!(f, "{verb} {}, ", Span(self.memory.waited()))?;
                match events {
                    Ok(0) => f.write_str("nothing is ready"),
                    Ok(count) => write!(f, "{count} ready"),
                    Err(error) => self.trouble(f, error, ""),
                }
            }
            Moment::Ended => write!(f, "worked {}", Span(self.memory.busy(self.at))),
            Moment::Ready { flags, .. } => write!(f, "{flags}"),
            Moment::Accepted { result, .. } => match result {
                Ok(address) => write!(f, "{address}"),
                Err(error) => self.trouble(f, error, "nobody else waits"),
            },
            Moment::Paused { until, .. } => {
                let most = Span(until.since(self.at));
                write!(f, "at most {most}, or until a descriptor comes free")
            }
            Moment::Opened { standing, .. } => match standing.protocol {
                "" => Ok(()),
                protocol => write!(f, "{protocol}: {}", standing.state),
            },
            Moment::Read { room, result, .. } => self.read(f, room, result),
            Moment::Held { why, .. } => held(f, why),
            Moment::Peeked { result, .. } => match result {
                Ok(0) => f.write_str("0: the peer sends no more"),
                Ok(_) => f.write_str("more waits"),
                Err(error) => self.trouble(f, error, "nothing waits"),
            },
            Moment::Wrote {
                offered, result, ..
            } => self.wrote(f, offered, result),
            Moment::Shut { result, .. } => match result {
                Ok(()) => f.write_str("our half: we send no more"),
                Err(error) => self.trouble(f, error, ""),
            },
            Moment::Told {
                event, standing, ..
            } => write!(f, "{}: {event}", standing.protocol),
            Moment::Moved { from, to, .. } => {
                write!(f, "{}: {} -> {}", to.protocol, from.state, to.state)
            }
            Moment::Wished { effect, .. } => self.wished(f, effect),
            Moment::Watched { result, .. } => self.watched(f, result),
            Moment::Armed { at, .. } => write!(f, "in {}", Span(at.since(self.at))),
            Moment::Fired { .. } => f.write_str("its time has come"),
            Moment::Closed { reason, .. } => self.closed(f, reason),
        }
    }
}

impl Line<'_> {
    fn read(
        &self,
        f: &mut fmt::Formatter<'_>,
        room: usize,
        result: Result<&[u8], &io::Error>,
    ) -> fmt::Result {
        match result {
            Ok([]) => f.write_str("0: the peer sends no more"),
            Ok(bytes) => {
                write!(f, "{} of {room}", bytes.len())?;
                self.payload(f, bytes)
            }
            Err(error) => self.trouble(f, error, "nothing waits"),
        }
    }

    fn wrote(
        &self,
        f: &mut fmt::Formatter<'_>,
        offered: &[u8],
        result: Result<usize, &io::Error>,
    ) -> fmt::Result {
        match result {
            Ok(count) => {
                write!(f, "{count} of {}", offered.len())?;
                self.payload(f, &offered[..count])
            }
            Err(error) => {
                self.trouble(f, error, "no room")?;
                write!(f, " ({} wait)", offered.len())
            }
        }
    }

    fn payload(&self, f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
        match &bytes[..bytes.len().min(self.text.payload)] {
            [] => Ok(()),
            shown if shown.len() == bytes.len() => write!(f, "  \"{}\"", Escaped(shown)),
            shown => write!(f, "  \"{}\"...", Escaped(shown)),
        }
    }

    fn wished(&self, f: &mut fmt::Formatter<'_>, effect: &Effect) -> fmt::Result {
        match effect {
            Effect::WakeAt(None) => f.write_str("WakeAt never"),
            Effect::WakeAt(Some(at)) => write!(f, "WakeAt in {}", Span(at.since(self.at))),
            Effect::Wake(peer) => match self.memory.peer(*peer) {
                Some(known) => write!(f, "Wake {}", known.name),
                None => write!(f, "Wake peer {peer}"),
            },
            Effect::Send(_)
            | Effect::SendBack(_)
            | Effect::Finish
            | Effect::Leave
            | Effect::Refuse(_)
            | Effect::Abort
            | Effect::DiscardTyped
            | Effect::StopAccepting
            | Effect::Stop => write!(f, "{effect}"),
        }
    }

    fn watched(&self, f: &mut fmt::Formatter<'_>, result: Result<(), &io::Error>) -> fmt::Result {
        if let Err(error) = result {
            return self.trouble(f, error, "");
        }
        let known = self.moment.peer().and_then(|peer| self.memory.peer(peer));
        match known {
            None => Ok(()),
            Some(known) if known.interest_before == Flags::NONE => write!(f, "{}", known.interest),
            Some(known) => write!(f, "{} -> {}", known.interest_before, known.interest),
        }
    }

    fn closed(&self, f: &mut fmt::Formatter<'_>, reason: CloseReason) -> fmt::Result {
        match reason {
            CloseReason::Finished => f.write_str("finished: nobody sends any more"),
            CloseReason::Broken(0) => f.write_str("broken"),
            CloseReason::Broken(number) => {
                f.write_str("broken: ")?;
                self.trouble(f, &io::Error::from_raw_os_error(number), "")
            }
            CloseReason::Idle => f.write_str("idle: too long nothing came and nothing went"),
            CloseReason::WriteStalled => {
                f.write_str("stalled: the peer took no bytes for too long")
            }
            CloseReason::Lingered => f.write_str("lingered: we left, the peer did not"),
            CloseReason::Evicted => {
                f.write_str("evicted: too much was unsent, most of it for this peer")
            }
            CloseReason::Aborted => f.write_str("aborted: its machine asked for it"),
            CloseReason::Stopped => f.write_str("stopped: the run ends"),
        }
    }

    /// The name of an error and what it means; `would_block` is what it means here that a call would
    /// have had to wait.
    fn trouble(
        &self,
        f: &mut fmt::Formatter<'_>,
        error: &io::Error,
        would_block: &str,
    ) -> fmt::Result {
        f.write_str(&(self.text.error_word)(error))?;
        if error.kind() == io::ErrorKind::WouldBlock {
            return write!(f, ": {would_block}");
        }
        let words = error.to_string();
        let words = words.split(" (os error").next().unwrap_or_default();
        write!(f, ": {}", words.to_lowercase())
    }
}

fn held(f: &mut fmt::Formatter<'_>, why: Hold) -> fmt::Result {
    f.write_str("not read: ")?;
    match why {
        Hold::Outbox { unsent } => write!(f, "{} KiB wait in its outbox", unsent.div_ceil(1024)),
        Hold::Session => f.write_str("its session takes no more now"),
    }
}

/// A duration with three digits or so, for people.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        match micros {
            0..1_000 => write!(f, "{micros} us"),
            1_000..1_000_000 => write!(f, "{}.{} ms", micros / 1_000, micros / 100 % 10),
            _ => write!(f, "{:.3} s", self.0.as_secs_f64()),
        }
    }
}
