//! What epoll says about a descriptor, in its own words. What follows from it is not decided here.

use std::fmt;
use std::ops::BitOr;

/// Bits of `epoll_event.events` (epoll_ctl(2)), as far as the library under the kernel lets us tell
/// them: `HUP` is told where both halves are closed. The numbers are Linux's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// Nothing.
    pub const NONE: Flags = Flags(0);
    /// EPOLLIN: there may be something to read or to accept.
    pub const IN: Flags = Flags(1);
    /// EPOLLPRI: urgent data.
    pub const PRI: Flags = Flags(2);
    /// EPOLLOUT: there may be room to write.
    pub const OUT: Flags = Flags(4);
    /// EPOLLRDHUP: the peer has ended its half.
    pub const RDHUP: Flags = Flags(0x2000);
    /// EPOLLHUP: both halves have ended.
    pub const HUP: Flags = Flags(0x10);
    /// EPOLLERR: something is wrong; the next call says what.
    pub const ERR: Flags = Flags(8);
    /// EPOLLET, where it is asked to watch: each change is told once.
    pub const ET: Flags = Flags(1 << 31);

    const NAMES: [(Flags, &'static str); 7] = [
        (Flags::IN, "IN"),
        (Flags::PRI, "PRI"),
        (Flags::OUT, "OUT"),
        (Flags::RDHUP, "RDHUP"),
        (Flags::HUP, "HUP"),
        (Flags::ERR, "ERR"),
        (Flags::ET, "ET"),
    ];

    /// Whether all of these are among them.
    #[must_use]
    pub const fn contains(self, others: Flags) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether at least one of these is among them.
    #[must_use]
    pub const fn contains_any(self, others: Flags) -> bool {
        self.0 & others.0 != 0
    }

    /// These flags if `holds`, else none. Without branches: it is asked for every event.
    #[must_use]
    #[inline]
    pub fn only_if(self, holds: bool) -> Flags {
        Flags(self.0 * u32::from(holds))
    }
}

impl BitOr for Flags {
    type Output = Flags;

    #[inline]
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// `IN|RDHUP`; `-` for none.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (flag, name) in Flags::NAMES {
            if self.contains(flag) {
                write!(f, "{separator}{name}")?;
                separator = "|";
            }
        }
        if separator.is_empty() {
            f.write_str("-")?;
        }
        Ok(())
    }
}
