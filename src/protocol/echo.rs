//! echo, server side (RFC 862): every byte goes back, in order, whatever it is; when the peer has
//! finished and got everything, the connection ends. A quit word and a print of what came by are
//! options; neither changes a byte.

use super::display::{Escaped, unfinished_suffix, without_line_end};
use super::framing::SILENCE;
use super::{CloseReason, Context, Event, Peer, Service, StateName, Time};

pub mod client;

/// What an echo server can be asked for.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// A message that is exactly this word ends the conversation. A message ends at `\n`, `\r\n`
    /// or NUL, or is what arrived before a silence of 50 ms.
    pub quit: Option<Vec<u8>>,
    /// Keep a line for people of everything received; see [`Echo::printed`].
    pub print: bool,
}

/// The server side.
#[derive(Debug, Default)]
pub struct Echo {
    settings: Settings,
    printed: Vec<String>,
    printed_bytes: usize,
    lines_dropped: u64,
}

/// How much text for people waits at most to be taken; lines beyond it are dropped and counted.
pub const PRINTED_BYTES_MAX: usize = 65_536;

impl Echo {
    /// An echo server.
    pub fn new(settings: Settings) -> Echo {
        Echo {
            settings,
            ..Echo::default()
        }
    }

    /// Takes the lines to print since the last call: what clients sent, escaped.
    pub fn printed(&mut self) -> std::vec::Drain<'_, String> {
        self.printed_bytes = 0;
        self.printed.drain(..)
    }

    /// How many lines were dropped because nobody took them in time.
    pub fn lines_dropped(&self) -> u64 {
        self.lines_dropped
    }

    /// Whether there are lines to print.
    pub fn has_printed(&self) -> bool {
        !self.printed.is_empty()
    }

    #[inline(never)]
    fn step_watching(&mut self, cx: &mut Context<'_>, watch: &mut Watch, event: Event<'_>) {
        if watch.is_gone {
            return;
        }
        match event {
            Event::Received(bytes) => {
                if self.settings.print {
                    self.print(watch, bytes);
                }
                self.watch(cx, watch, bytes);
            }
            Event::TimerExpired(at) => {
                let message = watch.quit.after_silence(at);
                cx.set_timer(watch.quit.ends_at());
                if message.is_some() && message == self.settings.quit {
                    cx.close();
                    watch.is_gone = true;
                }
            }
            Event::Connected | Event::Notified | Event::Writable => {}
            Event::Eof | Event::Stopping => {
                let rest = watch.unprinted.len();
                self.print_first(watch, rest);
                cx.shutdown_write();
                watch.is_gone = true;
            }
        }
    }

    fn watch(&mut self, cx: &mut Context<'_>, watch: &mut Watch, bytes: &[u8]) {
        let Some(word) = self.settings.quit.as_deref() else {
            return cx.send_back(0..bytes.len());
        };
        for (at, &byte) in bytes.iter().enumerate() {
            if watch.quit.ends_with(word, byte) {
                cx.send_back(0..at + 1);
                cx.close();
                watch.is_gone = true;
                return;
            }
        }
        cx.send_back(0..bytes.len());
        watch.quit.since = cx.now();
        cx.set_timer(watch.quit.ends_at());
    }

    fn print(&mut self, watch: &mut Watch, bytes: &[u8]) {
        watch.unprinted.extend_from_slice(bytes);
        let cut = watch.unprinted.len() - unfinished_suffix(&watch.unprinted);
        self.print_first(watch, cut);
    }

    fn print_first(&mut self, watch: &mut Watch, count: usize) {
        let text: Vec<u8> = watch.unprinted.drain(..count).collect();
        let whole = without_line_end(&text);
        if text.is_empty() {
            return;
        }
        for line in whole.split(|&byte| byte == b'\n') {
            if self.printed_bytes >= PRINTED_BYTES_MAX {
                self.lines_dropped += 1;
                continue;
            }
            let line = format!("message from client : {}", Escaped(line));
            self.printed_bytes += line.len();
            self.printed.push(line);
        }
    }
}

/// One peer of the server: the size of a pointer, for most there is nothing to remember.
#[derive(Debug)]
pub enum Session {
    /// Every byte goes back.
    Mirror,
    /// The same, while the bytes are looked at.
    Watching(Box<Watch>),
}

/// What a session that looks at the bytes remembers.
#[derive(Debug)]
pub struct Watch {
    quit: QuitMatch,
    unprinted: Vec<u8>,
    /// It said the quit word, or it finished.
    is_gone: bool,
}

/// The message at hand, as far as it may still be the quit word.
#[derive(Debug)]
struct QuitMatch {
    message: Vec<u8>,
    since: Time,
}

impl QuitMatch {
    /// Takes one byte; true if it ends a message that is exactly the word.
    fn ends_with(&mut self, word: &[u8], byte: u8) -> bool {
        if byte != b'\n' && byte != 0 {
            // One byte past the word and its `\r` is enough to know that it differs.
            if self.message.len() <= word.len() + 1 {
                self.message.push(byte);
            }
            return false;
        }
        let message = std::mem::take(&mut self.message);
        message == word || (byte == b'\n' && message.strip_suffix(b"\r") == Some(word))
    }

    /// When silence ends the message, if there is one.
    fn ends_at(&self) -> Option<Time> {
        (!self.message.is_empty()).then(|| self.since.after(SILENCE))
    }

    /// Takes the message that silence has ended.
    fn after_silence(&mut self, until: Time) -> Option<Vec<u8>> {
        let is_over = self.ends_at().is_some_and(|at| at <= until);
        is_over.then(|| std::mem::take(&mut self.message))
    }
}

impl Service for Echo {
    type Session = Session;
    type Origin = ();

    fn open(&mut self, cx: &mut Context<'_>, (): (), _peer: &Peer<'_>) -> Session {
        if self.settings.quit.is_none() && !self.settings.print {
            return Session::Mirror;
        }
        Session::Watching(Box::new(Watch {
            quit: QuitMatch {
                message: Vec::new(),
                since: cx.now(),
            },
            unprinted: Vec::new(),
            is_gone: false,
        }))
    }

    #[allow(
        clippy::inline_always,
        reason = "measured: the mirror is a few instructions"
    )]
    #[inline(always)]
    fn step(&mut self, cx: &mut Context<'_>, session: &mut Session, event: Event<'_>) {
        match (session, event) {
            (Session::Mirror, Event::Received(bytes)) => cx.send_back(0..bytes.len()),
            (Session::Mirror, Event::Eof | Event::Stopping) => cx.shutdown_write(),
            (
                Session::Mirror,
                Event::Connected | Event::TimerExpired(_) | Event::Notified | Event::Writable,
            ) => {}
            (Session::Watching(watch), event) => self.step_watching(cx, watch, event),
        }
    }

    fn close(&mut self, _cx: &mut Context<'_>, _session: Session, _reason: CloseReason) {}

    #[inline]
    fn read_limit(&self, session: &Session) -> usize {
        match session {
            Session::Mirror => usize::MAX,
            Session::Watching(watch) if watch.is_gone => 0,
            Session::Watching(_) => usize::MAX,
        }
    }

    fn state(&self, session: &Session) -> StateName {
        let state = match session {
            Session::Watching(watch) if watch.is_gone => "leaving",
            Session::Mirror | Session::Watching(_) => "echoing",
        };
        StateName::new("echo", state)
    }
}
