//! The command line: which options there are, and one line for one that is wrong. What a single
//! value means is in `values.rs`; what they lead to is not here.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use log::LevelFilter;

use super::bench::args::BenchArguments;
use super::trace::args::TraceArguments;
use super::values::{
    Greeting, Limit, local, parse_address, parse_backlog, parse_clients, parse_count,
    parse_duration, parse_greeting, parse_level, parse_limit, parse_message_size,
    parse_remote_port, parse_seed, parse_seeds, parse_service, parse_size, parse_steps, parse_word,
};
use crate::protocol::framing::Framing;

/// Where the explorer page is, if nobody says where.
const EXPLORE_DEFAULT: &str = "127.0.0.1:7070";

/// `--explore ADDR` as `--explore=ADDR`, where ADDR looks like an address: what follows may also be a
/// service.
pub(super) fn with_equals(
    arguments: impl Iterator<Item = OsString>,
) -> impl Iterator<Item = OsString> {
    let mut arguments = arguments.peekable();
    std::iter::from_fn(move || {
        let argument = arguments.next()?;
        let is_address = |next: &OsString| {
            let first = next.as_encoded_bytes().first();
            first.is_some_and(|byte| byte.is_ascii_digit() || *byte == b'[')
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
    /// Say more: -v totals at the end, -vv each connection that comes, -vvv each that goes
    #[arg(short, long, global = true, action = ArgAction::Count, env = "EPOLLO_VERBOSE")]
    verbose: u8,
    /// Say only what failed
    #[arg(short, long, global = true, value_parser = BoolishValueParser::new(), env = "EPOLLO_QUIET")]
    quiet: bool,
    /// off, error, warn, info, debug or trace; goes before -v, -q and RUST_LOG
    #[arg(long, global = true, value_name = "LEVEL", value_parser = parse_level, env = "EPOLLO_LOG_LEVEL")]
    log_level: Option<LevelFilter>,
    /// Colours on standard error; NO_COLOR is respected
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        env = "EPOLLO_COLOR"
    )]
    pub(super) color: When,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
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
    Echo(ClientArguments),
    /// Talk in turns; you speak first
    Chat(ChatArguments),
    /// Load a server, verify every answer, and tell how fast it was
    Bench(Box<BenchArguments>),
    /// Run the server on a simulated, misbehaving kernel
    Sim(SimArguments),
}

#[derive(Debug, Args)]
pub(super) struct SimArguments {
    /// The seeds to run, B not among them [default: 0..100, without end if there are --steps]
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    pub(super) seeds: Option<Range<u64>>,
    /// No further seed once so many steps are done; 100M is 100 million
    #[arg(long, value_name = "N", value_parser = parse_steps)]
    pub(super) steps: Option<u64>,
    /// This seed alone; with -v every step is told
    #[arg(long, value_name = "N", value_parser = parse_seed, conflicts_with_all = ["seeds", "steps"])]
    pub(super) seed: Option<u64>,
    /// Clients of each seed
    #[arg(long, value_name = "N", default_value = "2000", value_parser = parse_clients)]
    pub(super) clients: usize,
    /// Fail also if a fault that can be injected never was
    #[arg(long)]
    pub(super) all_faults: bool,
    /// Instead: so many echo clients at once, without faults, to see what each costs
    #[arg(long, value_name = "N", value_parser = parse_clients, conflicts_with_all = ["seeds", "steps", "seed", "clients", "all_faults"])]
    pub(super) open: Option<usize>,
}

/// Whom a client connects to.
#[derive(Debug, Args)]
pub(super) struct ServerAddress {
    /// A name or an address
    pub(super) host: String,
    /// 1 to 65535
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
pub(super) struct ChatArguments {
    #[command(flatten)]
    pub(super) server: ServerAddress,
    /// How messages are cut: auto, line, nul, padded[:N] or chunk
    #[arg(long, default_value = "padded:1024", env = "EPOLLO_FRAMING")]
    pub(super) framing: Framing,
    /// The message that ends the talk
    #[arg(long, value_name = "WORD", default_value = "QUIT", value_parser = parse_word, env = "EPOLLO_QUIT")]
    pub(super) quit: String,
    #[command(flatten)]
    pub(super) trace: TraceArguments,
}

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// hello, echo or chat, where =ADDR is PORT, IP:PORT or [IPV6]:PORT; a PORT binds 127.0.0.1
    /// and 0 takes any free one [default: hello=9190 echo=12345 chat=5000]
    #[arg(value_name = "SERVICE[=ADDR]", value_parser = parse_service)]
    pub(super) services: Vec<ServiceAddress>,
    /// Open connections; one more is turned away [default: 10000, less if the fd limit is lower]
    #[arg(short, long, value_name = "N", value_parser = parse_count, env = "EPOLLO_MAX_CONNS")]
    pub(super) max_conns: Option<usize>,
    /// Open connections per client address
    #[arg(long, value_name = "N", value_parser = parse_count, env = "EPOLLO_PER_IP")]
    pub(super) per_ip: Option<usize>,
    /// A page that shows the loop at work, live, with /metrics and /healthz [default ADDR: 127.0.0.1:7070]
    #[arg(
        long,
        value_name = "ADDR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = EXPLORE_DEFAULT,
        value_parser = parse_address,
        env = "EPOLLO_EXPLORE"
    )]
    pub(super) explore: Option<SocketAddr>,
    /// Connections that the kernel keeps until they are accepted
    #[arg(long, value_name = "N", default_value = "4096", value_parser = parse_backlog, env = "EPOLLO_BACKLOG")]
    pub(super) backlog: u32,
    /// Nothing received and nothing sent for this long: closed; `none` = off
    #[arg(short, long, value_name = "T", default_value = "5m", value_parser = parse_limit, env = "EPOLLO_IDLE_TIMEOUT")]
    pub(super) idle_timeout: Limit,
    /// Bytes wait and the peer takes none for this long: closed; `none` = off
    #[arg(long, value_name = "T", default_value = "30s", value_parser = parse_limit, env = "EPOLLO_WRITE_TIMEOUT")]
    pub(super) write_timeout: Limit,
    /// A longer chat message is refused and its connection closed
    #[arg(long, value_name = "SIZE", default_value = "4k", value_parser = parse_message_size, env = "EPOLLO_MAX_MESSAGE")]
    pub(super) max_message: usize,
    /// All unsent bytes together; beyond it the worst slow reader goes first
    #[arg(long, value_name = "SIZE", value_parser = parse_size, env = "EPOLLO_MAX_BUFFER")]
    pub(super) max_buffer: Option<usize>,
    /// On the first SIGINT or SIGTERM: how long to answer what was read
    #[arg(long, value_name = "T", default_value = "5s", value_parser = parse_duration, env = "EPOLLO_GRACE")]
    pub(super) grace: Duration,
    /// What hello says; \n \r \t \0 \\ \xNN are understood [default: Hello World!\0]
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
    /// Who answers a chat client: this terminal, the next client, or a parrot
    #[arg(
        long,
        value_name = "WHO",
        default_value = "operator",
        env = "EPOLLO_CHAT_WITH"
    )]
    pub(super) chat_with: ChatWith,
    /// How chat messages are cut: auto, line, nul, padded[:N] or chunk
    #[arg(long, default_value = "auto", env = "EPOLLO_FRAMING")]
    pub(super) framing: Framing,
    /// Serve one client, then exit
    #[arg(long, value_parser = BoolishValueParser::new(), env = "EPOLLO_ONCE")]
    pub(super) once: bool,
    /// Look again without sleeping for up to T before blocking
    #[arg(long, value_name = "T", default_value = "0", value_parser = parse_duration, env = "EPOLLO_SPIN")]
    pub(super) spin: Duration,
    /// Let several processes listen on one port (SO_REUSEPORT)
    #[arg(long, value_parser = BoolishValueParser::new(), env = "EPOLLO_REUSE_PORT")]
    pub(super) reuse_port: bool,
    #[command(flatten)]
    pub(super) trace: TraceArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ChatWith {
    Operator,
    Pair,
    Echo,
}

/// A protocol that can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Hello,
    Echo,
    Chat,
}

impl Protocol {
    pub(super) const ALL: [Protocol; 3] = [Protocol::Hello, Protocol::Echo, Protocol::Chat];

    pub(super) fn name(self) -> &'static str {
        match self {
            Protocol::Hello => "hello",
            Protocol::Echo => "echo",
            Protocol::Chat => "chat",
        }
    }

    pub(super) fn default_address(self) -> SocketAddr {
        let port = match self {
            Protocol::Hello => 9190,
            Protocol::Echo => 12345,
            Protocol::Chat => 5000,
        };
        local(port)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct ServiceAddress {
    pub(super) protocol: Protocol,
    pub(super) address: SocketAddr,
}

/// What clap has to say, without its paragraphs.
pub(super) fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:"))
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let line = lines.collect::<Vec<_>>().join(" ").replace(" tip: ", "; ");
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    let is_bare = matches!(
        error.kind(),
        clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | clap::error::ErrorKind::MissingSubcommand
    );
    if is_bare {
        return "what shall it do? (try epollo serve, or epollo --help)".to_owned();
    }
    match variable_of(error) {
        Some(name) => format!("{line} (from the environment variable {name})"),
        None => line.to_owned(),
    }
}

/// The environment variable that a refused value came from, if it came from one.
fn variable_of(error: &clap::Error) -> Option<String> {
    let refused = error
        .get(clap::error::ContextKind::InvalidValue)?
        .to_string();
    // Neither the arguments nor the environment need be UTF-8.
    let ends_so = |argument: OsString| argument.to_string_lossy().ends_with(&refused);
    if std::env::args_os().any(ends_so) {
        return None;
    }
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .find(|(name, value)| name.starts_with("EPOLLO_") && *value == refused)
        .map(|(name, _)| name)
}
