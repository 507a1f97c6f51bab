//! Events as text for people, one line each: when, which turn, who, what. A system call reads as
//! strace(1) writes it, with its result, and then what that means. Where the lines go is not decided here,
//! and bytes of a peer are shown only as far as asked, escaped.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::{About, Directory, Flags, Phase, ReadPause, Subject, TraceEvent};
use crate::protocol::display::Escaped;
use crate::protocol::{CloseReason, Effect, PeerId, Time};

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
    /// One event, which `directory` has seen, with its line end. A turn begins with an empty line.
    #[must_use]
    pub fn line<'a>(
        &'a self,
        at: Time,
        directory: &'a Directory,
        event: &'a TraceEvent<'a>,
    ) -> Line<'a> {
        Line {
            text: self,
            at,
            directory,
            event,
        }
    }
}

/// One event as a line.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    text: &'a Text,
    at: Time,
    directory: &'a Directory,
    event: &'a TraceEvent<'a>,
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

/// With `{:#}` only its kind and what happened.
impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            write!(f, "{} ", self.event.kind())?;
            return self.what(f);
        }
        if let TraceEvent::Waiting { .. } = self.event {
            f.write_str("\n")?;
        }
        let about = self.event.about();
        let [dim, colour, plain] = if self.text.is_coloured {
            [DIM, colour(&about), PLAIN]
        } else {
            [""; 3]
        };
        let micros = self.at.as_nanos() / 1000;
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let turn = self.directory.turn();
        write!(f, "{dim}{seconds:>3}.{micros:06}  #{turn:<4}{plain}  ")?;
        self.who(f, about.subject)?;
        write!(f, "  {colour}{:<8}{plain}  ", about.kind)?;
        self.what(f)?;
        f.write_str("\n")
    }
}

fn colour(about: &About<'_>) -> &'static str {
    match (about.error, about.phase) {
        (Some(error), _) if error.kind() == io::ErrorKind::WouldBlock => DIM,
        (Some(_), _) | (None, Phase::Shortage) => RED,
        (None, Phase::Sleep | Phase::Arm) => DIM,
        (None, Phase::Wake) => BOLD,
        (None, Phase::Ready) => YELLOW,
        (None, Phase::Connection) => MAGENTA,
        (None, Phase::Read) => GREEN,
        (None, Phase::Decide) => BLUE,
        (None, Phase::Write) => CYAN,
    }
}

impl Line<'_> {
    fn who(&self, f: &mut fmt::Formatter<'_>, subject: Subject) -> fmt::Result {
        match subject {
            Subject::Loop => write!(f, "{:<21}", ""),
            Subject::Waker => write!(f, "{:<21}", "another thread"),
            Subject::Listener(index) => {
                write!(f, "listener {:<12}", self.directory.listener(index))
            }
            Subject::Peer(peer) => match self.directory.peer(peer) {
                Some(known) => write!(f, "{:<21}", known.name),
                None => write!(f, "peer {:<16}", peer.to_string()),
            },
        }
    }

    fn what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.event {
            TraceEvent::Waiting { timeout } => match timeout {
                None => f.write_str("sleeps until something is ready"),
                Some(Duration::ZERO) => f.write_str("polls without sleeping: work is left"),
                Some(timeout) => write!(f, "sleeps, at most {}", Span(timeout)),
            },
            TraceEvent::Awake { events } => self.awake(f, events),
            TraceEvent::Ended => write!(f, "worked {}", Span(self.directory.busy(self.at))),
            TraceEvent::Ready { flags, .. } => write!(f, "{flags}"),
            TraceEvent::Accepted {
                result, descriptor, ..
            } => self.accepted(f, result, descriptor),
            TraceEvent::AcceptPaused { until, .. } => {
                let most = Span(until.since(self.at));
                write!(f, "at most {most}, or until a descriptor is free")
            }
            TraceEvent::Opened { state, .. } => match state.protocol {
                "" => Ok(()),
                protocol => write!(f, "{protocol}: {}", state.state),
            },
            TraceEvent::Connected { result, .. } => match result {
                Ok(()) => f.write_str("getpeername = 0: the connection is established"),
                Err(error) => self.failed(f, "recvfrom(MSG_PEEK)", error, "still connecting"),
            },
            TraceEvent::Read {
                call, room, result, ..
            } => self.read(f, call, room, result),
            TraceEvent::ReadPaused { why, .. } => not_read(f, why),
            TraceEvent::Peeked { result, .. } => match result {
                Ok(0) => f.write_str("recvfrom(MSG_PEEK) = 0: the peer sends no more"),
                Ok(count) => write!(f, "recvfrom(MSG_PEEK) = {count}: more is waiting"),
                Err(error) => self.failed(f, "recvfrom(MSG_PEEK)", error, "nothing is waiting"),
            },
            TraceEvent::Wrote {
                call,
                offered,
                result,
                ..
            } => self.wrote(f, call, offered, result),
            TraceEvent::Delivery {
                acknowledged,
                is_complete,
                ..
            } => self.delivery(f, acknowledged, is_complete),
            TraceEvent::ErrorTaken { found, .. } => match found {
                None => f.write_str("getsockopt SO_ERROR = 0"),
                Some(error) => self.named(f, "getsockopt SO_ERROR = ", error, ""),
            },
            TraceEvent::ShutDown { result, .. } => match result {
                Ok(()) => f.write_str("shutdown(SHUT_WR) = 0: we send no more"),
                Err(error) => self.failed(f, "shutdown(SHUT_WR)", error, ""),
            },
            TraceEvent::Dispatched { event, state, .. } => write!(f, "{}: {event}", state.protocol),
            TraceEvent::Moved { from, to, .. } => {
                write!(f, "{}: {} -> {}", to.protocol, from.state, to.state)
            }
            TraceEvent::Effect { effect, .. } => self.effect(f, effect),
            TraceEvent::Registered {
                peer,
                interest,
                result,
            } => self.registered(f, peer, interest, result),
            TraceEvent::TimerSet { at, .. } => write!(f, "in {}", Span(at.since(self.at))),
            TraceEvent::Fired { .. } => f.write_str("the timer has expired"),
            TraceEvent::Closed { reason, .. } => self.closed(f, reason),
        }
    }
}

impl Line<'_> {
    fn awake(&self, f: &mut fmt::Formatter<'_>, events: Result<usize, &io::Error>) -> fmt::Result {
        match events {
            Ok(count) => write!(f, "epoll_wait = {count}")?,
            Err(error) => self.failed(f, "epoll_wait", error, "")?,
        }
        let verb = if self.directory.polls() {
            "polled"
        } else {
            "slept"
        };
        write!(f, ", {verb} {}", Span(self.directory.waited()))
    }

    fn accepted(
        &self,
        f: &mut fmt::Formatter<'_>,
        result: Result<SocketAddr, &io::Error>,
        descriptor: Option<i32>,
    ) -> fmt::Result {
        match (result, descriptor) {
            (Ok(address), Some(descriptor)) => write!(f, "accept4 = {descriptor}  {address}"),
            (Ok(address), None) => write!(f, "accept4 = {address}"),
            (Err(error), _) => self.failed(f, "accept4", error, "no more connections are waiting"),
        }
    }

    fn read(
        &self,
        f: &mut fmt::Formatter<'_>,
        call: &str,
        room: usize,
        result: Result<&[u8], &io::Error>,
    ) -> fmt::Result {
        match result {
            Ok([]) => write!(f, "{call} = 0: the peer sends no more"),
            Ok(bytes) => {
                write!(f, "{call} = {} of {room}", bytes.len())?;
                self.payload(f, bytes)
            }
            Err(error) => self.failed(f, call, error, "nothing is waiting"),
        }
    }

    fn wrote(
        &self,
        f: &mut fmt::Formatter<'_>,
        call: &str,
        offered: &[u8],
        result: Result<usize, &io::Error>,
    ) -> fmt::Result {
        match result {
            Ok(count) => {
                write!(f, "{call} = {count} of {}", offered.len())?;
                self.payload(f, &offered[..count])
            }
            Err(error) => {
                self.failed(f, call, error, "no room")?;
                write!(f, " ({} wait)", offered.len())
            }
        }
    }

    fn delivery(
        &self,
        f: &mut fmt::Formatter<'_>,
        acknowledged: Result<u64, &io::Error>,
        is_complete: bool,
    ) -> fmt::Result {
        match acknowledged {
            Ok(count) => {
                let rest = if is_complete {
                    "all of it"
                } else {
                    "not all yet"
                };
                write!(f, "getsockopt TCP_INFO: {count} acknowledged, {rest}")
            }
            Err(error) => self.failed(f, "getsockopt TCP_INFO", error, ""),
        }
    }

    fn registered(
        &self,
        f: &mut fmt::Formatter<'_>,
        peer: PeerId,
        interest: Flags,
        result: Result<(), &io::Error>,
    ) -> fmt::Result {
        let known = self.directory.peer(peer);
        let is_new = known.is_none_or(|known| known.interest_before == Flags::NONE);
        let operation = if is_new { "ADD" } else { "MOD" };
        let call = format!("epoll_ctl {operation} {interest}");
        match result {
            Ok(()) => f.write_str(&call),
            Err(error) => self.failed(f, &call, error, ""),
        }
    }

    fn payload(&self, f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
        match &bytes[..bytes.len().min(self.text.payload)] {
            [] => Ok(()),
            shown if shown.len() == bytes.len() => write!(f, "  \"{}\"", Escaped(shown)),
            shown => write!(f, "  \"{}\"...", Escaped(shown)),
        }
    }

    fn effect(&self, f: &mut fmt::Formatter<'_>, effect: &Effect) -> fmt::Result {
        match effect {
            Effect::SetTimer(None) => f.write_str("SetTimer never"),
            Effect::SetTimer(Some(at)) => write!(f, "SetTimer in {}", Span(at.since(self.at))),
            Effect::Notify(peer) => match self.directory.peer(*peer) {
                Some(known) => write!(f, "Notify {}", known.name),
                None => write!(f, "Notify peer {peer}"),
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

    fn closed(&self, f: &mut fmt::Formatter<'_>, reason: CloseReason) -> fmt::Result {
        f.write_str(match reason {
            CloseReason::Finished => "finished: both directions have ended",
            CloseReason::Broken(0) => "broken",
            CloseReason::Broken(number) => {
                let error = io::Error::from_raw_os_error(number);
                return self.named(f, "broken: ", &error, "");
            }
            CloseReason::Idle => "idle: no traffic for too long",
            CloseReason::WriteStalled => "stalled: the peer accepted no data for too long",
            CloseReason::Lingered => "lingered: the peer did not close its direction in time",
            CloseReason::Evicted => {
                "evicted: unsent bytes were over the limit, most of them for this peer"
            }
            CloseReason::Aborted => "aborted: its state machine asked for it",
            CloseReason::Stopped => "stopped: the server stopped",
        })
    }

    /// A system call that failed; `would_block` is what it means here that it would have had to wait.
    fn failed(
        &self,
        f: &mut fmt::Formatter<'_>,
        call: &str,
        error: &io::Error,
        would_block: &str,
    ) -> fmt::Result {
        write!(f, "{call} = -1 ")?;
        self.named(f, "", error, would_block)
    }

    /// The name of an error and what it means.
    fn named(
        &self,
        f: &mut fmt::Formatter<'_>,
        before: &str,
        error: &io::Error,
        would_block: &str,
    ) -> fmt::Result {
        if error.kind() == io::ErrorKind::WouldBlock {
            return write!(f, "{before}EAGAIN: {would_block}");
        }
        let words = error.to_string();
        let words = words.split(" (os error").next().unwrap_or_default();
        let name = (self.text.error_word)(error);
        write!(f, "{before}{name}: {}", words.to_lowercase())
    }
}

fn not_read(f: &mut fmt::Formatter<'_>, why: ReadPause) -> fmt::Result {
    f.write_str("not read: ")?;
    match why {
        ReadPause::Outbox { unsent } => {
            write!(f, "{} KiB wait in its outbox", unsent.div_ceil(1024))
        }
        ReadPause::Session => f.write_str("its session accepts no more now"),
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
