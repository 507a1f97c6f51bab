//! The reasons to doubt a run: what the machine did meanwhile, and what the figures themselves give
//! away. It makes sentences of them; whether a run counts is decided by who asks.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::time::Instant;

use procfs::{CurrentSI, KernelStats};

use super::cost;
use super::payload::NAME_BYTES;
use super::plan::{End, Plan, Workload};
use crate::report::Report;

/// The share of all CPU time that the hypervisor may keep before a run is to be doubted.
const STEAL_SHARE_MAX: f64 = 0.01;
/// The share of one core that other processes may take before a run is to be doubted.
const OTHERS_SHARE_MAX: f64 = 0.05;
/// The share of one core from which a process is taken to be at its limit.
const GENERATOR_SHARE_MAX: f64 = 0.95;
const SERVER_SHARE_MIN: f64 = 0.90;
/// Below this many answers, fewer than ten are slower than the 99.9th percentile.
const ANSWERS_MIN: u64 = 10_000;
/// Seconds that caches, TCP windows and the clock of the CPU get to settle.
const WARMUP_MIN: f64 = 1.0;

/// The kernel's counters of what goes wrong on the network: the file, the protocol in it, the name, and
/// what it says of a run.
const NETWORK: [(&str, &str, &str, &str); 4] = [
    (
        "/proc/net/snmp",
        "Tcp:",
        "RetransSegs",
        "segments were retransmitted: lost data waited for a kernel timer, not for the server",
    ),
    (
        "/proc/net/netstat",
        "TcpExt:",
        "TCPTimeouts",
        "retransmission timers expired: each added 200 ms or more to the latency of some request",
    ),
    (
        "/proc/net/netstat",
        "TcpExt:",
        "ListenOverflows",
        "connections hit a full accept queue: they were established a second later or not at all",
    ),
    (
        "/proc/net/netstat",
        "TcpExt:",
        "ListenDrops",
        "connection attempts were dropped by a listener: they succeeded a second later or not at \
         all",
    ),
];

/// The machine at one time: counters that only grow.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    at: Instant,
    /// Packets dropped because the queue of a CPU was full.
    dropped: Option<u64>,
    network: [Option<u64>; NETWORK.len()],
    /// Ticks of all CPUs: stolen, and all together.
    steal: Option<(u64, u64)>,
    /// Ticks of every process that is neither ours nor the server: its own and its ended children's.
    others: BTreeMap<i32, (String, u64)>,
}

impl Machine {
    /// Looks at it; some 10 ms with a few hundred processes, so not while something is measured.
    /// `server` is the process that is loaded, if it is known and of this machine.
    pub(super) fn look(server: Option<u32>) -> Machine {
        Machine {
            at: Instant::now(),
            dropped: dropped(),
            network: NETWORK.map(|(file, protocol, name, _)| counter(file, protocol, name)),
            steal: steal(),
            others: others(server),
        }
    }

    /// What happened since an earlier look that may have changed the figures, a sentence each.
    pub(super) fn warnings(&self, earlier: &Machine) -> Vec<String> {
        if !cost::is_proc_mounted() {
            return vec![
                "there is no /proc here: memory, context switches and the load from other \
                 processes are unknown"
                    .to_owned(),
            ];
        }
        let mut warnings = Vec::new();
        match grown(self.dropped, earlier.dropped) {
            Some(0) => {}
            Some(count) => warnings.push(format!(
                "{count} packets were dropped because a CPU's receive queue was full: lost data \
                 waited for a kernel timer, not for the server"
            )),
            None => warnings.push(unknown("dropped packets", "/proc/net/softnet_stat")),
        }
        let counters = NETWORK
            .iter()
            .zip(self.network.iter().zip(&earlier.network));
        for ((file, _, name, means), (now, then)) in counters {
            match grown(*now, *then) {
                Some(0) => {}
                Some(count) => warnings.push(format!("{count} {means} ({name})")),
                None => warnings.push(unknown(name, file)),
            }
        }
        if let Some(share) = self
            .stolen(earlier)
            .filter(|&share| share > STEAL_SHARE_MAX)
        {
            warnings.push(format!(
                "the hypervisor gave {:.1} % of the CPU time to other virtual machines (steal): every figure \
                 is worse than on an idle host",
                share * 100.0
            ));
        }
        warnings.extend(self.company(earlier));
        warnings
    }

    /// The share of the CPU time that was stolen since.
    fn stolen(&self, earlier: &Machine) -> Option<f64> {
        let (now, then) = self.steal.zip(earlier.steal)?;
        let all = now.1.saturating_sub(then.1);
        (all > 0).then(|| now.0.saturating_sub(then.0) as f64 / all as f64)
    }

    /// Other processes that took notable CPU time. All ticks together are compared, as those of a
    /// process that ended are then its parent's.
    fn company(&self, earlier: &Machine) -> Option<String> {
        let sum = |machine: &Machine| machine.others.values().map(|(_, ticks)| ticks).sum::<u64>();
        let seconds = self.at.saturating_duration_since(earlier.at).as_secs_f64();
        let per_second = procfs::ticks_per_second() as f64;
        let share = |ticks: u64| ticks as f64 / per_second / seconds.max(f64::MIN_POSITIVE);
        let all = share(sum(self).saturating_sub(sum(earlier)));
        if all <= OTHERS_SHARE_MAX {
            return None;
        }
        let taken = self.others.iter().map(|(pid, (name, ticks))| {
            let then = earlier.others.get(pid).map_or(0, |(_, ticks)| *ticks);
            (ticks.saturating_sub(then), name, pid)
        });
        let (ticks, name, pid) = taken.max()?;
        Some(format!(
            "other processes took {:.0} % of a core, most of it by {name} \
             (process {pid}, {:.0} %): \
             they delay the server and the load",
            all * 100.0,
            share(ticks) * 100.0
        ))
    }
}

/// Whether something happened in between for which a block of a comparison is measured again.
pub(super) fn disturbs(earlier: &Machine, later: &Machine) -> bool {
    let has_grown = |now, then| grown(now, then).is_some_and(|count| count > 0);
    let mut counters = later.network.iter().zip(&earlier.network);
    has_grown(later.dropped, earlier.dropped)
        || counters.any(|(now, then)| has_grown(*now, *then))
        || later
            .stolen(earlier)
            .is_some_and(|share| share > STEAL_SHARE_MAX)
}

fn unknown(what: &str, file: &str) -> String {
    format!("{file} does not count {what} on this machine: such trouble would go unnoticed")
}

fn grown(now: Option<u64>, then: Option<u64>) -> Option<u64> {
    Some(now?.saturating_sub(then?))
}

/// The second column of each CPU's line, in hexadecimal (net/core/net-procfs.c).
fn dropped() -> Option<u64> {
    let text = read_to_string("/proc/net/softnet_stat").ok()?;
    let column = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    text.lines().map(column).sum()
}

/// A counter of a file with two lines for each protocol: names, then values (proc(5)).
fn counter(file: &str, protocol: &str, name: &str) -> Option<u64> {
    let text = read_to_string(file).ok()?;
    let mut lines = text.lines().filter(|line| line.starts_with(protocol));
    let (names, values) = (lines.next()?, lines.next()?);
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    value.parse().ok()
}

fn steal() -> Option<(u64, u64)> {
    let time = KernelStats::current().ok()?.total;
    let steal = time.steal?;
    let waiting = [time.iowait, time.irq, time.softirq].map(Option::unwrap_or_default);
    let all = time.user + time.nice + time.system + time.idle + waiting.iter().sum::<u64>();
    Some((steal, all + steal))
}

fn others(server: Option<u32>) -> BTreeMap<i32, (String, u64)> {
    let spared = [Some(std::process::id()), server];
    let processes = procfs::process::all_processes()
        .into_iter()
        .flatten()
        .flatten();
    let ticks = processes.filter_map(|process| {
        let stat = process.stat().ok()?;
        let is_spared = spared.contains(&Some(stat.pid.unsigned_abs()));
        let ticks = stat.utime + stat.stime;
        (!is_spared).then_some((stat.pid, (stat.comm, ticks)))
    });
    ticks.collect()
}

/// A warning that follows from what was asked and found, if it does.
type Warning = fn(&Plan, &Report) -> Option<String>;

/// The warnings that follow from the run itself.
pub(super) fn of_run(plan: &Plan, report: &Report) -> Vec<String> {
    let all: [Warning; 6] = [
        generator_saturated,
        server_not_saturated,
        few_answers,
        short_warmup,
        small_payload,
        behind,
    ];
    let warnings = all.iter().filter_map(|warning| warning(plan, report));
    warnings.collect()
}

/// The load is as fast as the generator, so that the server's latency is not seen: it waits in ours.
/// One that spins takes a whole core anyway; its send lag shows whether it kept up.
fn generator_saturated(plan: &Plan, report: &Report) -> Option<String> {
    let share = report.generator.cpu_share;
    let is_saturated = plan.spin.is_zero() && share > GENERATOR_SHARE_MAX;
    is_saturated.then(|| {
        format!(
            "the generator used {:.0} % of a core: the throughput is its own limit, and the \
             latency includes its own queue (use fewer connections or a lower rate)",
            share * 100.0
        )
    })
}

/// Without a rate, throughput is asked for: it is the server's limit only if the server was busy.
fn server_not_saturated(plan: &Plan, report: &Report) -> Option<String> {
    let share = report.server.as_ref()?.cpu_share;
    let is_idle = plan.rate.is_none() && share < SERVER_SHARE_MIN;
    is_idle.then(|| {
        format!(
            "the server used {:.0} % of a core: the throughput is what this load asked for, not \
             the server's maximum (use more connections or a deeper pipeline)",
            share * 100.0
        )
    })
}

/// With fewer answers, the high percentiles are single answers.
fn few_answers(_: &Plan, report: &Report) -> Option<String> {
    let count = report.echoes;
    (1..ANSWERS_MIN).contains(&count).then(|| {
        format!(
            "p99.9 rests on the slowest {} of {count} answers: it may differ a lot in another run \
             (measure longer, for at least {ANSWERS_MIN} answers)",
            count.div_ceil(1_000)
        )
    })
}

/// What settles in the first second would be measured.
fn short_warmup(plan: &Plan, _: &Report) -> Option<String> {
    let seconds = plan.warmup.as_secs_f64();
    (plan.warns_of_warmup && seconds < WARMUP_MIN).then(|| {
        format!(
            "{seconds} s of warm-up is short: caches, TCP windows and the CPU clock may still have \
             been settling during the measurement (use at least {WARMUP_MIN} s)"
        )
    })
}

/// A payload must hold the connection and the number of its request.
fn small_payload(plan: &Plan, _: &Report) -> Option<String> {
    let size = plan.size;
    (plan.service != Workload::Hello && size < NAME_BYTES).then(|| {
        format!(
            "{size} bytes cannot hold a request number: lost, duplicated and crossed answers may \
             be reported as changed or mistaken for one another (use at least {NAME_BYTES} bytes)"
        )
    })
}

/// Less was sent than was due: nobody waited for what was never asked.
fn behind(plan: &Plan, report: &Report) -> Option<String> {
    let due = plan.rate? * report.seconds;
    let missing = due - (report.echoes + report.lost) as f64;
    let is_behind = missing > 0.01 * due && report.echoes > 0;
    (is_behind && matches!(plan.end, End::After(_))).then(|| {
        format!(
            "{missing:.0} of {due:.0} scheduled requests were never sent: the server cannot keep \
             up with this rate, and latency grows throughout the run"
        )
    })
}
