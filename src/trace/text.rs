//! Moments as text for people, one line each: when, which turn, who, what. Where the lines go is not
//! decided here, and bytes of a peer are shown only as far as asked, escaped.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::time::Duration;

use super::{Directory, Flags, ReadPause, Source, TraceEvent};
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
    /// One moment, which `directory` has seen, with its line end. A turn begins with an empty line.
    #[must_use]
    pub fn line<'a>(
        &'a self,
        at: Time,
        directory: &'a Directory,
        moment: &'a TraceEvent<'a>,
    ) -> Line<'a> {
        Line {
            text: self,
            at,
            directory,
            moment,
        }
    }
}

/// One moment as a line.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    text: &'a Text,
    at: Time,
    directory: &'a Directory,
    moment: &'a TraceEvent<'a>,
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
        if let TraceEvent::Waiting { .. } = self.moment {
            f.write_str("\n")?;
        }
        let [dim, colour, plain] = if self.text.is_coloured {
            [DIM, self.colour(), PLAIN]
        } else {
            [""; 3]
        };
        let micros = self.at.as_nanos() / 1000;
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let turn = self.directory.turn();
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
            TraceEvent::Waiting { .. } | TraceEvent::Ended => DIM,
            TraceEvent::Woken { .. } => BOLD,
            TraceEvent::Ready { .. } | TraceEvent::Fired { .. } | TraceEvent::ReadPaused { .. } => {
                YELLOW
            }
            TraceEvent::Read {
                result: Err(error), ..
            }
            | TraceEvent::Peeked {
                result: Err(error), ..
            }
            | TraceEvent::Wrote {
                result: Err(error), ..
            }
            | TraceEvent::Accepted {
                result: Err(error), ..
            } if error.kind() == io::ErrorKind::WouldBlock => DIM,
            TraceEvent::Read { result: Err(_), .. }
            | TraceEvent::Peeked { result: Err(_), .. }
            | TraceEvent::Wrote { result: Err(_), .. }
            | TraceEvent::Accepted { result: Err(_), .. }
            | TraceEvent::ShutDown { result: Err(_), .. }
            | TraceEvent::Registered { result: Err(_), .. }
            | TraceEvent::AcceptPaused { .. } => RED,
            TraceEvent::Accepted { .. } | TraceEvent::Opened { .. } | TraceEvent::Closed { .. } => {
                MAGENTA
            }
            TraceEvent::Read { .. } | TraceEvent::Peeked { .. } => GREEN,
            TraceEvent::Wrote { .. } | TraceEvent::ShutDown { .. } => CYAN,
            TraceEvent::Dispatched { .. }
            | TraceEvent::Moved { .. }
            | TraceEvent::Effect { .. } => BLUE,
            TraceEvent::Registered { .. } | TraceEvent::TimerSet { .. } => DIM,
        }
    }

    fn who(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listener = match *self.moment {
            TraceEvent::Accepted { listener, .. }
            | TraceEvent::AcceptPaused { listener, .. }
            | TraceEvent::Ready {
                source: Source::Listener(listener),
                ..
            } => Some(listener),
            TraceEvent::Waiting { .. }
            | TraceEvent::Woken { .. }
            | TraceEvent::Ended
            | TraceEvent::Ready { .. }
            | TraceEvent::Opened { .. }
            | TraceEvent::Read { .. }
            | TraceEvent::ReadPaused { .. }
            | TraceEvent::Peeked { .. }
            | TraceEvent::Wrote { .. }
            | TraceEvent::ShutDown { .. }
            | TraceEvent::Dispatched { .. }
            | TraceEvent::Moved { .. }
            | TraceEvent::Effect { .. }
            | TraceEvent::Registered { .. }
            | TraceEvent::TimerSet { .. }
            | TraceEvent::Fired { .. }
            | TraceEvent::Closed { .. } => None,
        };
        if let Some(index) = listener {
            return write!(f, "listener {:<12}", self.directory.listener(index));
        }
        if let TraceEvent::Ready {
            source: Source::Waker,
            ..
        } = self.moment
        {
            return write!(f, "{:<21}", "another thread");
        }
        match self.moment.peer() {
            None => write!(f, "{:<21}", ""),
            Some(peer) => match self.directory.peer(peer) {
                Some(known) => write!(f, "{:<21}", known.name),
                None => write!(f, "peer {:<16}", peer.to_string()),
            },
        }
    }

    fn what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.moment {
            TraceEvent::Waiting { timeout } => match timeout {
                None => f.write_str("sleeps until something is ready"),
                Some(Duration::ZERO) => f.write_str("only looks: there is still work"),
                Some(timeout) => write!(f, "sleeps, at most {}", Span(timeout)),
            },
            TraceEvent::Woken { events } => {
                let verb = if self.directory.looks() {
                    "looked"
                } else {
                    "slept"
                };
                write!(f, "{verb} {}, ", Span(self.directory.waited()))?;
                match events {
                    Ok(0) => f.write_str("nothing is ready"),
                    Ok(count) => write!(f, "{count} ready"),
                    Err(error) => self.trouble(f, error, ""),
                }
            }
            TraceEvent::Ended => write!(f, "worked {}", Span(self.directory.busy(self.at))),
            TraceEvent::Ready { flags, .. } => write!(f, "{flags}"),
            TraceEvent::Accepted { result, .. } => match result {
                Ok(address) => write!(f, "{address}"),
                Err(error) => self.trouble(f, error, "nobody else waits"),
            },
            TraceEvent::AcceptPaused { until, .. } => {
                let most = Span(until.since(self.at));
                write!(f, "at most {most}, or until a descriptor comes free")
            }
            TraceEvent::Opened { state, .. } => match state.protocol {
                "" => Ok(()),
                protocol => write!(f, "{protocol}: {}", state.state),
            },
            TraceEvent::Read { room, result, .. } => self.read(f, room, result),
            TraceEvent::ReadPaused { why, .. } => held(f, why),
            TraceEvent::Peeked { result, .. } => match result {
                Ok(0) => f.write_str("0: the peer sends no more"),
                Ok(_) => f.write_str("more waits"),
                Err(error) => self.trouble(f, error, "nothing waits"),
            },
            TraceEvent::Wrote {
                offered, result, ..
            } => self.wrote(f, offered, result),
            TraceEvent::ShutDown { result, .. } => match result {
                Ok(()) => f.write_str("our half: we send no more"),
                Err(error) => self.trouble(f, error, ""),
            },
            TraceEvent::Dispatched { event, state, .. } => write!(f, "{}: {event}", state.protocol),
            TraceEvent::Moved { from, to, .. } => {
                write!(f, "{}: {} -> {}", to.protocol, from.state, to.state)
            }
            TraceEvent::Effect { effect, .. } => self.wished(f, effect),
            TraceEvent::Registered { result, .. } => self.watched(f, result),
            TraceEvent::TimerSet { at, .. } => write!(f, "in {}", Span(at.since(self.at))),
            TraceEvent::Fired { .. } => f.write_str("its time has come"),
            TraceEvent::Closed { reason, .. } => self.closed(f, reason),
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
            Effect::SetTimer(None) => f.write_str("WakeAt never"),
            Effect::SetTimer(Some(at)) => write!(f, "WakeAt in {}", Span(at.since(self.at))),
            Effect::Notify(peer) => match self.directory.peer(*peer) {
                Some(known) => write!(f, "Wake {}", known.name),
                None => write!(f, "Wake peer {peer}"),
            },
            Effect::Send(_)
            | Effect::SendBack(_)
            | Effect::ShutdownWrite
            | Effect::Close
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
        let known = self
            .moment
            .peer()
            .and_then(|peer| self.directory.peer(peer));
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

fn held(f: &mut fmt::Formatter<'_>, why: ReadPause) -> fmt::Result {
    f.write_str("not read: ")?;
    match why {
        ReadPause::Outbox { unsent } => {
            write!(f, "{} KiB wait in its outbox", unsent.div_ceil(1024))
        }
        ReadPause::Session => f.write_str("its session takes no more now"),
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
