//! The character of a client: how fast it is, and how it ends. Who has which is drawn in `draw.rs`.

use std::time::Duration;

/// How a client ends, if it does not do it by saying so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It shuts its half when it has said everything, and reads on.
    HalfClose,
    /// It closes when it has said and read everything.
    Close,
    /// It closes when it has sent this much, whatever is on its way.
    CloseAt(u64),
    /// The same, with a reset.
    ResetAt(u64),
    /// Its machine is gone when it has sent this much, without a word.
    VanishAt(u64),
    /// It never ends by itself.
    Stay,
}

/// The character of a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behaviour {
    pub(super) piece_max: usize,
    pub(super) pause_max: Duration,
    pub(super) read_max: usize,
    /// It does not read before it has been there for this long.
    pub(super) reads_after: Duration,
    pub(super) ending: Ending,
    /// It leaves its half open after the server has ended the other.
    pub(super) lingers: bool,
    /// It says the last of its bytes one by one.
    pub(super) trickles: bool,
}
