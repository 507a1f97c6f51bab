//! What a run of `epollo bench` found, as it is printed, written and read back. The names of the
//! fields are those of `--json`; nothing is measured here.

use serde::{Deserialize, Serialize};

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    /// The version of epollo that made it.
    pub(super) epollo: String,
    /// `echo`, `chat` or `hello`.
    pub(super) service: String,
    /// The server's address.
    pub(super) address: String,
    /// What was asked for.
    pub(super) asked: Asked,
    /// How long it was measured, warm-up not counted.
    pub(super) seconds: f64,
    /// Verified echoes (chat: answers; hello: greetings) within that time.
    pub(super) echoes: u64,
    /// The same per second.
    pub(super) per_second: f64,
    /// Payload bytes that came back, per second.
    pub(super) bytes_per_second: f64,
    /// Requests that were never answered.
    pub(super) lost: u64,
    /// Answers that are not what was sent.
    pub(super) changed: u64,
    /// Answers that came more than once.
    pub(super) duplicated: u64,
    /// Answers that came on another connection than their request.
    pub(super) crossed: u64,
    /// Answers that came after a later one of the same connection.
    pub(super) reordered: u64,
    /// Connections that ended before their time, or never came to be.
    pub(super) broken: u64,
    /// What was wrong, in words; the first few of each kind.
    pub(super) wrong: Vec<String>,
    /// From when a request was due until its answer was here.
    pub(super) response_ns: Quantiles,
    /// From when it was sent until then.
    pub(super) service_ns: Quantiles,
    /// From when it was due until it was sent.
    pub(super) send_lag_ns: Quantiles,
    /// From the call of connect(2) until the connection stood.
    pub(super) connect_ns: Quantiles,
    /// What the load cost its generator.
    pub(super) generator: Cost,
    /// How long a turn of the generator's own loop took; what is measured is not surer than that.
    pub(super) turn_ns: Quantiles,
    /// What it cost the process named by `--pid`.
    pub(super) server: Option<Cost>,
    /// Its user ended it (Ctrl-C or SIGTERM) before it was complete.
    #[serde(default)]
    pub(super) interrupted: bool,
    /// Each reason to doubt the run; empty if there is none.
    pub(super) trust: Vec<String>,
    /// Second by second.
    pub(super) timeline: Vec<Second>,
    /// The percentile curve of `response_ns`: percentile (0 to 100) and nanoseconds.
    pub(super) curve: Vec<(f64, u64)>,
}

/// The settings of a run that decide what its figures mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Asked {
    /// Active connections.
    pub(super) connections: usize,
    /// Silent ones beside them.
    pub(super) idle: usize,
    /// Bytes of a request.
    pub(super) size: usize,
    /// Requests under way on one connection.
    pub(super) pipeline: usize,
    /// Requests a second, all together; none is a closed loop.
    pub(super) rate: Option<f64>,
    /// `fixed` or `poisson`, with a rate.
    pub(super) arrivals: Option<String>,
    /// Seconds to measure, unless a number of requests ends it.
    pub(super) duration: f64,
    /// That number.
    pub(super) requests: Option<u64>,
    /// Seconds before that.
    pub(super) warmup: f64,
    /// How chat messages are cut.
    pub(super) framing: Option<String>,
    /// The seed of payloads and arrivals.
    pub(super) seed: u64,
}

/// A distribution, in nanoseconds. All 0 where `count` is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Quantiles {
    pub(super) min: u64,
    pub(super) mean: f64,
    pub(super) p50: u64,
    pub(super) p90: u64,
    pub(super) p99: u64,
    pub(super) p999: u64,
    pub(super) max: u64,
    pub(super) count: u64,
}

/// What a process did while it was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cost {
    pub(super) pid: u32,
    /// Its command, as the kernel knows it.
    pub(super) command: String,
    /// CPU time of all its threads.
    pub(super) cpu_ns: u64,
    /// The same for one echo.
    pub(super) cpu_ns_per_echo: f64,
    /// Share of one core, 0 to 1 (above 1 with more threads).
    pub(super) cpu_share: f64,
    /// System calls, where the kernel lets us count them.
    pub(super) syscalls: Option<u64>,
    pub(super) syscalls_per_echo: Option<f64>,
    /// Where the kernel tells.
    pub(super) context_switches_voluntary: Option<u64>,
    pub(super) context_switches_forced: Option<u64>,
    /// Resident bytes before the connections came, and at the end of the measurement; where the kernel
    /// tells.
    pub(super) rss_before: Option<u64>,
    pub(super) rss: Option<u64>,
}

/// One second of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Second {
    /// Seconds since the measurement began, at its end.
    pub(super) at: f64,
    pub(super) echoes: u64,
    /// Of `response_ns`, for the answers of this second.
    pub(super) p50: u64,
    pub(super) p99: u64,
    pub(super) max: u64,
    /// The server's CPU time in it.
    pub(super) server_cpu_ns: Option<u64>,
}

/// What `epollo bench --ab` found: two servers loaded in turn, A B B A.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Duel {
    pub(super) a: String,
    pub(super) b: String,
    /// Blocks of each that count.
    pub(super) blocks: usize,
    /// Blocks that were measured again because something disturbed them.
    pub(super) discarded: usize,
    pub(super) ratios: Vec<Ratio>,
    /// The verdict in words, a line each.
    pub(super) verdict: Vec<String>,
    /// Its user ended it; the block that was measured then does not count.
    pub(super) interrupted: bool,
    /// Why the whole is to be doubted.
    pub(super) trust: Vec<String>,
    /// The runs themselves, as they went.
    pub(super) runs: Vec<Report>,
}

/// A figure of both servers, and the median of its ratio over all pairs of neighbouring blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Ratio {
    /// `per_second`, `server_cpu_ns_per_echo`, `response_p50`, `response_p99`, `response_p999`, ….
    pub(super) figure: String,
    /// The medians of both.
    pub(super) a: f64,
    pub(super) b: f64,
    /// B divided by A, with its 95 % interval: what the report for people shows.
    pub(super) b_to_a: f64,
    pub(super) b_to_a_low: f64,
    pub(super) b_to_a_high: f64,
    /// A divided by B, likewise.
    pub(super) ratio: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}
