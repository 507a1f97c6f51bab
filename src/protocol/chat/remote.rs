//! A remote in a chat: the machine of one connection, on a server a client and in a client the
//! server. It cuts what arrives into messages and says them in its turn; whose turn it is, and who
//! the partner is, it asks.

use super::{Chat, Fault, News, Partner, Place};
use crate::protocol::framing::{Decoder, Framing, Overlong, encode};
use crate::protocol::turns::{Message, Order, Side};
use crate::protocol::{Context, Event, Peer, PeerId, StateName, Time};

/// A peer at the other end of a connection.
#[derive(Debug)]
pub struct Remote {
    pub(super) decoder: Decoder,
    pub(super) seat: Seat,
    /// Since when it has been asked for the first message of a pair; until it has said it.
    asked_first: Option<Time>,
    /// When it was last sent a message: in the same turn that may be on its way to the kernel.
    pub(super) sent_at: Option<Time>,
}

/// The state of a remote. Whose turn it is in a talk is not stored here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// It waits for a partner.
    Lobby,
    /// It talks with the parrot.
    Parrot,
    /// It has this side of the talk that is named by this remote.
    Talk(PeerId, Side),
    /// It is leaving.
    Gone,
}

/// What can happen to a remote, drawn from its events, its decoder and the talk.
#[derive(Debug)]
enum Input {
    /// It has a partner, or another one than before.
    Matched(Place),
    /// The partner's message is there.
    Heard(Message),
    /// It said something in its turn.
    Spoke(Vec<u8>),
    /// What it says is longer than allowed, or takes too long.
    Broke(Fault),
    /// It was to speak first, and did not in time.
    Silent,
    /// It will say no more.
    Ended,
    /// The partner left, and everything it said was delivered.
    Deserted,
    /// The program ends.
    Stopping,
}

impl Chat {
    /// Opens a remote's session. With [`Partner::Operator`] and [`Partner::User`] the console must be open.
    pub fn open_remote(&mut self, cx: &mut Context<'_>, peer: &Peer<'_>) -> Remote {
        let me = cx.me();
        let seat = match (self.settings.partner, self.console) {
            (Partner::Parrot, _) => Seat::Parrot,
            (Partner::Pair, _) => {
                self.lobby.wait(me);
                self.match_waiting(cx);
                let place = self.lobby.take_place(me);
                place.map_or(Seat::Lobby, |(talk, side)| Seat::Talk(talk, side))
            }
            (Partner::Operator, Some(console)) => {
                self.turns.open(me, console, Side::Remote, Order::Strict);
                self.join_console(cx, console, peer)
            }
            (Partner::User, Some(console)) => {
                self.turns.open(me, console, Side::Host, Order::FreeRemote);
                self.join_console(cx, console, peer)
            }
            (Partner::Operator | Partner::User, None) => {
                cx.refuse("there is nobody to talk to");
                Seat::Gone
            }
        };
        Remote {
            decoder: Decoder::new(self.settings.framing, self.settings.message_bytes_max),
            seat,
            asked_first: None,
            sent_at: None,
        }
    }

    fn join_console(&mut self, cx: &mut Context<'_>, console: PeerId, peer: &Peer<'_>) -> Seat {
        self.news
            .push_back(News::Joined(cx.me(), peer.name.to_string()));
        cx.notify(console);
        Seat::Talk(cx.me(), Side::Remote)
    }

    /// Everybody in the lobby for whom there is a partner gets one.
    fn match_waiting(&mut self, cx: &mut Context<'_>) {
        while let Some((first, second)) = self.lobby.next_pair() {
            self.turns.open(first, second, Side::Remote, Order::Strict);
            cx.notify(first);
            cx.notify(second);
        }
    }

    /// An event for a remote.
    pub fn step_remote(&mut self, cx: &mut Context<'_>, remote: &mut Remote, event: Event<'_>) {
        // Only a timer says that the peer was silent; until when, it says too.
        let mut silent_until = Time::ZERO;
        match event {
            Event::Received(bytes) => remote.decoder.receive(bytes, cx.now()),
            Event::Eof => remote.decoder.finish(),
            Event::TimerExpired(at) => silent_until = at,
            Event::Connected | Event::Notified | Event::Writable | Event::Stopping => {}
        }
        while let Some(input) = self.next_input(cx, remote, silent_until) {
            self.take(cx, remote, input);
        }
        if event == Event::Stopping {
            self.take(cx, remote, Input::Stopping);
        }
        cx.set_timer(if cx.send_capacity() > 0 {
            self.timer_of(remote)
        } else {
            None
        });
    }

    fn may_speak(&self, remote: &Remote) -> bool {
        match remote.seat {
            Seat::Parrot => true,
            Seat::Talk(talk, side) => self.turns.may_speak(talk, side),
            Seat::Lobby | Seat::Gone => false,
        }
    }

    fn next_input(
        &mut self,
        cx: &Context<'_>,
        remote: &mut Remote,
        silent_until: Time,
    ) -> Option<Input> {
        // Before anything else: until then it sits where it may have no right to be any more.
        if let Some(place) = self.lobby.take_place(cx.me()) {
            return Some(Input::Matched(place));
        }
        if let Seat::Talk(talk, side) = remote.seat {
            if let Some(message) = self.turns.hear(talk, side) {
                return Some(Input::Heard(message));
            }
            if self.turns.is_deserted(talk, side) {
                return Some(Input::Deserted);
            }
        }
        // A remote that takes no answers is not read: each message would bring another answer. `Writable` resumes it.
        if self.may_speak(remote) && cx.send_capacity() > 0 {
            return self.next_spoken(silent_until, remote);
        }
        let decoder = &remote.decoder;
        let silent_end = decoder.is_finished() && decoder.begun_at().is_none();
        (silent_end && remote.seat != Seat::Gone).then_some(Input::Ended)
    }

    fn next_spoken(&self, silent_until: Time, remote: &mut Remote) -> Option<Input> {
        match remote.decoder.next(silent_until) {
            Ok(Some(message)) => return Some(Input::Spoke(message)),
            Err(Overlong) => return Some(Input::Broke(Fault::TooLong)),
            Ok(None) if remote.decoder.is_finished() => return Some(Input::Ended),
            Ok(None) => {}
        }
        let is_over = |deadline: Option<Time>| deadline.is_some_and(|at| at <= silent_until);
        if is_over(self.message_deadline(remote)) {
            return Some(Input::Broke(Fault::TooSlow));
        }
        is_over(self.first_turn_deadline(remote)).then_some(Input::Silent)
    }

    /// Until when it must have said the first message of its pair; begun in time, it has as long again.
    fn first_turn_deadline(&self, remote: &Remote) -> Option<Time> {
        let asked = remote.asked_first?;
        let begun = remote.decoder.begun_at().unwrap_or(asked);
        Some(begun.after(self.settings.turn_time_max?))
    }

    fn message_deadline(&self, remote: &Remote) -> Option<Time> {
        let begun = remote.decoder.begun_at()?;
        Some(begun.after(self.settings.message_time_max?))
    }

    fn timer_of(&self, remote: &Remote) -> Option<Time> {
        if !self.may_speak(remote) {
            return None;
        }
        let silence = remote.decoder.wake_at();
        let deadline = self.message_deadline(remote);
        let first_turn = self.first_turn_deadline(remote);
        silence.into_iter().chain(deadline).chain(first_turn).min()
    }

    /// The transitions of a remote: one row for each pair of seat and input.
    fn take(&mut self, cx: &mut Context<'_>, remote: &mut Remote, input: Input) {
        match (remote.seat, input) {
            (Seat::Lobby | Seat::Talk(..), Input::Matched((talk, side))) => {
                remote.seat = Seat::Talk(talk, side);
                remote.asked_first = (side == Side::Remote).then(|| cx.now());
                remote.decoder.restart(cx.now());
            }
            (Seat::Talk(talk, _), Input::Silent) => self.go_to_the_end(cx, remote, talk),
            (Seat::Talk(..), Input::Heard(message)) => {
                let own = remote.decoder.framing();
                let framing = if own == Framing::Auto {
                    message.framing
                } else {
                    own
                };
                cx.send_with(|out| encode(framing, &message.text, out));
                remote.decoder.restart(cx.now());
                remote.sent_at = Some(cx.now());
            }
            (Seat::Talk(talk, side), Input::Spoke(text)) => {
                remote.asked_first = None;
                let quits = self.is_quit(&text);
                let framing = remote.decoder.framing();
                self.pass_on(cx, talk, side, Message { text, framing });
                if quits {
                    self.leave(cx, remote);
                }
            }
            (Seat::Parrot, Input::Spoke(text)) => {
                cx.send_with(|out| encode(remote.decoder.framing(), &text, out));
                if self.is_quit(&text) {
                    self.leave(cx, remote);
                }
            }
            (Seat::Talk(..) | Seat::Parrot, Input::Broke(fault)) => self.refuse(cx, remote, fault),
            (Seat::Talk(..) | Seat::Parrot, Input::Stopping) => {
                self.say_goodbye(cx, remote);
                self.leave(cx, remote);
            }
            (Seat::Talk(talk, _), Input::Deserted) => self.follow_its_partner(cx, remote, talk),
            (Seat::Lobby, Input::Ended | Input::Stopping)
            | (Seat::Parrot | Seat::Talk(..), Input::Ended) => self.leave(cx, remote),
            // Nothing that `next_input` draws leads here.
            (
                Seat::Lobby,
                Input::Heard(_)
                | Input::Spoke(_)
                | Input::Broke(_)
                | Input::Silent
                | Input::Deserted,
            )
            | (
                Seat::Parrot,
                Input::Matched(_) | Input::Heard(_) | Input::Silent | Input::Deserted,
            ) => {}
            (Seat::Gone, _) => {}
        }
    }

    /// Its partner is to wait for it no longer, and speaks first with whoever comes next; that may be
    /// this remote again. If it has begun to say something to that partner, nobody else is to hear the
    /// end of it.
    fn go_to_the_end(&mut self, cx: &mut Context<'_>, remote: &mut Remote, talk: PeerId) {
        remote.asked_first = None;
        remote.seat = Seat::Lobby;
        if let Some(partner) = self.turns.dissolve(talk) {
            self.lobby.wait_first(partner);
        }
        if remote.decoder.begun_at().is_some() {
            self.refuse(cx, remote, Fault::TooSlow);
        } else {
            self.lobby.wait(cx.me());
        }
        self.match_waiting(cx);
    }

    fn pass_on(&mut self, cx: &mut Context<'_>, talk: PeerId, side: Side, message: Message) {
        let Some(listener) = self.turns.say(talk, side, message) else {
            return;
        };
        if Some(listener) == self.console {
            self.news.push_back(News::Said(talk));
        }
        cx.notify(listener);
    }

    /// The state of a remote, for an observer.
    pub fn state_of_remote(&self, remote: &Remote) -> StateName {
        let state = match remote.seat {
            Seat::Lobby => "lobby",
            Seat::Gone => "leaving",
            Seat::Parrot | Seat::Talk(..) if self.may_speak(remote) => "speaking",
            Seat::Parrot | Seat::Talk(..) => "listening",
        };
        StateName::new("chat", state)
    }

    /// How many bytes a remote may send now.
    pub fn read_limit_of_remote(&self, remote: &Remote) -> usize {
        if self.may_speak(remote) {
            remote.decoder.read_limit()
        } else {
            0
        }
    }
}
