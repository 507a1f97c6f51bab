//! `epollo hello`, `epollo echo`, `epollo chat`: the clients. Each connects, runs its service on a
//! reactor with our user's terminal as the other peer, and says what came of it.

use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::args::{ChatArguments, ClientArguments, ServerAddress};
use super::log::Log;
use super::trace::Sink;
use super::{Failure, print, reason, signals, stdio};
use crate::protocol::chat::{self, Chat, Partner};
use crate::protocol::display::{Escaped, in_rows};
use crate::protocol::echo::client as echo;
use crate::protocol::hello::HelloClient;
use crate::protocol::{CloseReason, Service};
use crate::reactor::{self, Limits, OsKernel, OsStream, Policy, Reactor, Terminal};
use crate::trace::{Observer, Off};

/// How long a server may take to close its half once our user has left.
const LINGER: Duration = Duration::from_secs(1);
/// How long a server may take to accept our last words.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A client has one peer and all the time that its user has.
const LIMITS: Limits = Limits {
    guests_max: 0,
    guests_per_address_max: None,
    unsent_bytes_max: usize::MAX,
    grace: None,
    spin: Duration::ZERO,
};

/// Prints the greeting.
pub(super) fn hello(arguments: &ClientArguments, log: &Log) -> Result<(), Failure> {
    let trace = Sink::open(&arguments.trace, log, "epollo hello", Vec::new())?;
    let (stream, address) = connect(&arguments.server)?;
    let policy = Policy {
        linger: Some(LINGER),
        ..Policy::default()
    };
    let server = remote(stream, (), policy, address);
    let client = run(HelloClient::default(), trace, [server])?;
    match client.greeting() {
        Some(greeting) => {
            let line = format!("Message from server: {}", Escaped(greeting));
            let rows = stdio::columns().map(|columns| in_rows(&line, columns));
            print(format!("{}\n", rows.unwrap_or(line)).as_bytes())
        }
        None => Err(Failure::at_work(format_args!(
            "{address} ended the connection without a greeting{}",
            how(client.ending())
        ))),
    }
}

/// Sends what the user types or the pipe gives, and shows what comes back.
pub(super) fn echo(arguments: &ClientArguments, log: &Log) -> Result<(), Failure> {
    let trace = Sink::open(&arguments.trace, log, "epollo echo", Vec::new())?;
    let (stream, address) = connect(&arguments.server)?;
    let console = console(echo::Door::Console)?;
    if is_on_terminal() {
        let policy = Policy {
            linger: Some(LINGER),
            write_timeout: Some(WRITE_TIMEOUT),
            ..Policy::default()
        };
        let server = remote(stream, echo::Door::Remote, policy, address);
        let dialogue = run(echo::Dialogue::new(), trace, [console, server])?;
        return match dialogue.ended_by_server() {
            None => Ok(()),
            Some(CloseReason::Finished) => {
                let _ = writeln!(io::stderr(), "epollo: {address} ended the connection");
                Ok(())
            }
            ending => Err(lost(address, ending)),
        };
    }
    let policy = Policy {
        linger: Some(LINGER),
        reads_while_owing: true,
        is_uncounted: false,
        ..Policy::default()
    };
    let server = remote(stream, echo::Door::Remote, policy, address);
    let relay = run(echo::Relay::new(), trace, [console, server])?;
    judge(&relay, address)
}

fn judge(relay: &echo::Relay, address: SocketAddr) -> Result<(), Failure> {
    let tally = relay.tally();
    if let Some(verdict) = terminal_verdict(relay.console_ending()) {
        return verdict;
    }
    if tally.is_faithful() {
        return Ok(());
    }
    let cut_short = if tally.cut_short {
        ", and ended before the input did"
    } else {
        ""
    };
    Err(Failure::at_work(format_args!(
        "{address} did not echo faithfully: of {} bytes sent {} lost, {} changed, {} too many{cut_short}",
        tally.sent, tally.lost, tally.changed, tally.surplus
    )))
}

/// Talks in turns.
pub(super) fn chat(arguments: ChatArguments, log: &Log) -> Result<(), Failure> {
    let trace = Sink::open(&arguments.trace, log, "epollo chat", Vec::new())?;
    let (stream, address) = connect(&arguments.server)?;
    let console = console(chat::Door::Console)?;
    let chat = Chat::new(chat::Settings {
        partner: Partner::User,
        framing: arguments.framing,
        quit: arguments.quit.into_bytes(),
        message_bytes_max: SERVER_MESSAGE_BYTES_MAX,
        message_time_max: None,
        prompts: is_on_terminal(),
    });
    let policy = Policy {
        linger: Some(LINGER),
        write_timeout: Some(WRITE_TIMEOUT),
        ..Policy::default()
    };
    let server = remote(stream, chat::Door::Guest, policy, address);
    let chat = run(chat, trace, [console, server])?;
    if let Some(verdict) = terminal_verdict(chat.console_ending()) {
        return verdict;
    }
    if let Some(why) = chat.refusal() {
        return Err(Failure::at_work(format_args!(
            "{address} was left: {why} ({SERVER_MESSAGE_BYTES_MAX} bytes at most; is --framing right?)"
        )));
    }
    match chat.guest_ending() {
        Some(ending) if loss(ending).is_some() => Err(lost(address, Some(ending))),
        Some(_) | None => Ok(()),
    }
}

/// The longest message that is taken from a server.
const SERVER_MESSAGE_BYTES_MAX: usize = 65_536;

fn connect(server: &ServerAddress) -> Result<(OsStream, SocketAddr), Failure> {
    signals::first_exits().map_err(|error| Failure::cannot("watch for signals", &error))?;
    let ServerAddress { host, port } = server;
    let addresses = (host.as_str(), *port).to_socket_addrs().map_err(|_| {
        Failure::at_work(format_args!(
            "cannot find the host '{host}' (is the name right?)"
        ))
    })?;
    let mut failure = Failure::at_work(format_args!("the host '{host}' has no address"));
    for address in addresses {
        let connected = TcpStream::connect(address).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        });
        match connected {
            Ok(stream) => {
                return Ok((
                    OsStream::Tcp(mio::net::TcpStream::from_std(stream)),
                    address,
                ));
            }
            Err(error) => failure = cannot_connect(address, &error),
        }
    }
    Err(failure)
}

fn cannot_connect(address: SocketAddr, error: &io::Error) -> Failure {
    let remedy = if error.kind() == io::ErrorKind::ConnectionRefused {
        " (is the server running, and on this port?)"
    } else {
        ""
    };
    Failure::at_work(format_args!(
        "cannot connect to {address}: {}{remedy}",
        reason(error)
    ))
}

/// Somebody to talk with: the server, or our user at the terminal.
struct Peer<Door> {
    stream: OsStream,
    door: Door,
    policy: Policy,
    name: String,
}

fn remote<Door>(stream: OsStream, door: Door, policy: Policy, address: SocketAddr) -> Peer<Door> {
    Peer {
        stream,
        door,
        policy,
        name: address.to_string(),
    }
}

fn console<Door>(door: Door) -> Result<Peer<Door>, Failure> {
    let open = || -> io::Result<Terminal> {
        let sides = (Some(stdio::input()?), Some(stdio::output()?));
        Ok(Terminal::new(sides.0, sides.1, reactor::Failure::Told))
    };
    let terminal = open().map_err(|error| Failure::cannot("use the terminal", &error))?;
    Ok(Peer {
        stream: OsStream::Terminal(Box::new(terminal)),
        door,
        policy: Policy::default(),
        name: "the terminal".to_owned(),
    })
}

/// Runs the client and gives it back with what it has learnt.
fn run<S: Service, const N: usize>(
    client: S,
    trace: Option<Sink>,
    peers: [Peer<S::Door>; N],
) -> Result<S, Failure> {
    let ran = match trace {
        None => run_observed(client, Off, peers),
        Some(trace) => run_observed(client, trace, peers),
    };
    ran.map_err(|error| Failure::at_work(format_args!("the event loop failed: {}", reason(&error))))
}

fn run_observed<S: Service, const N: usize>(
    client: S,
    observer: impl Observer,
    peers: [Peer<S::Door>; N],
) -> io::Result<S> {
    let mut reactor = Reactor::observed(OsKernel::new()?, client, LIMITS, observer);
    for peer in peers {
        let name = format_args!("{}", peer.name);
        reactor.attach(peer.stream, peer.door, peer.policy, name)?;
    }
    reactor.run()?;
    Ok(reactor.into_service())
}

fn is_on_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

fn lost(address: SocketAddr, ending: Option<CloseReason>) -> Failure {
    Failure::at_work(format_args!(
        "the connection to {address} was lost{}",
        how(ending)
    ))
}

/// What broke a connection, with a colon before it; nothing if it ended as connections do.
fn how(ending: Option<CloseReason>) -> String {
    let what = ending.and_then(loss);
    what.map_or_else(String::new, |what| format!(": {what}"))
}

fn loss(ending: CloseReason) -> Option<String> {
    match ending {
        CloseReason::Broken(number) => Some(reason(&io::Error::from_raw_os_error(number))),
        CloseReason::WriteStalled => Some("it took no more bytes".to_owned()),
        CloseReason::Finished
        | CloseReason::Idle
        | CloseReason::Lingered
        | CloseReason::Evicted
        | CloseReason::Aborted
        | CloseReason::Stopped => None,
    }
}

/// What it means if the user's own side broke; `None` if it did not. A reader that went away
/// (`| head`) is no failure.
fn terminal_verdict(ending: Option<CloseReason>) -> Option<Result<(), Failure>> {
    let Some(CloseReason::Broken(number)) = ending else {
        return None;
    };
    let error = io::Error::from_raw_os_error(number);
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Some(Ok(()));
    }
    Some(Err(Failure::cannot("use standard input or output", &error)))
}
