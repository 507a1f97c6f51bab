//! Our own user in a chat: the operator of a server, or the user of a client. It puts labels on
//! what guests say and hands what is typed to the guest that has waited longest.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::{Chat, News, Partner, TYPED_BYTES_MAX};
use crate::protocol::display::{Escaped, cut_at, without_line_end};
use crate::protocol::framing::{Decoder, Framing};
use crate::protocol::screen::Screen;
use crate::protocol::turns::{Message, Side};
use crate::protocol::{CloseReason, Context, Event, PeerId, Standing};

/// Our own user's machine. Where it stands follows from its fields: with nobody in `to_answer` it
/// listens, else it is asked to speak; once its decoder is finished it quits every talk in turn.
#[derive(Debug)]
pub struct Console {
    screen: Screen,
    decoder: Decoder,
    /// Who is here, by name.
    names: BTreeMap<PeerId, String>,
    /// Who waits for an answer, the longest wait first.
    to_answer: VecDeque<PeerId>,
    /// The longest message that fits a guest's buffer.
    message_bytes_max: usize,
    /// What is left of a line that was too long for one message: the next ones to that guest.
    rests: BTreeMap<PeerId, Vec<u8>>,
}

/// The longest line that our user can type, in bytes. What comes after is another line.
pub const LINE_BYTES_MAX: usize = 65_536;

impl Console {
    /// Shows a line that belongs to no talk.
    pub fn line(&mut self, cx: &mut Context<'_>, line: fmt::Arguments<'_>) {
        self.screen.line(cx, line);
    }

    /// How many lines were dropped because the terminal took none.
    pub fn lines_dropped(&self) -> u64 {
        self.screen.lines_dropped()
    }
}

/// A guest's name where it must be told from others, else nothing.
struct Label<'a>(Option<&'a str>);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, " {}", Escaped(name.as_bytes())),
            None => Ok(()),
        }
    }
}

fn label(names: &BTreeMap<PeerId, String>, guest: PeerId) -> Label<'_> {
    let several = names.len() > 1;
    Label(names.get(&guest).filter(|_| several).map(String::as_str))
}

impl Chat {
    /// Where the user's terminal stands, for an observer.
    pub(crate) fn standing_of_console() -> Standing {
        Standing {
            protocol: "terminal",
            state: "open",
        }
    }

    /// Our user comes in; before any guest does.
    pub fn open_console(&mut self, cx: &mut Context<'_>) -> Console {
        self.console = Some(cx.me());
        let message_bytes_max = match self.settings.framing {
            Framing::Padded(size) => size - 1,
            Framing::Auto | Framing::Line | Framing::Nul | Framing::Chunk => TYPED_BYTES_MAX,
        };
        Console {
            screen: Screen::new(self.settings.prompts),
            decoder: Decoder::for_typed_lines(LINE_BYTES_MAX),
            names: BTreeMap::new(),
            to_answer: VecDeque::new(),
            message_bytes_max,
            rests: BTreeMap::new(),
        }
    }

    /// Something happened to our user: a line was typed, or there is news from guests.
    pub fn step_console(&mut self, cx: &mut Context<'_>, console: &mut Console, event: Event<'_>) {
        match event {
            Event::Received(bytes) => {
                console.screen.typed();
                console.decoder.receive(bytes, cx.now());
            }
            Event::Finished => {
                console.decoder.finish();
                if self.settings.prompts && self.settings.partner == Partner::Operator {
                    let quit = Escaped(&self.settings.quit);
                    let note = format_args!("(you left: every client will be told {quit})");
                    console.screen.line(cx, note);
                }
            }
            Event::Woken | Event::Stopping => {}
        }
        while let Some(news) = self.news.pop_front() {
            self.show(cx, console, news);
        }
        while let Some(&guest) = console.to_answer.front() {
            let Some(text) = self.next_typed(cx, console) else {
                break;
            };
            console.to_answer.pop_front();
            self.answer(cx, console, guest, text);
        }
        if event == Event::Stopping {
            console.screen.end(cx);
        } else if let Some(&guest) = console.to_answer.front() {
            match label(&console.names, guest) {
                Label(None) => console.screen.prompt(cx, format_args!("me > ")),
                to => console.screen.prompt(cx, format_args!("me to{to} > ")),
            }
        }
    }

    /// The next line typed; the quit word once there will be no more.
    fn next_typed(&self, cx: &Context<'_>, console: &mut Console) -> Option<Vec<u8>> {
        match console.decoder.next(cx.now()) {
            Ok(None) if console.decoder.is_finished() => Some(self.settings.quit.clone()),
            Ok(typed) => typed,
            Err(overlong) => unreachable!("what is typed is cut, not refused: {overlong:?}"),
        }
    }

    fn answer(
        &mut self,
        cx: &mut Context<'_>,
        console: &mut Console,
        guest: PeerId,
        mut text: Vec<u8>,
    ) {
        let quits = self.is_quit(&text);
        // A quit word that was cut would be none, and the talk would never end.
        if !quits {
            let rest = text.split_off(cut_at(&text, console.message_bytes_max));
            if !rest.is_empty() {
                console.rests.insert(guest, rest);
            }
        }
        let framing = Framing::Auto;
        self.turns.say(guest, Side::Host, Message { text, framing });
        if quits {
            self.turns.leave(guest, Side::Host);
        }
        cx.wake(guest);
    }

    fn show(&mut self, cx: &mut Context<'_>, console: &mut Console, news: News) {
        let screen = &mut console.screen;
        let them = match self.settings.partner {
            Partner::User => "server",
            Partner::Operator | Partner::Guest | Partner::Parrot => "client",
        };
        match news {
            News::Joined(guest, name) => {
                match self.settings.partner {
                    Partner::User => screen.line(cx, format_args!("Connected")),
                    Partner::Operator | Partner::Guest | Partner::Parrot => {
                        let name = Escaped(name.as_bytes());
                        screen.line(cx, format_args!("Connection from {name}"));
                    }
                }
                console.names.insert(guest, name);
                if self.turns.may_speak(guest, Side::Host) {
                    console.to_answer.push_back(guest);
                }
            }
            News::Said(guest) => {
                let Some(message) = self.turns.hear(guest, Side::Host) else {
                    return;
                };
                let who = label(&console.names, guest);
                let text = Escaped(without_line_end(&message.text));
                screen.line(cx, format_args!("{them}{who} : {text}"));
                if let Some(rest) = console.rests.remove(&guest) {
                    self.answer(cx, console, guest, rest);
                } else {
                    console.to_answer.push_back(guest);
                }
            }
            News::Left(guest) => {
                let who = label(&console.names, guest);
                screen.line(cx, format_args!("Disconnected{who}"));
                console.names.remove(&guest);
                console.rests.remove(&guest);
                console.to_answer.retain(|&other| other != guest);
                self.turns.leave(guest, Side::Host);
                if self.settings.partner == Partner::User {
                    cx.stop();
                }
            }
        }
    }

    /// Our user is gone: every talk ends, and a guest that comes finds nobody to talk to.
    pub fn close_console(&mut self, cx: &mut Context<'_>, reason: CloseReason) {
        self.console = None;
        self.news.clear();
        for guest in self.turns.leave_all(cx.me()) {
            cx.wake(guest);
        }
        self.console_ending = Some(reason);
        if self.settings.partner == Partner::User {
            cx.stop();
        }
    }

    /// How many typed bytes our user may hand in now: none while it is nobody's turn to be answered.
    pub fn window_of_console(&self, console: &Console) -> usize {
        if console.to_answer.is_empty() {
            0
        } else {
            console.decoder.window()
        }
    }
}
