//! A guest in a chat: the machine of one connection, on a server a client and in a client the
//! server. It cuts what arrives into messages and says them in its turn; whose turn it is, and who
//! the partner is, it asks.

use std::fmt;

use super::{Chat, News, Partner, Settings};
use crate::protocol::framing::{Decoder, Framing, Overlong, encode};
use crate::protocol::turns::{Message, Side};
use crate::protocol::{CloseReason, Context, Event, PeerId, Standing, Time};

/// A peer at the other end of a connection.
#[derive(Debug)]
pub struct Guest {
    decoder: Decoder,
    seat: Seat,
}

/// Where a guest stands. Whose turn it is in a talk is not repeated here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seat {
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
    /// A partner came.
    Matched,
    /// The partner's message is there.
    Heard(Message),
    /// It said something in its turn.
    Spoke(Vec<u8>),
    /// What it says is longer than allowed, or takes too long.
    Broke(&'static str),
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
        let seat = match (self.settings.partner, self.console, self.waiting.take()) {
            (Partner::Parrot, _, _) => Seat::Parrot,
            (Partner::Guest, _, None) => {
                self.waiting = Some(me);
                Seat::Lobby
            }
            (Partner::Guest, _, Some(first)) => {
                self.turns.open(first, me, Side::Guest);
                cx.wake(first);
                Seat::Talk(first, Side::Host)
            }
            (Partner::Operator | Partner::User, Some(console), _) => {
                self.turns.open(me, console, self.first_side());
                self.news.push_back(News::Joined(me, name.to_string()));
                cx.wake(console);
                Seat::Talk(me, Side::Guest)
            }
            (Partner::Operator | Partner::User, None, _) => {
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
        Guest { decoder, seat }
    }

    fn first_side(&self) -> Side {
        match self.settings.partner {
            Partner::User => Side::Host,
            Partner::Operator | Partner::Guest | Partner::Parrot => Side::Guest,
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
        if let Seat::Talk(talk, side) = guest.seat {
            if let Some(message) = self.turns.hear(talk, side) {
                return Some(Input::Heard(message));
            }
            if self.turns.is_deserted(talk, side) {
                return Some(Input::Deserted);
            }
        }
        if guest.seat == Seat::Lobby && self.turns.is_open(cx.me()) {
            return Some(Input::Matched);
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
            Err(Overlong) => return Some(Input::Broke("message too long")),
            Ok(None) if guest.decoder.is_finished() => return Some(Input::Ended),
            Ok(None) => {}
        }
        let late = self.message_deadline(guest).is_some_and(|at| at <= heard);
        late.then_some(Input::Broke("message took too long"))
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
        silence.into_iter().chain(deadline).min()
    }

    /// The transitions of a guest: one row a pair of seat and input.
    fn take(&mut self, cx: &mut Context<'_>, guest: &mut Guest, input: Input) {
        match (guest.seat, input) {
            (Seat::Lobby, Input::Matched) => guest.seat = Seat::Talk(cx.me(), Side::Guest),
            (Seat::Talk(..), Input::Heard(message)) => {
                let own = guest.decoder.framing();
                let framing = if own == Framing::Auto {
                    message.framing
                } else {
                    own
                };
                cx.send_with(|out| encode(framing, &message.text, out));
                guest.decoder.restart(cx.now());
            }
            (Seat::Talk(talk, side), Input::Spoke(text)) => {
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
            (Seat::Talk(..) | Seat::Parrot, Input::Broke(why)) => {
                self.refusal = Some(why);
                match self.settings.partner {
                    Partner::Operator | Partner::Parrot => {
                        let framing = guest.decoder.framing();
                        cx.send_with(|out| encode(framing, why.as_bytes(), out));
                    }
                    // Guests of each other are told nothing but each other's messages, and a client
                    // tells its own user.
                    Partner::Guest | Partner::User => {}
                }
                cx.refuse(why);
                self.unseat(cx, guest);
            }
            (Seat::Talk(..) | Seat::Parrot, Input::Stopping) => {
                self.say_goodbye(cx, guest);
                self.leave(cx, guest);
            }
            (Seat::Lobby, Input::Ended | Input::Stopping)
            | (Seat::Parrot, Input::Ended)
            | (Seat::Talk(..), Input::Ended | Input::Deserted) => self.leave(cx, guest),
            // Nothing that `next_input` draws leads here.
            (
                Seat::Lobby,
                Input::Heard(_) | Input::Spoke(_) | Input::Broke(_) | Input::Deserted,
            )
            | (Seat::Parrot, Input::Matched | Input::Heard(_) | Input::Deserted)
            | (Seat::Talk(..), Input::Matched) => {}
            (
                Seat::Gone,
                Input::Matched
                | Input::Heard(_)
                | Input::Spoke(_)
                | Input::Broke(_)
                | Input::Ended
                | Input::Deserted
                | Input::Stopping,
            ) => {}
        }
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

    /// A guest whose program compares with the quit word and does not look for the end of the
    /// stream must still learn that we are leaving. Guests that talk with each other are told
    /// nothing but each other's messages.
    fn say_goodbye(&self, cx: &mut Context<'_>, guest: &Guest) {
        let framing = guest.decoder.framing();
        match self.settings.partner {
            // One that has not spoken may be no chat client at all.
            Partner::Operator | Partner::Parrot if framing != Framing::Auto => {
                cx.send_with(|out| encode(framing, &self.settings.quit, out));
            }
            Partner::Operator | Partner::Parrot | Partner::Guest | Partner::User => {}
        }
    }

    fn leave(&mut self, cx: &mut Context<'_>, guest: &mut Guest) {
        cx.leave();
        self.unseat(cx, guest);
    }

    fn unseat(&mut self, cx: &mut Context<'_>, guest: &mut Guest) {
        let me = cx.me();
        match std::mem::replace(&mut guest.seat, Seat::Gone) {
            // A partner came, and it has not been told yet.
            Seat::Lobby if self.turns.is_open(me) => self.end_talk(cx, me, Side::Guest),
            Seat::Lobby => self.waiting = None,
            Seat::Parrot | Seat::Gone => {}
            Seat::Talk(talk, side) => self.end_talk(cx, talk, side),
        }
    }

    fn end_talk(&mut self, cx: &mut Context<'_>, talk: PeerId, side: Side) {
        if let Some(partner) = self.turns.leave(talk, side) {
            cx.wake(partner);
        }
        match (self.settings.partner, self.console) {
            (Partner::Operator | Partner::User, Some(console)) => {
                self.news.push_back(News::Left(talk));
                cx.wake(console);
            }
            (Partner::Operator | Partner::User, None) | (Partner::Guest | Partner::Parrot, _) => {}
        }
    }

    /// A guest is gone.
    pub fn close_guest(&mut self, cx: &mut Context<'_>, mut guest: Guest, reason: CloseReason) {
        if guest.seat != Seat::Gone {
            self.guest_ending = Some(reason);
        }
        self.unseat(cx, &mut guest);
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
