//! What a run of `epollo bench` found, as it is printed, written and read back. The names of the
//! fields are those of `--json`; nothing is measured here.

use serde::{Deserialize, Serialize};

pub mod ab_test;
pub mod compare;
mod figures;
pub mod files;
pub mod html;
pub mod plot;
pub mod statistics;
pub mod table;
pub mod text;
pub mod units;
mod verdict;

/// The first reason to doubt a run that its user ended.
pub const INTERRUPTED: &str = "the run was interrupted before it was complete";

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of epollo that made it.
    pub epollo: String,
    /// `echo`, `chat` or `hello`.
    pub service: String,
    /// The server's address.
    pub address: String,
    /// What was asked for.
    pub asked: Asked,
    /// How long it was measured, warm-up not counted.
    pub seconds: f64,
    /// Verified echoes (chat: answers; hello: greetings) within that time.
    pub echoes: u64,
    /// The same per second.
    pub per_second: f64,
    /// Payload bytes that came back, per second.
    pub bytes_per_second: f64,
    /// Requests that were never answered.
    pub lost: u64,
    /// Answers and connections that were wrong.
    #[serde(flatten)]
    pub wrongs: Wrongs,
    /// What was wrong, in words; the first few of each kind.
    pub wrong: Vec<String>,
    /// From when a request was due until its answer was here.
    pub response_ns: Quantiles,
    /// From when it was sent until then.
    pub service_ns: Quantiles,
    /// From when it was due until it was sent.
    pub send_lag_ns: Quantiles,
    /// From the call of connect(2) until it was established.
    pub connect_ns: Quantiles,
    /// What the load cost its generator.
    pub generator: Cost,
    /// How long a turn of the generator's own loop took; what is measured is not surer than that.
    pub turn_ns: Quantiles,
    /// What it cost the process named by `--pid`.
    pub server: Option<Cost>,
    /// Its user ended it (Ctrl-C or SIGTERM) before it was complete.
    #[serde(default)]
    pub interrupted: bool,
    /// Each reason to doubt the run; empty if there is none.
    #[serde(rename = "trust")]
    pub warnings: Vec<String>,
    /// Second by second.
    pub timeline: Vec<Second>,
    /// The percentile curve of `response_ns`: percentile (0 to 100) and nanoseconds.
    pub curve: Vec<(f64, u64)>,
}

/// How many answers were wrong, by kind, and how many connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Wrongs {
    /// Answers that are not what was sent.
    pub changed: u64,
    /// Answers that came more than once.
    pub duplicated: u64,
    /// Answers that came on another connection than their request.
    pub crossed: u64,
    /// Answers that came after a later one of the same connection.
    pub reordered: u64,
    /// Connections that ended before their time, or never came to be.
    pub broken: u64,
}

/// The settings of a run that decide what its figures mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Active connections.
    pub connections: usize,
    /// Silent ones beside them.
    pub idle: usize,
    /// Bytes of a request.
    pub size: usize,
    /// Requests in flight on one connection.
    pub pipeline: usize,
    /// Total requests per second; none is a closed loop.
    pub rate: Option<f64>,
    /// `fixed` or `poisson`, with a rate.
    pub arrivals: Option<String>,
    /// Seconds to measure, unless a number of requests ends it.
    pub duration: f64,
    /// That number.
    pub requests: Option<u64>,
    /// Seconds before that.
    pub warmup: f64,
    /// How chat messages are delimited.
    pub framing: Option<String>,
    /// `pair` if the server matches clients: an answer has then gone through it twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_with: Option<String>,
    /// The seed of payloads and arrivals.
    pub seed: u64,
}

/// A distribution, in nanoseconds. All 0 where `count` is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// The smallest.
    pub min: u64,
    /// Of all.
    pub mean: f64,
    /// Half of them are no larger.
    pub p50: u64,
    /// The 90th percentile.
    pub p90: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The 99.9th percentile.
    pub p999: u64,
    /// The largest.
    pub max: u64,
    /// How many there are.
    pub count: u64,
}

/// The name of a percentile, and where it is.
type Percentile = (&'static str, fn(&Quantiles) -> u64);

impl Quantiles {
    /// The percentiles that a report shows, each with its name: a column of every table of them.
    pub const PERCENTILES: [Percentile; 4] = [
        ("p50", |quantiles| quantiles.p50),
        ("p90", |quantiles| quantiles.p90),
        ("p99", |quantiles| quantiles.p99),
        ("p99.9", |quantiles| quantiles.p999),
    ];
}

/// What a process did while it was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// The process.
    pub pid: u32,
    /// Its command, as the kernel knows it.
    pub command: String,
    /// CPU time of all its threads.
    pub cpu_ns: u64,
    /// The same for one echo.
    pub cpu_ns_per_echo: f64,
    /// Share of one core, 0 to 1 (above 1 with more threads).
    pub cpu_share: f64,
    /// System calls, where the kernel lets us count them.
    pub syscalls: Option<u64>,
    /// System calls, where they can be counted.
    pub syscalls_per_echo: Option<f64>,
    /// Where the kernel says so.
    pub context_switches_voluntary: Option<u64>,
    /// Those that the scheduler forced (involuntary).
    pub context_switches_forced: Option<u64>,
    /// Resident bytes before the connections came, and at the end of the measurement; where the kernel
    /// says so.
    pub rss_before: Option<u64>,
    /// Resident memory, in bytes.
    pub rss: Option<u64>,
}

/// One second of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Seconds since the measurement began, at its end.
    pub at: f64,
    /// Verified echoes of this second.
    pub echoes: u64,
    /// Of `response_ns`, for the answers of this second.
    pub p50: u64,
    /// The 99th percentile of their response times, in nanoseconds.
    pub p99: u64,
    /// The slowest of them, in nanoseconds.
    pub max: u64,
    /// The server's CPU time in it.
    pub server_cpu_ns: Option<u64>,
}

/// A part of a run and how long it was.
#[derive(Clone, Copy, Debug)]
struct Slice {
    seconds: f64,
    second: Second,
}

/// The parts of a run that are longer than so many seconds: what is left at its end may be too short to
/// stand for itself.
fn slices(timeline: impl IntoIterator<Item = Second>, shortest: f64) -> Vec<Slice> {
    let mut began = 0.0;
    let slices = timeline.into_iter().map(|second| {
        let seconds = second.at - std::mem::replace(&mut began, second.at);
        Slice { seconds, second }
    });
    slices.filter(|slice| slice.seconds > shortest).collect()
}

/// What `epollo bench --ab` found: two servers loaded in turn, A B B A.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AbTest {
    /// The address of A.
    pub a: String,
    /// The address of B.
    pub b: String,
    /// Blocks of each that count.
    pub blocks: usize,
    /// Blocks that were measured again because something disturbed them.
    pub discarded: usize,
    /// One for each figure.
    pub ratios: Vec<Ratio>,
    /// The verdict in words, a line each.
    pub verdict: Vec<String>,
    /// Its user ended it; the block that was measured then does not count.
    pub interrupted: bool,
    /// Why the whole is to be doubted.
    #[serde(rename = "trust")]
    pub warnings: Vec<String>,
    /// The runs themselves, as they went.
    pub runs: Vec<Report>,
}

/// A figure of both servers, and the median of its ratio over all pairs of neighbouring blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// `per_second`, `server_cpu_ns_per_echo`, `response_p50`, `response_p99`, `response_p999`, ….
    pub figure: String,
    /// The medians of both.
    pub a: f64,
    /// The median of B.
    pub b: f64,
    /// B divided by A, with its 95 % interval: what the report for people shows.
    pub b_to_a: f64,
    /// The lower end of its 95 % interval.
    pub b_to_a_low: f64,
    /// The upper end.
    pub b_to_a_high: f64,
    /// A divided by B, likewise.
    pub ratio: f64,
    /// The lower end of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}
