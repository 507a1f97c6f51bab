//! What becomes of a call of the process: the port that it calls says, so that whoever calls knows what it
//! ought to be told. Nothing is called here.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::fault::Fault;
use super::random::Random;
use crate::protocol::Time;

/// Who owns the connections that the process makes.
pub(super) const DIALLED: usize = usize::MAX - 2;
/// What a server that answers says before it closes.
pub(super) const GREETING: &[u8] = b"welcome";
/// How long an answer takes, at most, and how long the kernel waits for one that never comes.
pub(super) const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
pub(super) const SILENCE: Duration = Duration::from_secs(127);

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is answered; the server says its greeting and closes.
    Answered,
    /// Nobody listens.
    Refused,
    /// Nobody answers at all.
    TimedOut,
    /// It is answered and reset at once.
    Reset,
    /// It is answered; the server reads a little at a time, and says what time it is.
    Slow,
}

impl Fate {
    pub(super) const ALL: [Fate; 5] = [
        Fate::Answered,
        Fate::Refused,
        Fate::TimedOut,
        Fate::Reset,
        Fate::Slow,
    ];

    /// Whom to call for it.
    pub(super) fn address(self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 1 + self as u16))
    }

    /// By which errors it may end. One that is established may have any that can be injected.
    pub(super) fn errors(self, is_connected: bool) -> &'static [Fault] {
        match (self, is_connected) {
            (Fate::Answered | Fate::Slow, false) => &[],
            (Fate::Refused, _) => &[Fault::Refused],
            (Fate::TimedOut, _) => &[Fault::TimedOut],
            (Fate::Reset, _) => &[Fault::Reset],
            (Fate::Answered | Fate::Slow, true) => &[
                Fault::Reset,
                Fault::BrokenPipe,
                Fault::TimedOut,
                Fault::Unreachable,
                Fault::NoMemory,
            ],
        }
    }

    pub(super) fn of(address: SocketAddr) -> Fate {
        let place = usize::from(address.port()).wrapping_sub(1);
        Fate::ALL.get(place).copied().unwrap_or(Fate::Refused)
    }
}

/// The far end of a call: when it acts next, and what it draws then.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    pub(super) at: Time,
    pub(super) fate: Fate,
    pub(super) rng: Random,
}
