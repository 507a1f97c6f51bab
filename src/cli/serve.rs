//! `epollo serve`: what was asked for becomes listeners, limits and a [`Server`] on one reactor. What
//! the server does with a peer is not decided here.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpListener;

use super::args::{ChatWith, ServeArguments};
use super::values::{ListenAddress, ServiceAddress};
use super::{Failure, limits};
use crate::explore;
use crate::protocol::chat::{self, Partner};
use crate::protocol::{Service, echo};
use crate::reactor::{self, ListenOptions, OsKernel, OsStream, Policy, Reactor, Terminal, bind};
use crate::services::{Origin, Protocol, Server, Settings};
use crate::system::log::Log;
use crate::system::{descriptors, reason, signals, stdio};
use crate::trace::Observer;

/// How long the first of a pair may keep the other waiting for its first message.
const TURN_TIME_MAX_DEFAULT: Duration = Duration::from_secs(60);
/// How long a client may take to close its half after ours (FAULTS: a client never closes).
const LINGER: Duration = Duration::from_secs(2);

/// Serves until a signal ends it.
pub(super) fn run(mut arguments: ServeArguments, log: &Log) -> Result<(), Failure> {
    if arguments.services.is_empty() {
        arguments.services = Protocol::ALL
            .map(|protocol| ServiceAddress {
                protocol,
                address: ListenAddress::Socket(protocol.default_address()),
            })
            .to_vec();
    }
    let listeners = bind_all(&arguments)?;
    let page = arguments
        .explore
        .as_ref()
        .map(|address| bind_page(address, &arguments));
    let page = page.transpose()?;
    let cannot_tell = |error| Failure::cannot("get the address of a listener", &error);
    let services = named(&listeners).map_err(cannot_tell)?;
    let announcements = announcements(&services, page.as_ref()).map_err(cannot_tell)?;
    let announced = announcements.iter().map(|line| line.len() + 1).sum();
    let server = Server::new(settings(&arguments), announcements);
    let trace = arguments.trace.open(log, "epollo serve")?;
    let places = descriptors::places(page.as_ref().map_or(0, |_| explore::SESSIONS_MAX));
    let limits = limits::plan(&arguments, places)?;
    let cannot_start = |error| Failure::cannot("start the event loop", &error);
    let plan = Plan {
        arguments,
        listeners,
        announced,
    };
    match (page, trace) {
        (None, None) => {
            let reactor = Reactor::new(OsKernel::new().map_err(cannot_start)?, server, limits);
            let same = |origin| origin;
            serve(reactor, same, |server| server, Reactor::run, plan)
        }
        (None, Some(trace)) => {
            let kernel = OsKernel::new().map_err(cannot_start)?;
            let mut reactor = Reactor::observed(kernel, server, limits, trace);
            reactor.name_listeners(services.into_iter().map(|(name, _)| name).collect());
            let same = |origin| origin;
            serve(reactor, same, |server| server, Reactor::run, plan)
        }
        (Some(listener), trace) => {
            let page = explore::Page {
                listener,
                services,
                sessions_max: places.sessions,
            };
            let reactor = explore::reactor(page, server, limits, trace).map_err(cannot_start)?;
            let (origin, inner) = (explore::Origin::Inner, explore::WithExplorer::inner);
            serve(reactor, origin, inner, explore::run, plan)
        }
    }
}

/// The lines that say where it listens.
fn announcements(
    services: &[(String, SocketAddr)],
    page: Option<&TcpListener>,
) -> io::Result<Vec<String>> {
    let line = |name: &str, address| format!("listening {name} {address}");
    let page = page.map(TcpListener::local_addr).transpose()?;
    let services = services.iter().map(|(name, address)| line(name, *address));
    let page = page.map(|address| line("explore", address));
    Ok(services.chain(page).collect())
}

/// What is to be served.
struct Plan {
    arguments: ServeArguments,
    listeners: Vec<(Protocol, TcpListener)>,
    /// The bytes that say where: they must be written.
    announced: usize,
}

/// One loop for each kind of service and observer, so that without one nothing of it is left.
fn serve<S: Service, O: Observer>(
    mut reactor: Reactor<OsKernel, S, O>,
    origin: impl Fn(Origin) -> S::Origin,
    server: impl FnOnce(&S) -> &Server,
    run: impl FnOnce(&mut Reactor<OsKernel, S, O>) -> io::Result<()>,
    plan: Plan,
) -> Result<(), Failure> {
    attach(&mut reactor, origin, plan)
        .map_err(|error| Failure::cannot("watch the listeners, signals and terminal", &error))?;
    run(&mut reactor).map_err(|error| Failure::cannot("wait for events", &error))?;
    log::info!("{}", reactor.counters());
    match server(reactor.service()).output_failure() {
        Some(number) => {
            let error = io::Error::from_raw_os_error(number);
            Err(Failure::cannot("write to standard output", &error))
        }
        None => Ok(()),
    }
}

/// The services by name, with the addresses that they really have.
fn named(listeners: &[(Protocol, TcpListener)]) -> io::Result<Vec<(String, SocketAddr)>> {
    let named = |(protocol, listener): &(Protocol, TcpListener)| {
        Ok((protocol.name().to_owned(), listener.local_addr()?))
    };
    listeners.iter().map(named).collect()
}

fn settings(arguments: &ServeArguments) -> Settings {
    let quit = arguments.quit.as_ref().map(|word| word.as_bytes().to_vec());
    Settings {
        greeting: arguments.greeting.clone(),
        echo: echo::Settings {
            quit: quit.clone(),
            print: arguments.print,
        },
        chat: chat::Settings {
            partner: match arguments.chat_with {
                ChatWith::Operator => Partner::Operator,
                ChatWith::Pair => Partner::Pair,
                ChatWith::Echo => Partner::Parrot,
            },
            framing: arguments.framing,
            quit: quit.unwrap_or_else(|| b"QUIT".to_vec()),
            message_bytes_max: arguments.max_message,
            message_time_max: arguments.idle_timeout,
            turn_time_max: turn_time_max(arguments),
            prompts: stdio::is_terminal(),
        },
        columns: if io::stdout().is_terminal() {
            stdio::columns
        } else {
            || None
        },
        once: arguments.once,
    }
}

/// Only clients in pairs are matched, and can be matched anew.
fn turn_time_max(arguments: &ServeArguments) -> Option<Duration> {
    match arguments.chat_with {
        ChatWith::Pair => arguments
            .turn_timeout
            .unwrap_or(Some(TURN_TIME_MAX_DEFAULT)),
        ChatWith::Operator | ChatWith::Echo => None,
    }
}

/// Hands everything to the reactor: the signals, the terminal before anybody can talk to it, and the
/// listeners.
fn attach<S: Service, O: Observer>(
    reactor: &mut Reactor<OsKernel, S, O>,
    origin: impl Fn(Origin) -> S::Origin,
    plan: Plan,
) -> io::Result<()> {
    let arguments = &plan.arguments;
    let (none, name) = (Policy::default(), format_args!("signals"));
    let stream = signals::stream(signals::first_asks_second_exits()?);
    reactor.attach(stream, origin(Origin::Signals), none, name)?;
    if stdio::is_terminal() {
        let stream = signals::stream(signals::continued()?);
        reactor.attach(stream, origin(Origin::Continued), none, name)?;
    }

    let has_operator =
        arguments.chat_with == ChatWith::Operator && arguments.serves(Protocol::Chat);
    // Standard input is left alone where nobody is asked to type.
    let input = has_operator.then(stdio::input).transpose()?;
    let failure = reactor::OnError::IgnoreAfter(plan.announced);
    let terminal = Terminal::new(input, Some(stdio::output()?), failure);
    let stream = OsStream::Terminal(Box::new(terminal));
    let console = origin(Origin::Console);
    reactor.attach(stream, console, none, format_args!("the terminal"))?;

    let policy = Policy {
        idle_timeout: arguments.idle_timeout,
        write_timeout: arguments.write_timeout,
        linger: Some(LINGER),
        ..Policy::UNLIMITED
    };
    for (protocol, listener) in plan.listeners {
        reactor.listen(listener, origin(Origin::Serve(protocol)), policy)?;
    }
    Ok(())
}

/// Listens on every address, or on none and says why.
fn bind_all(arguments: &ServeArguments) -> Result<Vec<(Protocol, TcpListener)>, Failure> {
    warn_of_small_somaxconn(arguments.backlog);
    let options = listen_options(arguments);
    let mut listeners = Vec::new();
    for ServiceAddress { protocol, address } in &arguments.services {
        let name = protocol.name();
        let remedy = format!("{name}=0");
        listeners.push((*protocol, bind_one(name, &remedy, address, options)?));
    }
    Ok(listeners)
}

/// What every listener is made with.
fn listen_options(arguments: &ServeArguments) -> ListenOptions {
    ListenOptions {
        backlog: arguments.backlog,
        reuse_port: arguments.reuse_port,
        send_buffer: arguments.send_buffer,
    }
}

fn bind_page(address: &ListenAddress, arguments: &ServeArguments) -> Result<TcpListener, Failure> {
    // Two processes on one port would share the browsers: each page has a port of its own.
    let options = ListenOptions {
        reuse_port: false,
        ..listen_options(arguments)
    };
    bind_one("explore", "--explore=0", address, options)
}

fn bind_one(
    name: &str,
    any_port: &str,
    address: &ListenAddress,
    options: ListenOptions,
) -> Result<TcpListener, Failure> {
    let found = address.look_up().map_err(|_| {
        Failure::at_work(format_args!(
            "cannot find the host of {address} for {name} (is the name right?)"
        ))
    })?;
    let mut failure = None;
    // Of what a name stands for, what this machine has not got is passed over.
    for address in found {
        match bind(address, options) {
            Ok(listener) => {
                if !address.ip().is_loopback() {
                    log::warn!("{name} on {address} is open to anyone who can reach this machine");
                }
                return Ok(listener);
            }
            Err(error) => {
                failure = Some(cannot_listen(name, any_port, address, &error));
                if error.kind() != io::ErrorKind::AddrNotAvailable {
                    break;
                }
            }
        }
    }
    let none = || Failure::at_work(format_args!("the host of {address} has no address"));
    Err(failure.unwrap_or_else(none))
}

fn cannot_listen(name: &str, any_port: &str, address: SocketAddr, error: &io::Error) -> Failure {
    let remedy = if error.kind() == io::ErrorKind::AddrInUse {
        format!(" (try {any_port} for any free port)")
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        format!(" (ports below 1024 need privileges; try {any_port})")
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
        log::warn!("the kernel reduces --backlog {backlog} to {limit} (net.core.somaxconn)");
    }
}
