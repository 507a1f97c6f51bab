//! The command line: which options there are. What a single value means is in `values.rs`, what is said
//! of wrong ones in `usage.rs`; what they lead to is not here.

use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::time::Duration;

use clap::builder::{BoolishValueParser, Resettable};
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use log::LevelFilter;

use super::bench::args::BenchArguments;
use super::trace::TraceArguments;
use super::values::{
    Greeting, Limit, ListenAddress, SendBuffer, ServiceAddress, parse_address, parse_backlog,
    parse_clients, parse_count, parse_duration, parse_greeting, parse_host, parse_level,
    parse_limit, parse_message_size, parse_remote_port, parse_seed, parse_seeds, parse_send_buffer,
    parse_service, parse_size, parse_steps, parse_verbosity, parse_word,
};
use crate::protocol::framing::Framing;
use crate::services::Protocol;
use crate::system::log::When;

/// Where the explorer page is, if nobody says where.
const EXPLORE_DEFAULT: &str = "127.0.0.1:7070";

/// The address of the page. A variable that says yes stands for the option without one.
fn parse_page_address(text: &str) -> Result<ListenAddress, String> {
    match text {
        "1" | "true" | "yes" | "on" => parse_address(EXPLORE_DEFAULT),
        address => parse_address(address),
    }
}

/// The command line and the environment, of which a variable that is empty counts as not set.
pub(super) fn command() -> clap::Command {
    without_empty_variables(Arguments::command())
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|argument| match argument.get_env().is_some_and(is_empty) {
            true => argument.env(Resettable::<clap::builder::OsStr>::Reset),
            false => argument,
        })
        .mut_subcommands(without_empty_variables)
}

/// `--explore ADDR` as `--explore=ADDR`, where ADDR looks like an address: what follows may also be a
/// service.
pub(super) fn with_equals(
    arguments: impl Iterator<Item = OsString>,
) -> impl Iterator<Item = OsString> {
    let mut arguments = arguments.peekable();
    std::iter::from_fn(move || {
        let argument = arguments.next()?;
        let is_address = |next: &OsString| {
            let next = next.as_encoded_bytes();
            let is_numeric = |byte: &u8| byte.is_ascii_digit() || *byte == b'[';
            let has_port = next.contains(&b':') && !next.contains(&b'=') && next[0] != b'-';
            next.first().is_some_and(is_numeric) || has_port
        };
        match arguments.next_if(|next| argument == "--explore" && is_address(next)) {
            Some(address) => {
                let mut joined = OsString::from("--explore=");
                joined.push(address);
                Some(joined)
            }
            None => Some(argument),
        }
    })
}

/// A single-threaded, event-driven TCP server: hello, echo and turn-based chat, and their clients.
#[derive(Debug, Parser)]
#[command(
    name = "epollo",
    version,
    arg_required_else_help = false,
    max_term_width = 100
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) log: LogArguments,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Log")]
pub(super) struct LogArguments {
    /// Be verbose: -v totals at exit, -vv also each new connection, -vvv also each close
    #[arg(short, long, global = true, action = ArgAction::Count, value_parser = parse_verbosity, env = "EPOLLO_VERBOSE")]
    verbose: u8,
    /// Print errors only
    #[arg(short, long, global = true, value_parser = BoolishValueParser::new(), env = "EPOLLO_QUIET")]
    quiet: bool,
    /// off, error, warn, info, debug or trace; overrides -v, -q and RUST_LOG
    #[arg(long, global = true, value_name = "LEVEL", value_parser = parse_level, env = "EPOLLO_LOG_LEVEL")]
    log_level: Option<LevelFilter>,
    /// Colours on standard error; auto: on a terminal, unless NO_COLOR is set or TERM is dumb
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        env = "EPOLLO_COLOR"
    )]
    pub(super) color: When,
}

impl LogArguments {
    /// Only what failed is to be said.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// The level that was asked for, if any was.
    pub(super) fn level(&self) -> Option<LevelFilter> {
        match (self.log_level, self.quiet, self.verbose) {
            (Some(level), _, _) => Some(level),
            (None, true, _) => Some(LevelFilter::Error),
            (None, false, 0) => None,
            (None, false, 1) => Some(LevelFilter::Info),
            (None, false, 2) => Some(LevelFilter::Debug),
            (None, false, 3..) => Some(LevelFilter::Trace),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve hello, echo and chat
    Serve(Box<ServeArguments>),
    /// Connect and print the greeting
    Hello(ClientArguments),
    /// Send lines and show what comes back
    Echo(EchoArguments),
    /// Talk in turns; you speak first
    Chat(ChatArguments),
    /// Load-test a server, verify every reply, report its speed
    Bench(Box<BenchArguments>),
    /// Run the server on a simulated, misbehaving kernel
    Sim(SimArguments),
}

#[derive(Debug, Args)]
pub(super) struct SimArguments {
    /// Seeds to run, B excluded [default: 0..100; unlimited with --steps]
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    pub(super) seeds: Option<Range<u64>>,
    /// Start no new seed after N steps; 100M is 100 million
    #[arg(long, value_name = "N", value_parser = parse_steps)]
    pub(super) steps: Option<u64>,
    /// Run only this seed; -v prints each step
    #[arg(long, value_name = "N", value_parser = parse_seed, conflicts_with_all = ["seeds", "steps"])]
    pub(super) seed: Option<u64>,
    /// Clients per seed
    #[arg(long, value_name = "N", default_value = "2000", value_parser = parse_clients)]
    pub(super) clients: usize,
    /// Also fail if some fault was never injected
    #[arg(long)]
    pub(super) all_faults: bool,
    /// Instead, open N echo clients at once and report memory per connection
    #[arg(long, value_name = "N", value_parser = parse_clients, conflicts_with_all = ["seeds", "steps", "seed", "clients", "all_faults"])]
    pub(super) open: Option<usize>,
}

/// Whom a client connects to.
#[derive(Debug, Args)]
pub(super) struct ServerAddress {
    /// A name or an address
    #[arg(value_parser = parse_host)]
    pub(super) host: String,
    /// A port from 1 to 65535
    #[arg(value_parser = parse_remote_port)]
    pub(super) port: u16,
}

#[derive(Debug, Args)]
pub(super) struct ClientArguments {
    #[command(flatten)]
    pub(super) server: ServerAddress,
    #[command(flatten)]
    pub(super) trace: TraceArguments,
}

#[derive(Debug, Args)]
pub(super) struct EchoArguments {
    #[command(flatten)]
    pub(super) client: ClientArguments,
    /// In a pipe: give up if the server does nothing for this long after the end of input; `none` =
    /// never
    #[arg(long, value_name = "T", default_value = "5s", value_parser = parse_limit, env = "EPOLLO_TIMEOUT")]
    pub(super) timeout: Limit,
}

#[derive(Debug, Args)]
pub(super) struct ChatArguments {
    #[command(flatten)]
    pub(super) server: ServerAddress,
    /// How messages are delimited: auto, line, nul, padded[:N] or chunk
    #[arg(long, default_value = "auto", env = "EPOLLO_FRAMING")]
    pub(super) framing: Framing,
    /// The message that ends the conversation
    #[arg(long, value_name = "WORD", default_value = "QUIT", value_parser = parse_word, env = "EPOLLO_QUIT")]
    pub(super) quit: String,
    #[command(flatten)]
    pub(super) trace: TraceArguments,
}

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// hello, echo or chat; ADDR is PORT, IP:PORT, [IPV6]:PORT or NAME:PORT. A bare PORT binds
    /// 127.0.0.1; port 0 picks any free port [default: hello=9190 echo=12345 chat=5000]
    #[arg(value_name = "SERVICE[=ADDR]", value_parser = parse_service)]
    pub(super) services: Vec<ServiceAddress>,
    /// Maximum open connections; further ones are closed at once [default: 10000, less if there are
    /// fewer descriptors or little memory]
    #[arg(short, long, value_name = "N", value_parser = parse_count, env = "EPOLLO_MAX_CONNS")]
    pub(super) max_conns: Option<usize>,
    /// Maximum per client address
    #[arg(long, value_name = "N", value_parser = parse_count, env = "EPOLLO_PER_IP")]
    pub(super) per_ip: Option<usize>,
    /// Serve a live page of the event loop, with /metrics and /healthz [default ADDR:
    /// 127.0.0.1:7070]
    #[arg(
        long,
        value_name = "ADDR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = EXPLORE_DEFAULT,
        value_parser = parse_page_address,
        env = "EPOLLO_EXPLORE"
    )]
    pub(super) explore: Option<ListenAddress>,
    /// Length of the kernel's queue of connections not yet accepted
    #[arg(long, value_name = "N", default_value = "4096", value_parser = parse_backlog, env = "EPOLLO_BACKLOG")]
    pub(super) backlog: u32,
    /// Close a connection after this long without traffic; `none` = off
    #[arg(short, long, value_name = "T", default_value = "5m", value_parser = parse_limit, env = "EPOLLO_IDLE_TIMEOUT")]
    pub(super) idle_timeout: Limit,
    /// Close a connection that accepts no data for this long while some is waiting; `none` = off
    #[arg(long, value_name = "T", default_value = "30s", value_parser = parse_limit, env = "EPOLLO_WRITE_TIMEOUT")]
    pub(super) write_timeout: Limit,
    /// Maximum size of a chat message; a longer one is refused and its connection closed
    #[arg(long, value_name = "SIZE", default_value = "4k", value_parser = parse_message_size, env = "EPOLLO_MAX_MESSAGE")]
    pub(super) max_message: usize,
    /// Limit on unsent bytes over all connections; above it the slowest reader is dropped [default:
    /// 256M, less if there is little memory]
    #[arg(long, value_name = "SIZE", value_parser = parse_size, env = "EPOLLO_MAX_BUFFER")]
    pub(super) max_buffer: Option<usize>,
    /// Unsent bytes the kernel may keep per connection (TCP_NOTSENT_LOWAT); `kernel` = its own
    /// default
    #[arg(long, value_name = "SIZE", default_value = "128k", value_parser = parse_send_buffer, env = "EPOLLO_SEND_BUFFER")]
    pub(super) send_buffer: SendBuffer,
    /// After the first SIGINT, SIGTERM or SIGHUP, time to finish pending replies
    #[arg(long, value_name = "T", default_value = "5s", value_parser = parse_duration, env = "EPOLLO_GRACE")]
    pub(super) grace: Duration,
    /// Text that hello sends, with the escapes \n \r \t \0 \\ \xNN [default: Hello World!\0]
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "Hello World!\\0",
        hide_default_value = true,
        value_parser = parse_greeting,
        env = "EPOLLO_GREETING"
    )]
    pub(super) greeting: Greeting,
    /// A message that is exactly this word ends the conversation [default: chat QUIT, echo none]
    #[arg(long, value_name = "WORD", value_parser = parse_word, env = "EPOLLO_QUIT")]
    pub(super) quit: Option<String>,
    /// Show what echo clients send, escaped
    #[arg(long, value_parser = BoolishValueParser::new(), env = "EPOLLO_PRINT")]
    pub(super) print: bool,
    /// Who answers a chat client: this terminal, the next client, or an echo of its own messages
    #[arg(
        long,
        value_name = "WHO",
        default_value = "operator",
        env = "EPOLLO_CHAT_WITH"
    )]
    pub(super) chat_with: ChatWith,
    /// How chat messages are delimited: auto, line, nul, padded[:N] or chunk
    #[arg(long, default_value = "auto", env = "EPOLLO_FRAMING")]
    pub(super) framing: Framing,
    /// With pair: a client that does not start its first turn within T goes to the end of the queue, and
    /// its partner is matched again; `none` = off [default: 60s]
    #[arg(long, value_name = "T", value_parser = parse_limit, env = "EPOLLO_TURN_TIMEOUT")]
    pub(super) turn_timeout: Option<Limit>,
    /// Serve one client, then exit
    #[arg(long, value_parser = BoolishValueParser::new(), env = "EPOLLO_ONCE")]
    pub(super) once: bool,
    /// Busy-poll for up to T before blocking
    #[arg(long, value_name = "T", default_value = "0", value_parser = parse_duration, env = "EPOLLO_SPIN")]
    pub(super) spin: Duration,
    /// Let several processes listen on one port (SO_REUSEPORT)
    #[arg(long, value_parser = BoolishValueParser::new(), env = "EPOLLO_REUSE_PORT")]
    pub(super) reuse_port: bool,
    #[command(flatten)]
    pub(super) trace: TraceArguments,
}

impl ServeArguments {
    pub(super) fn serves(&self, protocol: Protocol) -> bool {
        let mut services = self.services.iter();
        services.any(|service| service.protocol == protocol)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ChatWith {
    Operator,
    Pair,
    Echo,
}
