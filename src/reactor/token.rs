//! What a readiness event is about: a number that the kernel carries for us and never looks at.

use crate::protocol::PeerId;

/// Names a listener or a peer to the kernel.
///
/// A peer's generation is never 0, so that generation 0 is free for listeners. The generation makes
/// an event for a peer that died earlier in the same batch find nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub(super) u64);

/// Whom a token names. A new one is a new major version, as of [`Event`](crate::protocol::Event).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The listener with this index.
    Listener(usize),
    /// Another thread, which has asked for something: [`Handle`](super::Handle).
    Waker,
    /// A peer, perhaps gone.
    Peer(PeerId),
}

impl Token {
    /// The token of the [`Waker`](super::Waker): no listener has this index.
    pub const WAKER: Token = Token(u32::MAX as u64);

    /// The token of the listener with this index.
    pub fn listener(index: u32) -> Token {
        Token(u64::from(index))
    }

    /// The token of a peer.
    pub fn peer(id: PeerId) -> Token {
        Token(u64::from(id.generation) << 32 | u64::from(id.slot))
    }

    /// Whom it names.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "taking the two halves apart"
    )]
    pub fn target(self) -> Target {
        let (generation, slot) = ((self.0 >> 32) as u32, self.0 as u32);
        match generation {
            0 if self == Token::WAKER => Target::Waker,
            0 => Target::Listener(slot as usize),
            _ => Target::Peer(PeerId { slot, generation }),
        }
    }
}
