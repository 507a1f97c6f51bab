//! `epollo serve`: what was asked for becomes listeners, limits and a [`Server`] on one reactor. What
//! the server does with a peer is not decided here.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::time::Duration;

use super::args::{ChatWith, Protocol, ServeArguments, ServiceAddress};
use super::log::Log;
use super::server::{Door, Server, Settings};
use super::trace::Sink;
use super::{Failure, descriptors, reason, signals, stdio};
use crate::protocol::chat::{self, Partner};
use crate::protocol::{Service, echo};
use crate::reactor::{
    self, Limits, ListenOptions, Manner, OsKernel, OsStream, Policy, Reactor, Side, Terminal, bind,
};
use crate::trace::{Observer, Off};

/// Open connections when nothing else is said and the fd limit allows it.
const GUESTS_MAX_DEFAULT: usize = 10_000;
/// How long a client may take to close its half after ours (FAULTS: a client never closes).
const LINGER: Duration = Duration::from_secs(2);

/// Serves until a signal ends it.
pub(super) fn run(mut arguments: ServeArguments, log: &Log) -> Result<(), Failure> {
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
    let server = Server::new(settings(&arguments), announcements);
    let served = listeners.iter().map(|(protocol, _)| protocol.name());
    let served = served.map(str::to_owned).collect();
    match Sink::open(&arguments.trace, log, "epollo serve", served)? {
        None => serve(server, Off, &arguments, listeners),
        Some(trace) => serve(server, trace, &arguments, listeners),
    }
}

/// One loop for each kind of observer, so that without one nothing of it is left.
fn serve<S: Service<Door = Door>, O: Observer>(
    service: S,
    observer: O,
    arguments: &ServeArguments,
    listeners: Vec<(Protocol, mio::net::TcpListener)>,
) -> Result<(), Failure> {
    let kernel =
        OsKernel::new().map_err(|error| Failure::cannot("start the event loop", &error))?;
    let mut reactor = Reactor::observed(kernel, service, limits(arguments), observer);
    attach(&mut reactor, arguments, listeners)
        .map_err(|error| Failure::cannot("watch what it needs", &error))?;
    reactor
        .run()
        .map_err(|error| Failure::cannot("wait for events", &error))?;
    log::info!("{}", reactor.counters());
    Ok(())
}

fn settings(arguments: &ServeArguments) -> Settings {
    let quit = arguments.quit.as_ref().map(|word| word.as_bytes().to_vec());
    Settings {
        greeting: arguments.greeting.0.clone(),
        echo: echo::Settings {
            quit: quit.clone(),
            print: arguments.print,
        },
        chat: chat::Settings {
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
        },
        once: arguments.once,
    }
}

fn limits(arguments: &ServeArguments) -> Limits {
    let descriptors = descriptors::raise_limit();
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

/// Hands everything to the reactor: the signals, the terminal before anybody can talk to it, and the
/// listeners.
fn attach<S: Service<Door = Door>, O: Observer>(
    reactor: &mut Reactor<OsKernel, S, O>,
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
        is_uncounted: false,
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
