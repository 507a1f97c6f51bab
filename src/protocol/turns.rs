//! Whose turn it is in a conversation, and the message in transit: stored here and nowhere else.
//! It knows nothing of framing, sockets or terminals.
//!
//! A conversation has two sides and is named by its remote. One side speaks, then the other, one
//! message each. A message that was said stays here until the other side hears it; only then may
//! that side speak. With `FreeRemote`, turns bind the host alone: what the remote says is delivered
//! at any time, and answers everything that the host has said.

use std::collections::BTreeMap;

use super::PeerId;
use super::framing::Framing;

/// A message on its way from one side to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What was said, without delimiter or padding.
    pub text: Vec<u8>,
    /// How the speaker frames. A listener that has not shown its own framing gets the speaker's.
    pub framing: Framing,
}

/// A side of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The peer that the conversation is named by.
    Remote,
    /// The peer that it talks to. A host may have many remotes, a remote has one host.
    Host,
}

impl Side {
    /// The side across.
    pub fn other(self) -> Side {
        match self {
            Side::Remote => Side::Host,
            Side::Host => Side::Remote,
        }
    }
}

/// Whom the turns bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Both sides.
    Strict,
    /// The host alone.
    FreeRemote,
}

#[derive(Debug)]
struct Conversation {
    host: PeerId,
    order: Order,
    speaker: Side,
    said: Option<Message>,
    left: Option<Side>,
}

/// All conversations. Every call costs O(log n) in their number.
#[derive(Debug, Default)]
pub struct Turns {
    conversations: BTreeMap<PeerId, Conversation>,
}

impl Turns {
    /// Begins a conversation in which `first` speaks first.
    pub fn open(&mut self, remote: PeerId, host: PeerId, first: Side, order: Order) {
        let conversation = Conversation {
            host,
            order,
            speaker: first,
            said: None,
            left: None,
        };
        let before = self.conversations.insert(remote, conversation);
        assert!(before.is_none(), "a remote has one conversation");
    }

    /// Whether `side` may say something now: it is its turn, or it is free; everything that was said
    /// before has been delivered, and it has a partner.
    pub fn may_speak(&self, remote: PeerId, side: Side) -> bool {
        self.conversations.get(&remote).is_some_and(|c| {
            let is_free = side == Side::Remote && c.order == Order::FreeRemote;
            (c.speaker == side || is_free) && c.said.is_none() && c.left.is_none()
        })
    }

    /// Whose turn it is, also where its partner has left; `None` if there is no such conversation.
    pub fn speaker(&self, remote: PeerId) -> Option<Side> {
        self.conversations.get(&remote).map(|c| c.speaker)
    }

    /// Says `message` and passes the turn. Returns the peer that can hear it now; `None`, and
    /// nothing said, if it is not this side's turn.
    pub fn say(&mut self, remote: PeerId, side: Side, message: Message) -> Option<PeerId> {
        if !self.may_speak(remote, side) {
            return None;
        }
        let conversation = self.conversations.get_mut(&remote)?;
        conversation.said = Some(message);
        conversation.speaker = side.other();
        Some(peer_at(remote, conversation, side.other()))
    }

    /// Takes the message that waits for `side`.
    pub fn hear(&mut self, remote: PeerId, side: Side) -> Option<Message> {
        let conversation = self.conversations.get_mut(&remote)?;
        if conversation.speaker == side {
            conversation.said.take()
        } else {
            None
        }
    }

    /// Whether the partner of `side` has left. Its last message can still be delivered.
    pub fn is_deserted(&self, remote: PeerId, side: Side) -> bool {
        self.conversations
            .get(&remote)
            .is_none_or(|c| c.left == Some(side.other()))
    }

    /// The conversation never was: both sides are to talk with others, or with each other anew.
    /// Returns its host.
    pub fn dissolve(&mut self, remote: PeerId) -> Option<PeerId> {
        let conversation = self.conversations.remove(&remote)?;
        Some(conversation.host)
    }

    /// `side` leaves. Returns the partner if that has yet to learn of it; the conversation is
    /// forgotten when both have left.
    pub fn leave(&mut self, remote: PeerId, side: Side) -> Option<PeerId> {
        let conversation = self.conversations.get_mut(&remote)?;
        if conversation.left == Some(side.other()) {
            self.conversations.remove(&remote);
            return None;
        }
        conversation.left = Some(side);
        Some(peer_at(remote, conversation, side.other()))
    }

    /// `host` leaves every conversation that it has. Returns the remotes that do not know it yet.
    /// Costs O(n log n).
    pub fn leave_all(&mut self, host: PeerId) -> Vec<PeerId> {
        let all = self.conversations.iter();
        let remotes: Vec<PeerId> = all
            .filter(|(_, conversation)| conversation.host == host)
            .map(|(&remote, _)| remote)
            .collect();
        let learn = remotes.into_iter();
        learn
            .filter(|&remote| self.leave(remote, Side::Host).is_some())
            .collect()
    }
}

fn peer_at(remote: PeerId, conversation: &Conversation, side: Side) -> PeerId {
    match side {
        Side::Remote => remote,
        Side::Host => conversation.host,
    }
}
