//! The options of `epollo bench`. What they lead to is in `plan.rs`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};

use super::super::trace::TraceArguments;
use super::super::values::{parse_count, parse_duration};
use super::fail_if::{Condition, parse_condition};
use super::values::{Pids, parse_payload_size, parse_pids, parse_rate, parse_requests};
use crate::load::plan::{Arrivals, ChatPartner};
use crate::load::sources::{Sources, parse_sources};
use crate::protocol::framing::Framing;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct BenchArguments {
    #[command(subcommand)]
    pub(super) command: Option<BenchCommand>,
    /// echo, chat (a server that answers with the same text) or hello [default: echo], and its
    /// address: PORT, IP:PORT, [IPV6]:PORT or NAME:PORT
    #[arg(value_name = "SERVICE] [ADDR", num_args = 0..=2)]
    pub(super) target: Vec<String>,
    /// Load two servers alternately (A B B A) and report the ratio of their results, B/A
    #[arg(long, num_args = 2, value_delimiter = ',', value_names = ["ADDR1", "ADDR2"], env = "EPOLLO_AB")]
    pub(super) ab: Option<Vec<String>>,
    #[command(flatten)]
    pub(super) load: LoadArguments,
    #[command(flatten)]
    pub(super) report: ReportArguments,
    #[command(flatten)]
    pub(super) trace: TraceArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Compare two runs saved with --json
    Compare {
        /// The baseline: a file written with --json
        a: PathBuf,
        /// The run to compare with the baseline
        b: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(super) struct LoadArguments {
    /// Active connections (hello: concurrent ones)
    #[arg(short, long, value_name = "N", default_value = "50", value_parser = parse_count, env = "EPOLLO_CONNECTIONS")]
    pub(super) connections: usize,
    /// How long to measure, at least 100ms [default: 10s]
    #[arg(short, long, value_name = "T", value_parser = parse_duration, env = "EPOLLO_DURATION")]
    pub(super) duration: Option<Duration>,
    /// Stop after N requests in total instead (waits 5 s for the last replies)
    #[arg(short = 'n', long, value_name = "N", value_parser = parse_requests, env = "EPOLLO_REQUESTS")]
    pub(super) requests: Option<u64>,
    /// Bytes per request
    #[arg(short, long, value_name = "SIZE", default_value = "64", value_parser = parse_payload_size, env = "EPOLLO_SIZE")]
    pub(super) size: usize,
    /// Requests in flight per connection (echo)
    #[arg(short = 'P', long, value_name = "N", default_value = "1", value_parser = parse_count, env = "EPOLLO_PIPELINE")]
    pub(super) pipeline: usize,
    /// Total requests per second, sent on schedule whether or not replies arrive (open loop)
    #[arg(short = 'R', long, value_name = "N", value_parser = parse_rate, env = "EPOLLO_RATE")]
    pub(super) rate: Option<f64>,
    /// Spacing of requests: even, or random as from independent clients
    #[arg(
        long,
        value_name = "HOW",
        default_value = "fixed",
        env = "EPOLLO_ARRIVALS"
    )]
    pub(super) arrivals: Arrivals,
    /// Connections opened per second [default: as fast as possible]
    #[arg(long, value_name = "N", value_parser = parse_rate, env = "EPOLLO_CONNECT_RATE")]
    pub(super) connect_rate: Option<f64>,
    /// Additional idle connections
    #[arg(long, value_name = "N", default_value = "0", env = "EPOLLO_IDLE")]
    pub(super) idle: usize,
    /// Warm-up before measuring [default: 2s; none with --requests]
    #[arg(long, value_name = "T", value_parser = parse_duration, env = "EPOLLO_WARMUP")]
    pub(super) warmup: Option<Duration>,
    /// Local addresses to connect from: A,B or a range such as 127.0.0.0/8
    #[arg(long, value_name = "A,B|RANGE", value_parser = parse_sources, env = "EPOLLO_SOURCE_IP")]
    pub(super) source_ip: Option<Sources>,
    /// How chat messages are delimited: line, nul, padded[:N] or chunk
    #[arg(long, default_value = "line", env = "EPOLLO_FRAMING")]
    pub(super) framing: Framing,
    /// Who answers a chat client: the server, or a second connection that the server matches with it
    #[arg(
        long,
        value_name = "WHO",
        default_value = "echo",
        env = "EPOLLO_CHAT_WITH"
    )]
    pub(super) chat_with: ChatPartner,
    /// Seed for payloads and arrivals
    #[arg(long, value_name = "N", default_value = "1", env = "EPOLLO_SEED")]
    pub(super) seed: u64,
    /// Busy-poll for up to T before blocking [default: 0; with --rate, always]
    #[arg(long, value_name = "T", value_parser = parse_duration, env = "EPOLLO_SPIN")]
    pub(super) spin: Option<Duration>,
    /// PID of the local server: report its CPU and memory (with --ab: PID1,PID2)
    #[arg(long, value_name = "PID", value_parser = parse_pids, env = "EPOLLO_PID")]
    pub(super) pid: Option<Pids>,
    /// With --ab: blocks of each server, each of --duration [default: 10, of 2s]
    #[arg(long, value_name = "N", default_value = "10", value_parser = parse_count, requires = "ab", env = "EPOLLO_BLOCKS")]
    pub(super) blocks: usize,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Report")]
pub(super) struct ReportArguments {
    /// Print one JSON object
    #[arg(long, value_parser = BoolishValueParser::new(), env = "EPOLLO_JSON")]
    pub(super) json: bool,
    /// Write per-second results
    #[arg(long, value_name = "FILE", env = "EPOLLO_CSV")]
    pub(super) csv: Option<PathBuf>,
    /// Write the response times as an HdrHistogram percentile distribution, in microseconds
    #[arg(long, value_name = "FILE", env = "EPOLLO_HDR")]
    pub(super) hdr: Option<PathBuf>,
    /// Write an HTML page with plots
    #[arg(long, value_name = "FILE", env = "EPOLLO_HTML")]
    pub(super) html: Option<PathBuf>,
    /// Exit with 1 if this condition holds, such as 'p99>2ms'; may be repeated
    #[arg(long, value_name = "CONDITION", value_parser = parse_condition, env = "EPOLLO_FAIL_IF")]
    pub(super) fail_if: Vec<Condition>,
}
