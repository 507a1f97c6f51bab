//! `epollo serve`: the three protocols, the operator's terminal and the signals as one [`Service`]
//! on one reactor. Each peer is handed to its protocol; what none of them knows is decided here.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::args::{ChatWith, Protocol, ServeArguments, ServiceAddress};
use super::{Failure, reason, signals, stdio};
use crate::protocol::chat::{self, Chat, Partner};
use crate::protocol::echo::{self, Echo};
use crate::protocol::hello::Hello;
use crate::protocol::{CloseReason, Context, Event, PeerId, Service};
use crate::reactor::{
    self, Limits, ListenOptions, Manner, OsKernel, OsStream, Policy, Reactor, Side, Terminal, bind,
};

/// Open connections when nothing else is said and the fd limit allows it.
const GUESTS_MAX_DEFAULT: usize = 10_000;
/// How long a client may take to close its half after ours (FAULTS: a client never closes).
const LINGER: Duration = Duration::from_secs(2);

/// By which door a peer comes in.
#[derive(Clone, Copy, Debug)]
enum Door {
    Serve(Protocol),
    Console,
    Signals,
}

enum Session {
    Hello,
    Echo(echo::Session),
    Chat(Box<chat::Guest>),
    Console(Box<chat::Console>),
    Signals,
}

struct Server {
    hello: Hello,
    echo: Echo,
    chat: Chat,
    console: Option<PeerId>,
    serves_once: bool,
}

impl Server {
    fn new(arguments: &ServeArguments, prompts: bool) -> Server {
        let quit = arguments.quit.as_ref().map(|word| word.as_bytes().to_vec());
        Server {
            hello: Hello::new(arguments.greeting.0.clone()),
            echo: Echo::new(echo::Settings {
                quit: quit.clone(),
                print: arguments.print,
            }),
            chat: Chat::new(chat::Settings {
                partner: match arguments.chat_with {
                    ChatWith::Operator => Partner::Operator,
                    ChatWith::Pair => Partner::Guest,
                    ChatWith::Echo => Partner::Parrot,
                },
                framing: arguments.framing,
                quit: quit.unwrap_or_else(|| b"QUIT".to_vec()),
                message_bytes_max: arguments.max_message,
                message_time_max: arguments.idle_timeout.0,
                prompts,
            }),
            console: None,
            serves_once: arguments.once,
        }
    }

    fn open_guest(
        &mut self,
        cx: &mut Context<'_>,
        protocol: Protocol,
        name: fmt::Arguments<'_>,
    ) -> Session {
        if self.serves_once {
            cx.stop_accepting();
        }
        match protocol {
            Protocol::Hello => {
                self.hello.open(cx, (), name);
                Session::Hello
            }
            Protocol::Echo => Session::Echo(self.echo.open(cx, (), name)),
            Protocol::Chat => Session::Chat(Box::new(self.chat.open_guest(cx, name))),
        }
    }
}

impl Service for Server {
    type Session = Session;
    type Door = Door;

    fn open(&mut self, cx: &mut Context<'_>, door: Door, name: fmt::Arguments<'_>) -> Session {
        match door {
            Door::Serve(protocol) => self.open_guest(cx, protocol, name),
            Door::Console => {
                self.console = Some(cx.me());
                Session::Console(Box::new(self.chat.open_console(cx)))
            }
            Door::Signals => Session::Signals,
        }
    }

    fn step(&mut self, cx: &mut Context<'_>, session: &mut Session, event: Event<'_>) {
        match session {
            Session::Hello => self.hello.step(cx, &mut (), event),
            Session::Echo(echo) => {
                self.echo.step(cx, echo, event);
                if let Some(console) = self.console.filter(|_| self.echo.has_printed()) {
                    cx.wake(console);
                }
            }
            Session::Chat(guest) => self.chat.step_guest(cx, guest, event),
            Session::Console(console) => {
                for line in self.echo.printed() {
                    console.line(cx, format_args!("{line}"));
                }
                self.chat.step_console(cx, console, event);
            }
            Session::Signals => match event {
                Event::Received(_) => cx.stop(),
                Event::Finished | Event::Woken | Event::Stopping => {}
            },
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, session: Session, reason: CloseReason) {
        let is_guest = match session {
            Session::Hello => true,
            Session::Echo(echo) => {
                self.echo.close(cx, echo, reason);
                true
            }
            Session::Chat(guest) => {
                self.chat.close_guest(cx, *guest, reason);
                true
            }
            Session::Console(console) => {
                if console.lines_dropped() > 0 {
                    let count = console.lines_dropped();
                    log::warn!("{count} lines for the terminal were dropped: it took none");
                }
                self.console = None;
                self.chat.close_console(cx, reason);
                false
            }
            Session::Signals => false,
        };
        if is_guest && self.serves_once {
            cx.stop();
        }
    }

    fn window(&self, session: &Session) -> usize {
        match session {
            Session::Hello => 0,
            Session::Echo(echo) => self.echo.window(echo),
            Session::Chat(guest) => self.chat.window_of_guest(guest),
            Session::Console(console) => self.chat.window_of_console(console),
            Session::Signals => 64,
        }
    }
}

/// Serves until a signal ends it.
pub(super) fn run(mut arguments: ServeArguments) -> Result<(), Failure> {
    if arguments.services.is_empty() {
        arguments.services = Protocol::ALL
            .map(|protocol| ServiceAddress {
                protocol,
                address: protocol.default_address(),
            })
            .to_vec();
    }
    let prompts = io::stdin().is_terminal() && io::stdout().is_terminal();
    let kernel = OsKernel::new().map_err(|error| cannot("start the event loop", &error))?;
    let server = Server::new(&arguments, prompts);
    let mut reactor = Reactor::new(kernel, server, limits(&arguments));
    attach_signals(&mut reactor).map_err(|error| cannot("watch for signals", &error))?;
    if needs_terminal(&arguments) {
        attach_terminal(&mut reactor).map_err(|error| cannot("use the terminal", &error))?;
    }
    let listening = listen(&mut reactor, &arguments)?;
    announce(&listening);
    reactor
        .run()
        .map_err(|error| cannot("wait for events", &error))?;
    log::info!("{}", reactor.counters());
    Ok(())
}

fn cannot(what: &str, error: &io::Error) -> Failure {
    Failure::at_work(format_args!("cannot {what}: {}", reason(error)))
}

fn limits(arguments: &ServeArguments) -> Limits {
    let descriptors = raise_fd_limit();
    Limits {
        guests_max: arguments
            .max_conns
            .unwrap_or(GUESTS_MAX_DEFAULT.min(descriptors)),
        guests_per_address_max: arguments.per_ip,
        unsent_bytes_max: arguments.max_buffer,
        grace: Some(arguments.grace),
        spin: arguments.spin,
    }
}

/// Raises the soft fd limit to the hard one; returns what it is then.
fn raise_fd_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    current
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX)
}

fn needs_terminal(arguments: &ServeArguments) -> bool {
    let serves = |wanted| arguments.services.iter().any(|s| s.protocol == wanted);
    (serves(Protocol::Chat) && arguments.chat_with == ChatWith::Operator)
        || (serves(Protocol::Echo) && arguments.print)
}

fn attach_terminal(reactor: &mut Reactor<OsKernel, Server>) -> io::Result<()> {
    let terminal = Terminal::new(
        Some(stdio::input()?),
        Some(stdio::output()?),
        reactor::Failure::Swallowed,
    );
    let stream = OsStream::Terminal(Box::new(terminal));
    let name = format_args!("the terminal");
    reactor.attach(stream, Door::Console, Policy::default(), name)?;
    Ok(())
}

fn attach_signals(reactor: &mut Reactor<OsKernel, Server>) -> io::Result<()> {
    let pipe = Side::new(signals::first_asks_second_exits()?, Manner::Nonblocking);
    let terminal = Terminal::new(Some(pipe), None, reactor::Failure::Swallowed);
    let stream = OsStream::Terminal(Box::new(terminal));
    let name = format_args!("signals");
    reactor.attach(stream, Door::Signals, Policy::default(), name)?;
    Ok(())
}

/// Listens on every address, or on none and says why.
fn listen(
    reactor: &mut Reactor<OsKernel, Server>,
    arguments: &ServeArguments,
) -> Result<Vec<(Protocol, SocketAddr)>, Failure> {
    warn_of_small_somaxconn(arguments.backlog);
    let options = ListenOptions {
        backlog: arguments.backlog,
        reuse_port: arguments.reuse_port,
    };
    let policy = Policy {
        idle_timeout: arguments.idle_timeout.0,
        write_timeout: arguments.write_timeout.0,
        linger: Some(LINGER),
    };
    let mut listening = Vec::new();
    for ServiceAddress { protocol, address } in &arguments.services {
        let listener = bind(*address, options).and_then(|listener| {
            listening.push((*protocol, listener.local_addr()?));
            reactor.listen(listener, Door::Serve(*protocol), policy)
        });
        listener.map_err(|error| cannot_listen(*protocol, *address, &error))?;
        if !address.ip().is_loopback() {
            log::warn!(
                "{} on {address} is open to everybody who can reach this machine",
                protocol.name()
            );
        }
    }
    Ok(listening)
}

fn cannot_listen(protocol: Protocol, address: SocketAddr, error: &io::Error) -> Failure {
    let name = protocol.name();
    let remedy = if error.kind() == io::ErrorKind::AddrInUse {
        format!(" (try {name}=0 for any free port)")
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        format!(" (ports below 1024 need privileges; try {name}=0)")
    } else {
        String::new()
    };
    let reason = reason(error);
    Failure::at_work(format_args!(
        "cannot listen on {address} for {name}: {reason}{remedy}"
    ))
}

fn warn_of_small_somaxconn(backlog: u32) {
    let path = "/proc/sys/net/core/somaxconn";
    let somaxconn = std::fs::read_to_string(path)
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok());
    if let Some(limit) = somaxconn.filter(|&limit| limit < backlog) {
        log::warn!(
            "net.core.somaxconn is {limit}: the kernel keeps no more than that, not {backlog} (--backlog)"
        );
    }
}

fn announce(listening: &[(Protocol, SocketAddr)]) {
    let mut out = io::stdout().lock();
    let lines = listening.iter().try_for_each(|(protocol, address)| {
        writeln!(out, "listening {} {address}", protocol.name())
    });
    if let Err(error) = lines.and_then(|()| out.flush()) {
        log::warn!("cannot write to standard output: {}", reason(&error));
    }
}
