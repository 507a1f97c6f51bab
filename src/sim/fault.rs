//! What can be made to go wrong: which call, how, and in which state of what it is called on. The
//! table of what is reachable is here, and the count of what was reached; nothing here injects.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

/// A call of the kernel that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// epoll_wait(2).
    Wait,
    /// accept4(2).
    Accept,
    /// epoll_ctl(2), EPOLL_CTL_ADD.
    Register,
    /// epoll_ctl(2), EPOLL_CTL_MOD.
    Reregister,
    /// recv(2).
    Read,
    /// recv(2) with MSG_PEEK.
    Peek,
    /// send(2).
    Write,
    /// shutdown(2).
    Shutdown,
}

/// How it goes wrong. Names of errno(3), or what the kernel may do without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// EINTR.
    Interrupted,
    /// EAGAIN though there was something, which the kernel reports then.
    WouldBlock,
    /// ECONNRESET.
    Reset,
    /// EPIPE.
    BrokenPipe,
    /// ETIMEDOUT.
    TimedOut,
    /// ECONNREFUSED.
    Refused,
    /// EHOSTUNREACH.
    Unreachable,
    /// ENOTCONN.
    NotConnected,
    /// ECONNABORTED.
    Aborted,
    /// EMFILE: this process has no descriptor left.
    ProcessFull,
    /// ENFILE: the machine has none left.
    SystemFull,
    /// ENOBUFS.
    NoBuffers,
    /// ENOMEM.
    NoMemory,
    /// ENOSPC: too many watches.
    NoSpace,
    /// EPROTO.
    ProtocolError,
    /// EPERM: a firewall.
    Forbidden,
    /// Fewer bytes than there were or would fit; the kernel reports the rest.
    Short,
    /// An event for which there is no reason.
    Spurious,
    /// The same event twice.
    Duplicate,
    /// An event for a peer that is gone.
    Stale,
    /// A batch that cannot hold everything.
    Crowded,
    /// The process is stopped, and the clock jumps.
    Stopped,
}

/// In which state the call is made: of the loop, of a listener, or of a connection as far as the
/// kernel can see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The loop waits for something to happen.
    Asleep,
    /// The loop only looks.
    Looking,
    /// Clients wait to be accepted.
    Crowd,
    /// Nobody waits to be accepted.
    Nobody,
    /// Nothing was read from it or written to it.
    Fresh,
    /// Both halves are open.
    Open,
    /// The kernel has not taken everything.
    Owing,
    /// Its end was read.
    HalfClosed,
    /// Its end was read, and the kernel has not taken everything.
    HalfClosedOwing,
    /// We have shut our half.
    Lingering,
}

/// Calls, the faults that they may have, and the states in which they are made: each fault of a row
/// in each state of the row can be reached.
pub(super) const REACHABLE: [(Call, &[Fault], &[State]); 10] = [
    (
        Call::Wait,
        &[Fault::Interrupted, Fault::Stopped],
        &[State::Asleep],
    ),
    (
        Call::Wait,
        &[
            Fault::Spurious,
            Fault::Duplicate,
            Fault::Stale,
            Fault::Crowded,
        ],
        &[State::Asleep, State::Looking],
    ),
    (
        Call::Accept,
        &[
            Fault::Interrupted,
            Fault::ProcessFull,
            Fault::SystemFull,
            Fault::NoBuffers,
            Fault::NoMemory,
        ],
        &[State::Crowd, State::Nobody],
    ),
    (
        Call::Accept,
        &[
            Fault::WouldBlock,
            Fault::Aborted,
            Fault::ProtocolError,
            Fault::Forbidden,
        ],
        &[State::Crowd],
    ),
    (
        Call::Register,
        &[Fault::NoMemory, Fault::NoSpace],
        &[State::Fresh],
    ),
    (
        Call::Reregister,
        &[Fault::NoMemory],
        &[
            State::Open,
            State::Owing,
            State::HalfClosedOwing,
            State::Lingering,
        ],
    ),
    (
        Call::Read,
        &[
            Fault::Interrupted,
            Fault::WouldBlock,
            Fault::Short,
            Fault::Reset,
            Fault::TimedOut,
            Fault::Unreachable,
        ],
        &[State::Fresh, State::Open, State::Owing, State::Lingering],
    ),
    (
        Call::Peek,
        &[
            Fault::Interrupted,
            Fault::WouldBlock,
            Fault::Reset,
            Fault::TimedOut,
        ],
        &[State::Fresh, State::Open],
    ),
    (
        Call::Write,
        &[
            Fault::Interrupted,
            Fault::WouldBlock,
            Fault::Short,
            Fault::Reset,
            Fault::BrokenPipe,
            Fault::TimedOut,
            Fault::Unreachable,
        ],
        &[
            State::Fresh,
            State::Open,
            State::Owing,
            State::HalfClosed,
            State::HalfClosedOwing,
        ],
    ),
    (
        Call::Shutdown,
        &[Fault::NotConnected],
        &[State::Fresh, State::Open],
    ),
];

impl Fault {
    /// The error of this fault; `None` if it is no error.
    pub fn error(self) -> Option<io::Error> {
        self.errno().map(io::Error::from_raw_os_error)
    }

    /// Whether things go on as before.
    pub fn is_passing(self) -> bool {
        match self {
            Fault::Interrupted
            | Fault::WouldBlock
            | Fault::Short
            | Fault::Spurious
            | Fault::Duplicate
            | Fault::Stale
            | Fault::Crowded => true,
            Fault::Reset
            | Fault::BrokenPipe
            | Fault::TimedOut
            | Fault::Refused
            | Fault::Unreachable
            | Fault::NotConnected
            | Fault::Aborted
            | Fault::ProcessFull
            | Fault::SystemFull
            | Fault::NoBuffers
            | Fault::NoMemory
            | Fault::NoSpace
            | Fault::ProtocolError
            | Fault::Forbidden
            | Fault::Stopped => false,
        }
    }

    /// Its number on Linux (errno(3)).
    pub fn errno(self) -> Option<i32> {
        match self {
            Fault::Interrupted => Some(4),
            Fault::WouldBlock => Some(11),
            Fault::Reset => Some(104),
            Fault::BrokenPipe => Some(32),
            Fault::TimedOut => Some(110),
            Fault::Refused => Some(111),
            Fault::Unreachable => Some(113),
            Fault::NotConnected => Some(107),
            Fault::Aborted => Some(103),
            Fault::ProcessFull => Some(24),
            Fault::SystemFull => Some(23),
            Fault::NoBuffers => Some(105),
            Fault::NoMemory => Some(12),
            Fault::NoSpace => Some(28),
            Fault::ProtocolError => Some(71),
            Fault::Forbidden => Some(1),
            Fault::Short
            | Fault::Spurious
            | Fault::Duplicate
            | Fault::Stale
            | Fault::Crowded
            | Fault::Stopped => None,
        }
    }
}

/// How often each fault was injected, by call and state.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: BTreeMap<(Call, Fault, State), u64>,
}

impl Tally {
    /// Counts one.
    pub fn add(&mut self, call: Call, fault: Fault, state: State) {
        *self.counts.entry((call, fault, state)).or_default() += 1;
    }

    /// Adds what another run counted.
    pub fn merge(&mut self, other: &Tally) {
        for (&cell, count) in &other.counts {
            *self.counts.entry(cell).or_default() += count;
        }
    }

    /// How often this happened.
    pub fn count(&self, call: Call, fault: Fault, state: State) -> u64 {
        let count = self.counts.get(&(call, fault, state));
        count.copied().unwrap_or(0)
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The reachable cells that were never hit.
    pub fn missed(&self) -> Vec<(Call, Fault, State)> {
        let mut missed: Vec<_> = cells().collect();
        missed.retain(|&(call, fault, state)| self.count(call, fault, state) == 0);
        missed
    }
}

/// All cells of the table of what is reachable.
fn cells() -> impl Iterator<Item = (Call, Fault, State)> {
    REACHABLE.iter().flat_map(|&(call, faults, states)| {
        let pairs = faults
            .iter()
            .flat_map(move |&fault| states.iter().map(move |&state| (fault, state)));
        pairs.map(move |(fault, state)| (call, fault, state))
    })
}

impl fmt::Display for Tally {
    /// One line a row of the table: the call, the fault, and the count in each state.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (call, faults, states) in REACHABLE {
            for &fault in faults {
                write!(
                    f,
                    "  {:10} {:14}",
                    format!("{call:?}"),
                    format!("{fault:?}")
                )?;
                for &state in states {
                    let count = self.count(call, fault, state);
                    write!(f, " {state:?} {count}")?;
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}
