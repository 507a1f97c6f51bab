//! `epollo hello`, `epollo echo`, `epollo chat`: the clients. Each connects, runs its service on a
//! reactor with our user's terminal as the other peer, and says what came of it.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::args::{ChatArguments, ClientArguments, EchoArguments, ServerAddress};
use super::{Failure, print};
use crate::protocol::chat::{self, Chat, Partner};
use crate::protocol::display::{Escaped, in_rows};
use crate::protocol::echo::client as echo;
use crate::protocol::hello::HelloClient;
use crate::protocol::{CloseReason, Context, Service};
use crate::reactor::{self, Limits, OsKernel, OsStream, Policy, Reactor, Terminal};
use crate::services::Windowed;
use crate::system::log::Log;
use crate::system::trace_writer::TraceWriter;
use crate::system::{self, reason, signals, stdio};
use crate::trace::Off;

/// How long a server may take to close its half once our user has left.
const LINGER: Duration = Duration::from_secs(1);
/// How long a server may take to accept our last words.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// What a server is held to.
const POLICY: Policy = Policy {
    linger: Some(LINGER),
    write_timeout: Some(WRITE_TIMEOUT),
    ..Policy::UNLIMITED
};

/// A client has one peer and all the time that its user has.
const LIMITS: Limits = Limits {
    clients_max: 0,
    clients_per_address_max: None,
    unsent_bytes_max: usize::MAX,
    grace: None,
    spin: Duration::ZERO,
};

/// Prints the greeting.
pub(super) fn hello(arguments: &ClientArguments, log: &Log) -> Result<(), Failure> {
    let trace = arguments.trace.open(log, "epollo hello")?;
    watch_signals()?;
    let (stream, address) = connect(&arguments.server)?;
    let server = remote(stream, (), POLICY, address);
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
pub(super) fn echo(arguments: &EchoArguments, log: &Log) -> Result<(), Failure> {
    let client = &arguments.client;
    let trace = client.trace.open(log, "epollo echo")?;
    let exits_at_once = watch_signals()?;
    let (stream, address) = connect(&client.server)?;
    if stdio::is_terminal() {
        echo_dialogue(trace, stream, address)
    } else {
        echo_pipe(arguments.timeout, trace, stream, address, &exits_at_once)
    }
}

fn echo_dialogue(
    trace: Option<TraceWriter>,
    stream: OsStream,
    address: SocketAddr,
) -> Result<(), Failure> {
    let console = console(Some(echo::Origin::Console))?;
    let server = remote(stream, Some(echo::Origin::Remote), POLICY, address);
    let dialogue = windowed(echo::Dialogue::new(), echo::Dialogue::redraw);
    let dialogue = run_in_window(dialogue, trace, vec![console, server])?;
    match dialogue.ended_by_server() {
        None => Ok(()),
        Some(CloseReason::Finished) => {
            let _ = writeln!(io::stderr(), "epollo: {address} ended the connection");
            Ok(())
        }
        ending => Err(lost(address, ending)),
    }
}

fn echo_pipe(
    patience: Option<Duration>,
    trace: Option<TraceWriter>,
    stream: OsStream,
    address: SocketAddr,
    exits_at_once: &AtomicBool,
) -> Result<(), Failure> {
    let policy = Policy {
        reads_while_owing: true,
        write_timeout: None,
        ..POLICY
    };
    let console = console(echo::Origin::Console)?;
    let server = remote(stream, echo::Origin::Remote, policy, address);
    let interrupts = signals::first_records_second_exits();
    let interrupts = interrupts.map_err(|error| cannot_watch_signals(&error))?;
    let signals = signals_as_peer(interrupts.stream, echo::Origin::Interrupt);
    exits_at_once.store(false, Ordering::Relaxed);
    let peers = [console, server, signals];
    let relay = run(echo::Relay::new(patience), trace, peers)?;
    judge(&relay, address, patience, interrupts.code.exit_code())
}

/// `code` is the exit code if the user interrupted it.
fn judge(
    relay: &echo::Relay,
    address: SocketAddr,
    patience: Option<Duration>,
    code: u8,
) -> Result<(), Failure> {
    let tally = relay.tally();
    if tally.is_interrupted {
        let words = format!(
            "interrupted: of {} bytes sent, {} have not come back, {} changed, {} too many",
            tally.sent, tally.lost, tally.changed, tally.surplus
        );
        return Err(Failure { code, words });
    }
    if let Some(verdict) = terminal_verdict(relay.console_ending()) {
        return verdict;
    }
    if tally.is_faithful() {
        return Ok(());
    }
    let what = match patience {
        Some(patience) if tally.is_silent => {
            let patience = humantime::format_duration(patience);
            format!("did nothing for {patience} (--timeout)")
        }
        Some(_) | None if relay.remote_ending().and_then(loss).is_some() => {
            format!("broke the connection{}", how(relay.remote_ending()))
        }
        Some(_) | None if tally.cut_short => {
            "ended the connection before the input ended".to_owned()
        }
        Some(_) | None if tally.lost > 0 && tally.changed + tally.surplus == 0 => {
            "ended the connection before everything had come back".to_owned()
        }
        Some(_) | None => "gave wrong answers".to_owned(),
    };
    Err(Failure::at_work(format_args!(
        "{address} {what}: of {} bytes sent, {} lost, {} changed, {} too many",
        tally.sent, tally.lost, tally.changed, tally.surplus
    )))
}

/// Talks in turns.
pub(super) fn chat(arguments: ChatArguments, log: &Log) -> Result<(), Failure> {
    let trace = arguments.trace.open(log, "epollo chat")?;
    watch_signals()?;
    let (stream, address) = connect(&arguments.server)?;
    let console = console(Some(chat::Origin::Console))?;
    let chat = Chat::new(chat::Settings {
        partner: Partner::User,
        framing: arguments.framing,
        quit: arguments.quit.into_bytes(),
        message_bytes_max: SERVER_MESSAGE_BYTES_MAX,
        message_time_max: None,
        turn_time_max: None,
        prompts: stdio::is_terminal(),
    });
    let policy = Policy {
        resets_after_linger: true,
        ..POLICY
    };
    let server = remote(stream, Some(chat::Origin::Remote), policy, address);
    let chat = run_in_window(windowed(chat, Chat::redraw), trace, vec![console, server])?;
    if let Some(verdict) = terminal_verdict(chat.console_ending()) {
        return verdict;
    }
    if let Some(why) = chat.refusal() {
        return Err(Failure::at_work(format_args!(
            "the connection to {address} was closed: {why} ({SERVER_MESSAGE_BYTES_MAX} bytes at \
             most; is --framing right?)"
        )));
    }
    match chat.remote_ending() {
        Some(ending) if loss(ending).is_some() => Err(lost(address, Some(ending))),
        Some(_) | None => Ok(()),
    }
}

/// The longest message that is taken from a server.
const SERVER_MESSAGE_BYTES_MAX: usize = 65_536;

fn connect(server: &ServerAddress) -> Result<(OsStream, SocketAddr), Failure> {
    system::connect::connect(&server.host, server.port).map_err(Failure::at_work)
}

/// A client whose user sees it in a window.
fn windowed<C>(client: C, redraw: fn(&mut C, &mut Context<'_>)) -> Windowed<C> {
    let columns = stdio::columns;
    Windowed {
        client,
        columns,
        redraw,
    }
}

/// From now on a signal ends the client at once, until the returned flag is cleared.
fn watch_signals() -> Result<Arc<AtomicBool>, Failure> {
    signals::first_exits().map_err(|error| cannot_watch_signals(&error))
}

fn cannot_watch_signals(error: &io::Error) -> Failure {
    Failure::cannot("watch for signals", error)
}

/// Somebody to talk with: the server, or our user at the terminal.
struct Peer<Origin> {
    stream: OsStream,
    origin: Origin,
    policy: Policy,
    name: String,
}

fn remote<Origin>(
    stream: OsStream,
    origin: Origin,
    policy: Policy,
    address: SocketAddr,
) -> Peer<Origin> {
    Peer {
        stream,
        origin,
        policy,
        name: address.to_string(),
    }
}

fn signals_as_peer<Origin>(stream: File, origin: Origin) -> Peer<Origin> {
    Peer {
        stream: signals::stream(stream),
        origin,
        policy: Policy::default(),
        name: "signals".to_owned(),
    }
}

fn console<Origin>(origin: Origin) -> Result<Peer<Origin>, Failure> {
    let open = || -> io::Result<Terminal> {
        let sides = (Some(stdio::input()?), Some(stdio::output()?));
        Ok(Terminal::new(sides.0, sides.1, reactor::OnError::Fail))
    };
    let terminal = open().map_err(|error| Failure::cannot("use the terminal", &error))?;
    Ok(Peer {
        stream: OsStream::Terminal(Box::new(terminal)),
        origin,
        policy: Policy::default(),
        name: "the terminal".to_owned(),
    })
}

/// Runs the client and gives it back with what it has learnt.
fn run<S: Service>(
    client: S,
    trace: Option<TraceWriter>,
    peers: impl IntoIterator<Item = Peer<S::Origin>>,
) -> Result<S, Failure> {
    let run = || -> io::Result<S> {
        let mut reactor = Reactor::observed(OsKernel::new()?, client, LIMITS, (Off, trace));
        for peer in peers {
            let (stream, name) = (peer.stream, peer.name);
            reactor.attach(stream, peer.origin, peer.policy, format_args!("{name}"))?;
        }
        reactor.run()?;
        Ok(reactor.into_service())
    };
    run().map_err(|error| {
        Failure::at_work(format_args!("the event loop failed: {}", reason(&error)))
    })
}

/// The same for a client with a prompt, which is drawn again after a stop.
fn run_in_window<C: Service>(
    client: Windowed<C>,
    trace: Option<TraceWriter>,
    mut peers: Vec<Peer<Option<C::Origin>>>,
) -> Result<C, Failure> {
    if stdio::is_terminal() {
        let continued = signals::continued().map_err(|error| cannot_watch_signals(&error))?;
        peers.push(signals_as_peer(continued, None));
    }
    Ok(run(client, trace, peers)?.client)
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
        CloseReason::WriteStalled => Some("it accepted no more data".to_owned()),
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
