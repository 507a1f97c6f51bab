//! Our own user in a chat: the operator of a server, or the user of a client. It labels
//! what remotes say, and sends what is typed to the remote that has waited longest.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::{Chat, News, Partner, TYPED_BYTES_MAX};
use crate::protocol::display::{Escaped, cut_at, without_line_end};
use crate::protocol::framing::{Decoder, Framing};
use crate::protocol::screen::Screen;
use crate::protocol::turns::{Message, Side};
use crate::protocol::{CloseReason, Context, Event, PeerId};

/// Our own user's machine. Its state follows from its fields: with nobody in `to_answer` it
/// listens, else it is asked to speak; once its decoder has finished, it quits every talk in turn.
///
/// On a terminal, a line goes only to the remote that the prompt named while it was typed. What was typed for
/// another one is discarded, here and in the terminal, which keeps a line until Enter and does not
/// report an unfinished one.
#[derive(Debug)]
pub struct Console {
    screen: Screen,
    decoder: Decoder,
    /// Who is here, by name.
    names: BTreeMap<PeerId, String>,
    /// There were several at once, and from then on each is named.
    names_all: bool,
    /// Who waits for an answer, the longest wait first.
    to_answer: VecDeque<PeerId>,
    /// The remote that the current prompt names.
    asked_for: Option<PeerId>,
    /// The remote that the latest prompt named: what is typed ahead is for it.
    addressee: Option<PeerId>,
    /// A line was discarded, and its Enter may still come.
    end_is_due: bool,
    /// Lines that a client's user typed out of turn.
    early: VecDeque<Vec<u8>>,
    /// Their bytes, with a line end each.
    early_bytes: usize,
    /// The longest message that fits a remote's buffer.
    message_bytes_max: usize,
    /// The rest of a line that was too long for one message: the next messages to that remote.
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

impl Console {
    /// A space and a remote's name, if there is more than one, else nothing.
    fn label(&self, remote: PeerId) -> String {
        let name = self.names.get(&remote).filter(|_| self.names_all);
        name.map_or_else(String::new, |name| format!(" {}", Escaped(name.as_bytes())))
    }

    /// Prompts for a line to this remote; returns whether the prompt is shown.
    fn prompt(&mut self, cx: &mut Context<'_>, remote: PeerId) -> bool {
        match self.label(remote).as_str() {
            "" => self.screen.prompt(cx, format_args!("me > ")),
            to => self.screen.prompt(cx, format_args!("me to{to} > ")),
        }
    }

    /// Forgets what was typed; the terminal forgets it, too.
    fn discard_typed(&mut self, cx: &mut Context<'_>) {
        self.decoder.discard();
        cx.discard_typed();
    }
}

impl Chat {
    /// Opens our user's session; before any remote's.
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
            names_all: false,
            to_answer: VecDeque::new(),
            asked_for: None,
            addressee: None,
            end_is_due: false,
            early: VecDeque::new(),
            early_bytes: 0,
            message_bytes_max,
            rests: BTreeMap::new(),
        }
    }

    /// An event for our user: a line was typed, or remotes have done something.
    pub fn step_console(&mut self, cx: &mut Context<'_>, console: &mut Console, event: Event<'_>) {
        match event {
            Event::Received(bytes) => {
                console.screen.drawn_over();
                console.decoder.receive(bytes, cx.now());
            }
            Event::Eof => {
                console.decoder.finish();
                if self.settings.prompts && self.settings.partner == Partner::Operator {
                    let quit = Escaped(&self.settings.quit);
                    console.line(cx, format_args!("(you left: every client will get {quit})"));
                }
            }
            Event::Connected
            | Event::TimerExpired(_)
            | Event::Notified
            | Event::Writable
            | Event::Stopping => {}
        }
        if std::mem::take(&mut self.is_drawn_over) {
            console.screen.drawn_over();
        }
        self.show_news(cx, console);
        let is_stopping = event == Event::Stopping;
        self.hear_our_user(cx, console, is_stopping);
        self.let_our_user_leave(cx, console);
        if is_stopping {
            console.screen.end(cx);
        }
    }

    /// A server may say much at once: what does not fit into our user's outbox waits, and the server is not
    /// read meanwhile. An operator's remotes say one message each.
    fn show_news(&mut self, cx: &mut Context<'_>, console: &mut Console) {
        let may_wait = self.settings.partner == Partner::User;
        while !may_wait || cx.send_capacity() > 0 {
            let Some(news) = self.news.pop_front() else {
                return;
            };
            self.show(cx, console, news);
        }
    }

    /// Hands on what is typed as long as somebody waits for it; asks for the rest, unless the program
    /// is about to end.
    fn hear_our_user(&mut self, cx: &mut Context<'_>, console: &mut Console, is_stopping: bool) {
        // What is not shown yet may be said already, and then it is not our user's turn.
        while self.news.is_empty()
            && let Some(&remote) = console.to_answer.front()
        {
            self.turn_to(cx, console, remote);
            let Some(text) = self.next_typed(cx, console) else {
                if !is_stopping && console.prompt(cx, remote) {
                    console.asked_for = Some(remote);
                }
                return;
            };
            if !(std::mem::take(&mut console.end_is_due) && text.is_empty()) {
                console.asked_for = None;
                console.to_answer.pop_front();
                self.answer(cx, console, remote, text);
            }
        }
    }

    /// On an operator's terminal, what was typed before the prompt names this remote is for another one.
    fn turn_to(&self, cx: &mut Context<'_>, console: &mut Console, remote: PeerId) {
        let is_operator = self.settings.prompts && self.settings.partner == Partner::Operator;
        if is_operator && console.addressee != Some(remote) {
            console.addressee = Some(remote);
            console.discard_typed(cx);
        }
    }

    /// On a client's terminal the end of input, or the quit word, leaves at once: whose turn it is may
    /// be nobody's, as long as there is no partner.
    fn let_our_user_leave(&mut self, cx: &mut Context<'_>, console: &mut Console) {
        if !(self.settings.prompts && self.settings.partner == Partner::User) {
            return;
        }
        let Some((&server, _)) = console.names.first_key_value() else {
            return;
        };
        if self.quits_early(cx, console) || console.decoder.is_finished() {
            console.to_answer.clear();
            self.turns.leave(server, Side::Host);
            cx.notify(server);
        }
    }

    /// Whether the quit word is among the lines that are not sent now. Before it a bounded number is kept.
    fn quits_early(&self, cx: &Context<'_>, console: &mut Console) -> bool {
        let is_early = console.to_answer.is_empty() || !self.news.is_empty();
        while is_early
            && console.early_bytes < LINE_BYTES_MAX
            && let Ok(Some(line)) = console.decoder.next(cx.now())
        {
            if self.is_quit(&line) {
                return true;
            }
            console.early_bytes += line.len() + 1;
            console.early.push_back(line);
        }
        false
    }

    /// The next line typed; the quit word once there will be no more.
    fn next_typed(&self, cx: &Context<'_>, console: &mut Console) -> Option<Vec<u8>> {
        if let Some(text) = console.early.pop_front() {
            console.early_bytes -= text.len() + 1;
            return Some(text);
        }
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
        remote: PeerId,
        mut text: Vec<u8>,
    ) {
        let quits = self.is_quit(&text);
        // A quit word that was cut would be none, and the talk would never end.
        if !quits {
            let rest = text.split_off(cut_at(&text, console.message_bytes_max));
            if !rest.is_empty() {
                console.rests.insert(remote, rest);
            }
        }
        let framing = Framing::Auto;
        // In a client, the remote's session sends the quit word itself once our user has left.
        if !(quits && self.settings.partner == Partner::User) {
            self.turns
                .say(remote, Side::Host, Message { text, framing });
        }
        if quits {
            self.turns.leave(remote, Side::Host);
        }
        cx.notify(remote);
    }

    fn show(&mut self, cx: &mut Context<'_>, console: &mut Console, news: News) {
        match news {
            News::Joined(remote, name) => self.show_joined(cx, console, remote, name),
            News::Said(remote) => self.show_said(cx, console, remote),
            News::Refused(remote, why) => {
                let name = console.names.get(&remote).map_or("", String::as_str);
                let name = Escaped(name.as_bytes());
                console
                    .screen
                    .line(cx, format_args!("({name} was refused: {why})"));
            }
            News::Left(remote) => self.show_left(cx, console, remote),
        }
    }

    fn show_joined(
        &mut self,
        cx: &mut Context<'_>,
        console: &mut Console,
        remote: PeerId,
        name: String,
    ) {
        match self.settings.partner {
            Partner::User => console.line(cx, format_args!("Connected")),
            Partner::Operator | Partner::Pair | Partner::Parrot => {
                let name = Escaped(name.as_bytes());
                console.line(cx, format_args!("Connection from {name}"));
            }
        }
        console.names.insert(remote, name);
        console.names_all |= console.names.len() > 1;
        if self.turns.may_speak(remote, Side::Host) {
            console.to_answer.push_back(remote);
        }
    }

    fn show_said(&mut self, cx: &mut Context<'_>, console: &mut Console, remote: PeerId) {
        let Some(message) = self.turns.hear(remote, Side::Host) else {
            return;
        };
        let them = match self.settings.partner {
            Partner::User => "server",
            Partner::Operator | Partner::Pair | Partner::Parrot => "client",
        };
        let who = console.label(remote);
        let text = Escaped(without_line_end(&message.text));
        console.line(cx, format_args!("{them}{who} : {text}"));
        // A server may say the next message before it is answered; its session does not know yet that it may.
        if self.settings.partner == Partner::User {
            cx.notify(remote);
            if console.to_answer.contains(&remote) {
                return;
            }
        }
        if let Some(rest) = console.rests.remove(&remote) {
            self.answer(cx, console, remote, rest);
        } else {
            console.to_answer.push_back(remote);
        }
    }

    fn show_left(&mut self, cx: &mut Context<'_>, console: &mut Console, remote: PeerId) {
        let who = console.label(remote);
        console.line(cx, format_args!("Disconnected{who}"));
        let name = console.names.remove(&remote).unwrap_or_default();
        let rest = console.rests.remove(&remote);
        console.to_answer.retain(|&other| other != remote);
        self.turns.leave(remote, Side::Host);
        let was_asked_for = console.asked_for == Some(remote);
        if was_asked_for {
            console.asked_for = None;
        }
        match self.settings.partner {
            Partner::User => {
                if self.settings.prompts {
                    // What was typed for the server is not for the shell.
                    console.discard_typed(cx);
                }
                cx.stop();
            }
            Partner::Operator | Partner::Pair | Partner::Parrot if self.settings.prompts => {
                if was_asked_for {
                    console.discard_typed(cx);
                    console.addressee = None;
                    console.end_is_due = true;
                }
                if was_asked_for || rest.is_some() {
                    let name = Escaped(name.as_bytes());
                    console.line(cx, format_args!("(not sent: {name} has left)"));
                }
            }
            Partner::Operator | Partner::Pair | Partner::Parrot => {}
        }
    }

    /// Our user is gone: every talk ends, and new remotes find no partner.
    pub fn close_console(&mut self, cx: &mut Context<'_>, reason: CloseReason) {
        self.console = None;
        self.news.clear();
        for remote in self.turns.leave_all(cx.me()) {
            cx.notify(remote);
        }
        self.console_ending = Some(reason);
        if self.settings.partner == Partner::User {
            cx.stop();
        }
    }

    /// How many typed bytes are read now: none while no remote waits for an answer. A client on a
    /// terminal reads its user at any time, since the user may leave at any time.
    pub fn read_limit_of_console(&self, console: &Console) -> usize {
        let is_open = match (self.settings.partner, self.settings.prompts) {
            (Partner::User, true) => true,
            (Partner::Operator | Partner::Pair | Partner::Parrot, true) => {
                console.asked_for.is_some()
            }
            (_, false) => !console.to_answer.is_empty(),
        };
        if is_open {
            console.decoder.read_limit()
        } else {
            0
        }
    }
}
