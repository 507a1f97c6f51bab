//! The three protocols, the operator's terminal and the signals as one [`Service`]. Each peer is
//! handed to its protocol; what none of them knows is decided here. It opens no socket: `epollo serve`
//! runs it on the real kernel, `epollo sim` on a simulated one.

use super::{Protocol, SIGNAL_BYTES_MAX, SIGNALS};
use crate::protocol::chat::{self, Chat, Partner};
use crate::protocol::echo::{self, Echo};
use crate::protocol::hello::Hello;
use crate::protocol::screen::Lost;
use crate::protocol::{CloseReason, Context, Event, Peer, PeerId, Service, StateName};

/// Where a peer came from.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    /// A client of one of the protocols.
    Serve(Protocol),
    /// The operator's terminal.
    Console,
    /// The signals that end the run.
    Signals,
    /// The stream that yields a byte when the program continues after a stop.
    Continued,
}

/// One peer's machine.
pub enum Session {
    /// A client that is greeted.
    Hello,
    /// A client whose bytes come back.
    Echo(echo::Session),
    /// A client that talks.
    Chat(Box<chat::Remote>),
    /// The operator.
    Console(Box<chat::Console>),
    /// The signals that end the run.
    Signals,
    /// The stream that yields a byte when the program continues after a stop.
    Continued,
}

/// The service of `epollo serve`.
pub struct Server {
    hello: Hello,
    echo: Echo,
    chat: Chat,
    console: Option<PeerId>,
    announcements: Vec<String>,
    columns: fn() -> Option<usize>,
    output_failure: Option<i32>,
    /// With `--once`: how many more come in (a pair is two), and how many are there.
    once: Option<Once>,
}

struct Once {
    expected: usize,
    present: usize,
}

/// What a server can be asked for. Others may be added: build it upon [`Settings::default`].
pub struct Settings {
    /// What hello says.
    pub greeting: Vec<u8>,
    /// Of echo.
    pub echo: echo::Settings,
    /// Of chat.
    pub chat: chat::Settings,
    /// How wide the window is that shows what goes to the terminal.
    pub columns: fn() -> Option<usize>,
    /// Serve one client (or one pair), then end the run.
    pub once: bool,
}

impl Default for Settings {
    /// The defaults of echo and chat, the greeting of `epollo serve`, no window, and no end by itself.
    fn default() -> Settings {
        Settings {
            greeting: b"Hello World!\0".to_vec(),
            echo: echo::Settings::default(),
            chat: chat::Settings::default(),
            columns: || None,
            once: false,
        }
    }
}

impl Server {
    /// A server that shows `announcements` at its terminal before anything else.
    pub fn new(settings: Settings, announcements: Vec<String>) -> Server {
        let expected = match settings.chat.partner {
            Partner::Pair => 2,
            Partner::Operator | Partner::Parrot | Partner::User => 1,
        };
        Server {
            hello: Hello::new(settings.greeting),
            echo: Echo::new(settings.echo),
            chat: Chat::new(settings.chat),
            console: None,
            announcements,
            columns: settings.columns,
            output_failure: None,
            once: settings.once.then_some(Once {
                expected,
                present: 0,
            }),
        }
    }

    /// What the kernel said (errno(3)) if the announcements could not be written, which ends the run.
    pub fn output_failure(&self) -> Option<i32> {
        self.output_failure
    }

    fn open_remote(
        &mut self,
        cx: &mut Context<'_>,
        protocol: Protocol,
        peer: &Peer<'_>,
    ) -> Session {
        if let Some(once) = &mut self.once {
            let needed = if protocol == Protocol::Chat {
                once.expected
            } else {
                1
            };
            once.present += 1;
            once.expected = needed - 1;
            if once.expected == 0 {
                cx.stop_accepting();
            }
        }
        match protocol {
            Protocol::Hello => {
                self.hello.open(cx, (), peer);
                Session::Hello
            }
            Protocol::Echo => Session::Echo(self.echo.open(cx, (), peer)),
            Protocol::Chat => Session::Chat(Box::new(self.chat.open_remote(cx, peer))),
        }
    }
}

impl Server {
    fn step_other(&mut self, cx: &mut Context<'_>, session: &mut Session, event: Event<'_>) {
        match session {
            Session::Hello => self.hello.step(cx, &mut (), event),
            Session::Echo(echo) => {
                self.echo.step(cx, echo, event);
                if self.echo.has_printed()
                    && let Some(console) = self.console
                {
                    cx.notify(console);
                }
            }
            Session::Chat(remote) => self.chat.step_remote(cx, remote, event),
            Session::Console(console) => {
                cx.set_columns((self.columns)());
                for line in self.echo.printed() {
                    console.line(cx, format_args!("{line}"));
                }
                self.chat.step_console(cx, console, event);
            }
            Session::Signals if matches!(event, Event::Received(_)) => cx.stop(),
            Session::Continued if matches!(event, Event::Received(_)) => self.chat.redraw(cx),
            Session::Signals | Session::Continued => {}
        }
    }
}

impl Service for Server {
    type Session = Session;
    type Origin = Origin;

    fn open(&mut self, cx: &mut Context<'_>, origin: Origin, peer: &Peer<'_>) -> Session {
        match origin {
            Origin::Serve(protocol) => self.open_remote(cx, protocol, peer),
            Origin::Console => {
                self.console = Some(cx.me());
                cx.set_columns((self.columns)());
                let mut console = self.chat.open_console(cx);
                for line in self.announcements.drain(..) {
                    console.line(cx, format_args!("{line}"));
                }
                Session::Console(Box::new(console))
            }
            Origin::Signals => Session::Signals,
            Origin::Continued => Session::Continued,
        }
    }

    /// Inlined into the loop with the one arm that is worth it.
    #[allow(
        clippy::inline_always,
        reason = "measured: 77 instructions an echo less"
    )]
    #[inline(always)]
    fn step(&mut self, cx: &mut Context<'_>, session: &mut Session, event: Event<'_>) {
        match session {
            Session::Echo(mirror @ echo::Session::Mirror) => self.echo.step(cx, mirror, event),
            Session::Echo(echo::Session::Watching(_))
            | Session::Hello
            | Session::Chat(_)
            | Session::Console(_)
            | Session::Signals
            | Session::Continued => self.step_other(cx, session, event),
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, session: Session, reason: CloseReason) {
        let is_client = match session {
            Session::Hello => true,
            Session::Echo(echo) => {
                self.echo.close(cx, echo, reason);
                true
            }
            Session::Chat(remote) => {
                self.chat.close_remote(cx, *remote, reason);
                true
            }
            Session::Console(console) => {
                let count = console.lines_dropped() + self.echo.lines_dropped();
                if count > 0 {
                    let lines = Lost(usize::try_from(count).unwrap_or(usize::MAX));
                    log::warn!("{lines}: the reader of standard output was too slow");
                }
                self.console = None;
                if let CloseReason::Broken(number) = reason {
                    self.output_failure = Some(number);
                    cx.stop();
                }
                self.chat.close_console(cx, reason);
                false
            }
            Session::Signals | Session::Continued => false,
        };
        if let Some(once) = self.once.as_mut().filter(|_| is_client) {
            once.present -= 1;
            if once.present == 0 {
                cx.stop();
            }
        }
    }

    #[inline]
    fn read_limit(&self, session: &Session) -> usize {
        match session {
            Session::Hello => 0,
            Session::Echo(echo) => self.echo.read_limit(echo),
            Session::Chat(remote) => self.chat.read_limit_of_remote(remote),
            Session::Console(console) => self.chat.read_limit_of_console(console),
            Session::Signals | Session::Continued => SIGNAL_BYTES_MAX,
        }
    }

    fn state(&self, session: &Session) -> StateName {
        match session {
            Session::Hello => self.hello.state(&()),
            Session::Echo(echo) => self.echo.state(echo),
            Session::Chat(remote) => self.chat.state_of_remote(remote),
            Session::Console(_) => Chat::state_of_console(),
            Session::Signals | Session::Continued => SIGNALS,
        }
    }
}
