//! Turn-based chat: two peers speak in turns, one message each. A peer is a remote (the peer on a
//! connection) or the console (our own user on a terminal); the same two machines make the server,
//! where the console is the operator, and the client, where the remote is the remote server.
//!
//! Whose turn it is belongs to [`Turns`]; what arrives out of turn is not read.

use std::collections::VecDeque;
use std::time::Duration;

use super::display::without_line_end;
use super::framing::{Framing, PADDED_BYTES};
use super::turns::Turns;
use super::{CloseReason, Context, Event, Peer, PeerId, Service, StateName};

mod closing;
mod console;
mod fault;
mod lobby;
mod remote;

pub use console::{Console, LINE_BYTES_MAX};
use fault::Fault;
use lobby::{Lobby, Place};
pub use remote::Remote;

/// The longest message that our own user can say, in bytes: what fits the 1024-byte buffer of the
/// course programs with its NUL. A longer line is cut between characters and said over several
/// turns. With `padded:N` it is N - 1.
pub const TYPED_BYTES_MAX: usize = PADDED_BYTES - 1;

/// Who talks with a remote. Closed: will not grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partner {
    /// Our user, at the console of a server: the remote speaks first.
    Operator,
    /// The next remote: in order of arrival, the first speaks first.
    Pair,
    /// Nobody: every message goes back.
    Parrot,
    /// Our user, at the console of a client: the user speaks first, and the run ends with the talk.
    User,
}

/// What a chat can be asked for. Others may be added: build it upon [`Settings::default`].
///
/// ```
/// use epollo::protocol::chat::{Partner, Settings};
/// let settings = Settings { partner: Partner::Parrot, ..Settings::default() };
/// assert_eq!(settings.quit, b"QUIT");
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who talks with a remote.
    pub partner: Partner,
    /// How a remote's stream is cut.
    pub framing: Framing,
    /// The message that ends the talk.
    pub quit: Vec<u8>,
    /// The longest message of a remote, in bytes.
    pub message_bytes_max: usize,
    /// How long a remote may take over one message from its first byte; `None` for ever.
    pub message_time_max: Option<Duration>,
    /// How long the first of two matched remotes may take before its first message; then it goes to
    /// the end of the queue and its partner is matched anew. `None` for ever.
    pub turn_time_max: Option<Duration>,
    /// Whether the console shows prompts.
    pub prompts: bool,
}

impl Default for Settings {
    /// Remotes in pairs, whose framing their first message decides; `QUIT` ends a talk, a message has at most
    /// 4 KiB and as long as it takes, and nobody is shown a prompt.
    fn default() -> Settings {
        Settings {
            partner: Partner::Pair,
            framing: Framing::Auto,
            quit: b"QUIT".to_vec(),
            message_bytes_max: 4096,
            message_time_max: None,
            turn_time_max: None,
            prompts: false,
        }
    }
}

/// All talks of one server, or the one talk of a client.
#[derive(Debug)]
pub struct Chat {
    settings: Settings,
    turns: Turns,
    lobby: Lobby,
    console: Option<PeerId>,
    news: VecDeque<News>,
    remote_ending: Option<CloseReason>,
    console_ending: Option<CloseReason>,
    refusal: Option<&'static str>,
    /// What is on the screen is not what we have drawn.
    is_drawn_over: bool,
}

/// What the console has yet to show.
#[derive(Debug)]
enum News {
    Joined(PeerId, String),
    Said(PeerId),
    Refused(PeerId, String),
    Left(PeerId),
}

impl Chat {
    /// A chat with nobody in it.
    pub fn new(settings: Settings) -> Chat {
        Chat {
            settings,
            turns: Turns::default(),
            lobby: Lobby::default(),
            console: None,
            news: VecDeque::new(),
            remote_ending: None,
            console_ending: None,
            refusal: None,
            is_drawn_over: false,
        }
    }

    /// Somebody else has written on our user's screen (the program was stopped, and goes on): the
    /// prompt is drawn again.
    pub fn redraw(&mut self, cx: &mut Context<'_>) {
        self.is_drawn_over = true;
        if let Some(console) = self.console {
            cx.notify(console);
        }
    }

    /// How the latest remote that ended in mid-talk ended. (A client has just one.)
    pub fn remote_ending(&self) -> Option<CloseReason> {
        self.remote_ending
    }

    /// Where the user's terminal stands, for an observer.
    pub(crate) fn state_of_console() -> StateName {
        StateName::new("terminal", "open")
    }

    fn is_quit(&self, text: &[u8]) -> bool {
        without_line_end(text) == self.settings.quit
    }

    /// What the latest remote did wrong that was refused.
    pub fn refusal(&self) -> Option<&'static str> {
        self.refusal
    }

    /// How our user's side ended.
    pub fn console_ending(&self) -> Option<CloseReason> {
        self.console_ending
    }
}

/// Where a peer of a [`Chat`] came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A connection.
    Remote,
    /// Our user's terminal.
    Console,
}

/// A peer of a [`Chat`].
#[derive(Debug)]
pub enum Session {
    /// A connection.
    Remote(Remote),
    /// Our user's terminal.
    Console(Console),
}

impl Service for Chat {
    type Session = Session;
    type Origin = Origin;

    fn open(&mut self, cx: &mut Context<'_>, origin: Origin, peer: &Peer<'_>) -> Session {
        match origin {
            Origin::Remote => Session::Remote(self.open_remote(cx, peer)),
            Origin::Console => Session::Console(self.open_console(cx)),
        }
    }

    fn step(&mut self, cx: &mut Context<'_>, session: &mut Session, event: Event<'_>) {
        match session {
            Session::Remote(remote) => self.step_remote(cx, remote, event),
            Session::Console(console) => self.step_console(cx, console, event),
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, session: Session, reason: CloseReason) {
        match session {
            Session::Remote(remote) => self.close_remote(cx, remote, reason),
            Session::Console(_) => self.close_console(cx, reason),
        }
    }

    fn read_limit(&self, session: &Session) -> usize {
        match session {
            Session::Remote(remote) => self.read_limit_of_remote(remote),
            Session::Console(console) => self.read_limit_of_console(console),
        }
    }

    fn state(&self, session: &Session) -> StateName {
        match session {
            Session::Remote(remote) => self.state_of_remote(remote),
            Session::Console(_) => Chat::state_of_console(),
        }
    }
}
