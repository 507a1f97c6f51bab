//! `epollo serve`: the three protocols, the operator's terminal and the signals as one [`Service`]
//! on one reactor. Each peer is handed to its protocol; what none of them knows is decided here.

use std::fmt;
use std::io::{self, IsTerminal};
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
    announcements: Vec<String>,
    /// With `--once`: how many more come in (a pair is two), and how many are there.
    once: Option<Once>,
}

struct Once {
    expected: usize,
    present: usize,
}

impl Server {
    fn new(arguments: &ServeArguments, announcements: Vec<String>) -> Server {
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
                prompts: io::stdin().is_terminal() && io::stdout().is_terminal(),
            }),
            console: None,
            announcements,
            once: arguments.once.then_some(Once {
                expected: match arguments.chat_with {
                    ChatWith::Pair => 2,
                    ChatWith::Operator | ChatWith::Echo => 1,
                },
                present: 0,
            }),
        }
    }

    fn open_guest(
        &mut self,
        cx: &mut Context<'_>,
        protocol: Protocol,
        name: fmt::Arguments<'_>,
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
                let mut console = self.chat.open_console(cx);
                for line in self.announcements.drain(..) {
                    console.line(cx, format_args!("{line}"));
                }
                Session::Console(Box::new(console))
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
                let count = console.lines_dropped() + self.echo.lines_dropped();
                if count > 0 {
                    log::warn!("{count} lines for the terminal were dropped: it took none");
                }
                self.console = None;
                self.chat.close_console(cx, reason);
                false
            }
            Session::Signals => false,
        };
        if let Some(once) = self.once.as_mut().filter(|_| is_guest) {
            once.present -= 1;
            if once.present == 0 {
                cx.stop();
            }
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
    let listeners = bind_all(&arguments)?;
    let announcements = listeners
        .iter()
        .map(|(protocol, listener)| {
            Ok(format!(
                "listening {} {}",
                protocol.name(),
                listener.local_addr()?
            ))
        })
        .collect::<io::Result<_>>()
        .map_err(|error| Failure::cannot("tell the address of a listener", &error))?;
    let kernel =
        OsKernel::new().map_err(|error| Failure::cannot("start the event loop", &error))?;
    let server = Server::new(&arguments, announcements);
    let mut reactor = Reactor::new(kernel, server, limits(&arguments));
    attach(&mut reactor, &arguments, listeners)
        .map_err(|error| Failure::cannot("watch what it needs", &error))?;
    reactor
        .run()
        .map_err(|error| Failure::cannot("wait for events", &error))?;
    log::info!("{}", reactor.counters());
    Ok(())
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

/// Hands everything to the reactor: the signals, the terminal before anybody can talk to it, and the
/// listeners.
fn attach(
    reactor: &mut Reactor<OsKernel, Server>,
    arguments: &ServeArguments,
    listeners: Vec<(Protocol, mio::net::TcpListener)>,
) -> io::Result<()> {
    let signals = Side::new(signals::first_asks_second_exits()?, Manner::Nonblocking);
    let signals = Terminal::new(Some(signals), None, reactor::Failure::Swallowed);
    let stream = OsStream::Terminal(Box::new(signals));
    let none = Policy::default();
    reactor.attach(stream, Door::Signals, none, format_args!("signals"))?;

    let has_operator = arguments.chat_with == ChatWith::Operator
        && arguments
            .services
            .iter()
            .any(|service| service.protocol == Protocol::Chat);
    // Standard input stays untouched where nobody is asked to type.
    let input = has_operator.then(stdio::input).transpose()?;
    let terminal = Terminal::new(input, Some(stdio::output()?), reactor::Failure::Swallowed);
    let stream = OsStream::Terminal(Box::new(terminal));
    reactor.attach(stream, Door::Console, none, format_args!("the terminal"))?;

    let policy = Policy {
        idle_timeout: arguments.idle_timeout.0,
        write_timeout: arguments.write_timeout.0,
        linger: Some(LINGER),
        reads_while_owing: false,
    };
    for (protocol, listener) in listeners {
        reactor.listen(listener, Door::Serve(protocol), policy)?;
    }
    Ok(())
}

/// Listens on every address, or on none and says why.
fn bind_all(arguments: &ServeArguments) -> Result<Vec<(Protocol, mio::net::TcpListener)>, Failure> {
    warn_of_small_somaxconn(arguments.backlog);
    let options = ListenOptions {
        backlog: arguments.backlog,
        reuse_port: arguments.reuse_port,
    };
    let mut listeners = Vec::new();
    for &ServiceAddress { protocol, address } in &arguments.services {
        let listener =
            bind(address, options).map_err(|error| cannot_listen(protocol, address, &error))?;
        listeners.push((protocol, listener));
        if !address.ip().is_loopback() {
            let name = protocol.name();
            log::warn!("{name} on {address} is open to everybody who can reach this machine");
        }
    }
    Ok(listeners)
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
