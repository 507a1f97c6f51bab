//! A guest in a chat: the machine of one connection, on a server a client and in a client the
//! server. It cuts what arrives into messages and says them in its turn; whose turn it is, and who
//! the partner is, it asks.

use std::fmt;

use super::{Chat, Fault, News, Partner, Place, Settings};
use crate::protocol::framing::{Decoder, Framing, Overlong, encode};
use crate::protocol::turns::{Message, Order, Side};
use crate::protocol::{Context, Event, PeerId, Standing, Time};

/// A peer at the other end of a connection.
#[derive(Debug)]
pub struct Guest {
    pub(super) decoder: Decoder,
    pub(super) seat: Seat,
    /// Since when it has been asked for the first message of a pair; until it has said it.
    asked_first: Option<Time>,
    /// When it was last sent a message: in the same turn that may be on its way to the kernel.
    pub(super) told_at: Option<Time>,
}

/// Where a guest stands. Whose turn it is in a talk is not repeated here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// It waits for a partner.
    Lobby,
    /// It talks with the parrot.
    Parrot,
    /// It has this side of the talk that is named by this guest.
    Talk(PeerId, Side),
    /// It is leaving.
    Gone,
}

/// What can happen to a guest, drawn from its events, its decoder and the talk.
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
    /// The partner left, and everything it said was heard.
    Deserted,
    /// The program ends.
    Stopping,
}

impl Chat {
    /// A guest comes in. With [`Partner::Operator`] and [`Partner::User`] the console must be open.
    pub fn open_guest(&mut self, cx: &mut Context<'_>, name: fmt::Arguments<'_>) -> Guest {
        let me = cx.me();
        let seat = match (self.settings.partner, self.console) {
            (Partner::Parrot, _) => Seat::Parrot,
            (Partner::Guest, _) => {
                self.lobby.wait(me);
                self.match_waiting(cx);
                let place = self.lobby.take_place(me);
                place.map_or(Seat::Lobby, |(talk, side)| Seat::Talk(talk, side))
            }
            (Partner::Operator, Some(console)) => {
                self.turns.open(me, console, Side::Guest, Order::Strict);
                self.join_console(cx, console, name)
            }
            (Partner::User, Some(console)) => {
                self.turns.open(me, console, Side::Host, Order::FreeGuest);
                self.join_console(cx, console, name)
            }
            (Partner::Operator | Partner::User, None) => {
                cx.refuse("there is nobody to talk to");
                Seat::Gone
            }
        };
        let Settings {
            framing,
            message_bytes_max,
            ..
        } = self.settings;
        let decoder = Decoder::new(framing, message_bytes_max);
        Guest {
            decoder,
            seat,
            asked_first: None,
            told_at: None,
        }
    }

    fn join_console(
        &mut self,
        cx: &mut Context<'_>,
        console: PeerId,
        name: fmt::Arguments<'_>,
    ) -> Seat {
        self.news.push_back(News::Joined(cx.me(), name.to_string()));
        cx.wake(console);
        Seat::Talk(cx.me(), Side::Guest)
    }

    /// Everybody in the lobby for whom there is a partner gets one.
    fn match_waiting(&mut self, cx: &mut Context<'_>) {
        while let Some((first, second)) = self.lobby.next_pair() {
            self.turns.open(first, second, Side::Guest, Order::Strict);
            cx.wake(first);
            cx.wake(second);
        }
    }

    /// Something happened to a guest.
    pub fn step_guest(&mut self, cx: &mut Context<'_>, guest: &mut Guest, event: Event<'_>) {
        match event {
            Event::Received(bytes) => guest.decoder.receive(bytes, cx.now()),
            Event::Finished => guest.decoder.finish(),
            Event::Woken | Event::Stopping => {}
        }
        while let Some(input) = self.next_input(cx, guest) {
            self.take(cx, guest, input);
        }
        if event == Event::Stopping {
            self.take(cx, guest, Input::Stopping);
        }
        cx.wake_at(if cx.room() > 0 {
            self.wake_guest_at(guest)
        } else {
            None
        });
    }

    fn may_speak(&self, guest: &Guest) -> bool {
        match guest.seat {
            Seat::Parrot => true,
            Seat::Talk(talk, side) => self.turns.may_speak(talk, side),
            Seat::Lobby | Seat::Gone => false,
        }
    }

    fn next_input(&mut self, cx: &Context<'_>, guest: &mut Guest) -> Option<Input> {
        // Before anything else: until then it sits where it may have no right to be any more.
        if let Some(place) = self.lobby.take_place(cx.me()) {
            return Some(Input::Matched(place));
        }
        if let Seat::Talk(talk, side) = guest.seat {
            if let Some(message) = self.turns.hear(talk, side) {
                return Some(Input::Heard(message));
            }
            if self.turns.is_deserted(talk, side) {
                return Some(Input::Deserted);
            }
        }
        // Who takes no answers says nothing: each would bring another. It is woken when there is room.
        if self.may_speak(guest) && cx.room() > 0 {
            return self.next_spoken(cx.heard(), guest);
        }
        let decoder = &guest.decoder;
        let silent_end = decoder.is_finished() && decoder.begun_at().is_none();
        (silent_end && guest.seat != Seat::Gone).then_some(Input::Ended)
    }

    fn next_spoken(&self, heard: Time, guest: &mut Guest) -> Option<Input> {
        match guest.decoder.next(heard) {
            Ok(Some(message)) => return Some(Input::Spoke(message)),
            Err(Overlong) => return Some(Input::Broke(Fault::TooLong)),
            Ok(None) if guest.decoder.is_finished() => return Some(Input::Ended),
            Ok(None) => {}
        }
        let is_over = |deadline: Option<Time>| deadline.is_some_and(|at| at <= heard);
        if is_over(self.message_deadline(guest)) {
            return Some(Input::Broke(Fault::TooSlow));
        }
        is_over(self.first_turn_deadline(guest)).then_some(Input::Silent)
    }

    /// Until when it must have said the first message of its pair; begun in time, it has as long again.
    fn first_turn_deadline(&self, guest: &Guest) -> Option<Time> {
        let asked = guest.asked_first?;
        let begun = guest.decoder.begun_at().unwrap_or(asked);
        Some(begun.after(self.settings.turn_time_max?))
    }

    fn message_deadline(&self, guest: &Guest) -> Option<Time> {
        let begun = guest.decoder.begun_at()?;
        Some(begun.after(self.settings.message_time_max?))
    }

    fn wake_guest_at(&self, guest: &Guest) -> Option<Time> {
        if !self.may_speak(guest) {
            return None;
        }
        let silence = guest.decoder.wake_at();
        let deadline = self.message_deadline(guest);
        let first_turn = self.first_turn_deadline(guest);
        silence.into_iter().chain(deadline).chain(first_turn).min()
    }

    /// The transitions of a guest: one row a pair of seat and input.
    fn take(&mut self, cx: &mut Context<'_>, guest: &mut Guest, input: Input) {
        match (guest.seat, input) {
            (Seat::Lobby | Seat::Talk(..), Input::Matched((talk, side))) => {
                guest.seat = Seat::Talk(talk, side);
                guest.asked_first = (side == Side::Guest).then(|| cx.now());
                guest.decoder.restart(cx.now());
            }
            (Seat::Talk(talk, _), Input::Silent) => self.go_to_the_end(cx, guest, talk),
            (Seat::Talk(..), Input::Heard(message)) => {
                let own = guest.decoder.framing();
                let framing = if own == Framing::Auto {
                    message.framing
                } else {
                    own
                };
                cx.send_with(|out| encode(framing, &message.text, out));
                guest.decoder.restart(cx.now());
                guest.told_at = Some(cx.now());
            }
            (Seat::Talk(talk, side), Input::Spoke(text)) => {
                guest.asked_first = None;
                let quits = self.is_quit(&text);
                let framing = guest.decoder.framing();
                self.pass_on(cx, talk, side, Message { text, framing });
                if quits {
                    self.leave(cx, guest);
                }
            }
            (Seat::Parrot, Input::Spoke(text)) => {
                cx.send_with(|out| encode(guest.decoder.framing(), &text, out));
                if self.is_quit(&text) {
                    self.leave(cx, guest);
                }
            }
            (Seat::Talk(..) | Seat::Parrot, Input::Broke(fault)) => self.refuse(cx, guest, fault),
            (Seat::Talk(..) | Seat::Parrot, Input::Stopping) => {
                self.say_goodbye(cx, guest);
                self.leave(cx, guest);
            }
            (Seat::Talk(talk, _), Input::Deserted) => self.follow_its_partner(cx, guest, talk),
            (Seat::Lobby, Input::Ended | Input::Stopping)
            | (Seat::Parrot | Seat::Talk(..), Input::Ended) => self.leave(cx, guest),
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
            (
                Seat::Gone,
                Input::Matched(_)
                | Input::Heard(_)
                | Input::Spoke(_)
                | Input::Broke(_)
                | Input::Silent
                | Input::Ended
                | Input::Deserted
                | Input::Stopping,
            ) => {}
        }
    }

    /// Its partner is to wait for it no longer, and speaks first with whoever comes next; that may be
    /// this guest again. If it has begun to say something to that partner, nobody else is to hear the
    /// end of it.
    fn go_to_the_end(&mut self, cx: &mut Context<'_>, guest: &mut Guest, talk: PeerId) {
        guest.asked_first = None;
        guest.seat = Seat::Lobby;
        if let Some(partner) = self.turns.dissolve(talk) {
            self.lobby.wait_first(partner);
        }
        if guest.decoder.begun_at().is_some() {
            self.refuse(cx, guest, Fault::TooSlow);
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
        cx.wake(listener);
    }

    /// Where a guest stands, for an observer.
    pub fn standing_of_guest(&self, guest: &Guest) -> Standing {
        let state = match guest.seat {
            Seat::Lobby => "lobby",
            Seat::Gone => "leaving",
            Seat::Parrot | Seat::Talk(..) if self.may_speak(guest) => "speaking",
            Seat::Parrot | Seat::Talk(..) => "listening",
        };
        Standing {
            protocol: "chat",
            state,
        }
    }

    /// How many bytes a guest may send now.
    pub fn window_of_guest(&self, guest: &Guest) -> usize {
        if self.may_speak(guest) {
            guest.decoder.window()
        } else {
            0
        }
    }
}
