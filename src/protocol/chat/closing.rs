//! How a remote leaves: what it is sent, and which sessions learn of it. When it leaves is decided elsewhere.

use super::remote::{Remote, Seat};
use super::{Chat, Fault, News, Partner};
use crate::protocol::framing::{Framing, encode};
use crate::protocol::turns::Side;
use crate::protocol::{CloseReason, Context, PeerId};

impl Chat {
    pub(super) fn refuse(&mut self, cx: &mut Context<'_>, remote: &mut Remote, fault: Fault) {
        let words = fault.words();
        self.refusal = Some(words);
        match self.settings.partner {
            Partner::Operator | Partner::Parrot => {
                let framing = remote.decoder.framing();
                cx.send_with(|out| encode(framing, words.as_bytes(), out));
            }
            // Clients in a pair get nothing but each other's messages; a client shows its own user
            // what happened.
            Partner::Pair | Partner::User => {}
        }
        if self.settings.partner == Partner::Operator {
            let why = fault.explained(&self.settings);
            self.news.push_back(News::Refused(cx.me(), why));
        }
        cx.refuse(words);
        self.unseat(cx, remote);
    }

    /// A remote whose program only compares with the quit word and does not look for EOF must still
    /// learn that we are leaving. Clients in a pair get nothing but each other's messages.
    pub(super) fn say_goodbye(&self, cx: &mut Context<'_>, remote: &Remote) {
        let framing = remote.decoder.framing();
        match self.settings.partner {
            // One that has not spoken may be no chat client at all.
            Partner::Operator | Partner::Parrot if framing != Framing::Auto => {
                cx.send_with(|out| encode(framing, &self.settings.quit, out));
            }
            Partner::Operator | Partner::Parrot | Partner::Pair | Partner::User => {}
        }
    }

    /// In a client our user has left. In turn, the server may compare with the quit word only. Out of
    /// turn it may not even read: it would not see the quit word behind what it has not read, but it
    /// notices a reset. If our user's terminal is gone, our user did not choose to leave.
    pub(super) fn follow_its_partner(
        &mut self,
        cx: &mut Context<'_>,
        remote: &mut Remote,
        talk: PeerId,
    ) {
        if self.settings.partner == Partner::User && self.console.is_some() {
            let has_been_sent = remote.sent_at != Some(cx.now());
            if has_been_sent && self.turns.speaker(talk) == Some(Side::Remote) {
                cx.abort();
                return self.unseat(cx, remote);
            }
            let framing = remote.decoder.framing();
            cx.send_with(|out| encode(framing, &self.settings.quit, out));
        }
        self.leave(cx, remote);
    }

    pub(super) fn leave(&mut self, cx: &mut Context<'_>, remote: &mut Remote) {
        cx.close();
        self.unseat(cx, remote);
    }

    fn unseat(&mut self, cx: &mut Context<'_>, remote: &mut Remote) {
        let me = cx.me();
        let seat = std::mem::replace(&mut remote.seat, Seat::Gone);
        // It may have a partner without having learnt of it.
        let place = self.lobby.take_place(me);
        match place.map_or(seat, |(talk, side)| Seat::Talk(talk, side)) {
            Seat::Lobby => self.lobby.leave(me),
            Seat::Parrot | Seat::Gone => {}
            Seat::Talk(talk, side) => self.end_talk(cx, talk, side),
        }
    }

    fn end_talk(&mut self, cx: &mut Context<'_>, talk: PeerId, side: Side) {
        if let Some(partner) = self.turns.leave(talk, side) {
            cx.notify(partner);
        }
        match (self.settings.partner, self.console) {
            (Partner::Operator | Partner::User, Some(console)) => {
                self.news.push_back(News::Left(talk));
                cx.notify(console);
            }
            (Partner::Operator | Partner::User, None) | (Partner::Pair | Partner::Parrot, _) => {}
        }
    }

    /// A remote is gone.
    pub fn close_remote(&mut self, cx: &mut Context<'_>, mut remote: Remote, reason: CloseReason) {
        if remote.seat != Seat::Gone {
            self.remote_ending = Some(reason);
        }
        self.unseat(cx, &mut remote);
    }
}
