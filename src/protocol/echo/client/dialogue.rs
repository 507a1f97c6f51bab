//! The echo client on a terminal: prompt, a line to the server, its answer, the next prompt. It
//! shows what came back and judges nothing.

use std::time::Duration;

use super::{CONSOLE, INTERRUPT, Origin, remote};
use crate::protocol::display::{Escaped, unfinished_suffix, without_line_end};
use crate::protocol::framing::{Decoder, SILENCE};
use crate::protocol::screen::Screen;
use crate::protocol::{CloseReason, Context, Event, Peer, PeerId, Service, StateName, Time};

/// The longest line taken at once, in bytes; a longer one is sent in pieces, each answered.
pub const LINE_BYTES_MAX: usize = 4096;
/// How much of an answer is collected before it is shown all the same.
pub const ANSWER_BYTES_MAX: usize = 65_536;
/// How long a server may take over the first byte of an answer before the user is asked again all
/// the same: a server that drops line ends has no answer to an empty line.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);

/// Where the talk stands.
#[derive(Debug)]
enum Talk {
    /// The user is asked for a line.
    Asking,
    /// This line is to be sent.
    Sending(Vec<u8>),
    /// So many bytes are awaited since then; fewer, followed by silence, are an answer too.
    Awaiting { owed: usize, since: Time },
    /// The user left.
    Leaving,
}

/// The client for a terminal.
#[derive(Debug)]
pub struct Dialogue {
    talk: Talk,
    typed: Decoder,
    screen: Screen,
    answer: Vec<u8>,
    answered: Time,
    console: Option<PeerId>,
    remote: Option<PeerId>,
    remote_ending: Option<CloseReason>,
}

impl Dialogue {
    /// A client that asks for its first line.
    pub fn new() -> Dialogue {
        Dialogue {
            talk: Talk::Asking,
            typed: Decoder::for_typed_lines(LINE_BYTES_MAX),
            screen: Screen::new(true),
            answer: Vec::new(),
            answered: Time::ZERO,
            console: None,
            remote: None,
            remote_ending: None,
        }
    }

    /// Somebody else has written on our user's screen (the program was stopped, and goes on): the
    /// prompt is drawn again.
    pub fn redraw(&mut self, cx: &mut Context<'_>) {
        self.screen.drawn_over();
        self.wake_console(cx);
    }

    /// How the connection ended, if the server ended it before the user left.
    pub fn ended_by_server(&self) -> Option<CloseReason> {
        self.remote_ending
    }

    fn is_answer_whole(&self, now: Time) -> bool {
        let owed = match self.talk {
            Talk::Awaiting { owed, .. } => owed,
            Talk::Asking | Talk::Sending(_) | Talk::Leaving => ANSWER_BYTES_MAX,
        };
        let length = self.answer.len();
        let silent = now >= self.answered.after(SILENCE) || self.remote.is_none();
        let is_full = length >= ANSWER_BYTES_MAX;
        let is_all = length >= owed && unfinished_suffix(&self.answer) == 0;
        length > 0 && (is_all || is_full || silent)
    }

    fn step_console(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        match event {
            Event::Received(bytes) => {
                self.screen.drawn_over();
                self.typed.receive(bytes, cx.now());
            }
            Event::Eof => self.typed.finish(),
            Event::Connected | Event::TimerExpired(_) | Event::Notified | Event::Writable => {}
            Event::Stopping => return self.screen.end(cx),
        }
        if self.is_answer_whole(cx.now()) {
            self.show_answer(cx);
        }
        if self.remote.is_none() {
            return cx.stop();
        }
        match self.talk {
            Talk::Asking => self.ask(cx),
            Talk::Sending(_) | Talk::Awaiting { .. } | Talk::Leaving => {}
        }
    }

    fn show_answer(&mut self, cx: &mut Context<'_>) {
        // Of a full answer the rest of its last character is still to come.
        let held = if self.answer.len() < ANSWER_BYTES_MAX {
            0
        } else {
            unfinished_suffix(&self.answer)
        };
        let rest = self.answer.split_off(self.answer.len() - held);
        let answer = std::mem::replace(&mut self.answer, rest);
        let text = Escaped(without_line_end(&answer));
        self.screen
            .line(cx, format_args!("Message from server : {text}"));
        match self.talk {
            Talk::Awaiting { .. } => self.talk = Talk::Asking,
            Talk::Asking | Talk::Sending(_) | Talk::Leaving => {}
        }
    }

    fn ask(&mut self, cx: &mut Context<'_>) {
        let line = match self.typed.next(cx.now()) {
            Ok(Some(line)) => line,
            Ok(None) if self.typed.is_finished() => b"Q".to_vec(),
            Ok(None) => {
                self.screen.prompt(cx, format_args!("Exit(Q to quit) : "));
                return;
            }
            Err(overlong) => unreachable!("what is typed is cut, not refused: {overlong:?}"),
        };
        self.talk = match line.as_slice() {
            b"Q" | b"q" => Talk::Leaving,
            line => Talk::Sending([line, b"\n"].concat()),
        };
        if let Some(remote) = self.remote {
            cx.notify(remote);
        }
    }

    fn step_remote(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        match event {
            Event::Received(bytes) => {
                self.answer.extend_from_slice(bytes);
                self.answered = cx.now();
                cx.set_timer(Some(cx.now().after(SILENCE)));
            }
            Event::Eof => cx.close(),
            Event::Connected
            | Event::TimerExpired(_)
            | Event::Notified
            | Event::Writable
            | Event::Stopping => {}
        }
        match &self.talk {
            Talk::Sending(line) => {
                cx.send(line);
                cx.set_timer(Some(cx.now().after(ANSWER_TIME_MAX)));
                self.talk = Talk::Awaiting {
                    owed: line.len(),
                    since: cx.now(),
                };
            }
            Talk::Awaiting { since, .. }
                if self.answer.is_empty() && cx.now() >= since.after(ANSWER_TIME_MAX) =>
            {
                self.talk = Talk::Asking;
                self.wake_console(cx);
            }
            Talk::Leaving => cx.close(),
            Talk::Asking | Talk::Awaiting { .. } => {}
        }
        if self.is_answer_whole(cx.now()) {
            self.wake_console(cx);
        }
    }

    fn wake_console(&self, cx: &mut Context<'_>) {
        if let Some(console) = self.console {
            cx.notify(console);
        }
    }
}

impl Default for Dialogue {
    fn default() -> Dialogue {
        Dialogue::new()
    }
}

impl Service for Dialogue {
    type Session = Origin;
    type Origin = Origin;

    fn open(&mut self, cx: &mut Context<'_>, origin: Origin, _peer: &Peer<'_>) -> Origin {
        match origin {
            Origin::Console => {
                self.console = Some(cx.me());
                cx.notify(cx.me());
            }
            Origin::Remote => self.remote = Some(cx.me()),
            Origin::Interrupt => {}
        }
        origin
    }

    fn step(&mut self, cx: &mut Context<'_>, session: &mut Origin, event: Event<'_>) {
        match session {
            Origin::Console => self.step_console(cx, event),
            Origin::Remote => self.step_remote(cx, event),
            Origin::Interrupt => match event {
                Event::Received(_) | Event::Eof | Event::Stopping => cx.stop(),
                Event::Connected | Event::TimerExpired(_) | Event::Notified | Event::Writable => {}
            },
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, session: Origin, reason: CloseReason) {
        match session {
            Origin::Console => {
                self.console = None;
                cx.stop();
            }
            Origin::Remote => {
                self.remote = None;
                if !matches!(self.talk, Talk::Leaving) {
                    self.remote_ending = Some(reason);
                }
                self.wake_console(cx);
            }
            Origin::Interrupt => {}
        }
    }

    fn read_limit(&self, session: &Origin) -> usize {
        match (session, &self.talk) {
            (Origin::Console, Talk::Asking) => self.typed.read_limit(),
            (Origin::Console, Talk::Sending(_) | Talk::Awaiting { .. } | Talk::Leaving) => 0,
            (Origin::Interrupt, _) => usize::MAX,
            (Origin::Remote, _) => ANSWER_BYTES_MAX.saturating_sub(self.answer.len()),
        }
    }

    fn state(&self, session: &Origin) -> StateName {
        match (session, &self.talk) {
            (Origin::Console, _) => CONSOLE,
            (Origin::Interrupt, _) => INTERRUPT,
            (Origin::Remote, Talk::Asking) => remote("asking"),
            (Origin::Remote, Talk::Sending(_)) => remote("sending"),
            (Origin::Remote, Talk::Awaiting { .. }) => remote("awaiting"),
            (Origin::Remote, Talk::Leaving) => remote("leaving"),
        }
    }
}
