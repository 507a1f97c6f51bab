//! What a process of this machine costs: CPU time, memory, context switches and system calls, its own
//! or those of a server that `--pid` names. It only looks; what the figures mean is not decided here.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;
use perf_event::events::Tracepoint;
use perf_event::{Builder, Counter};
use procfs::ProcError;
use procfs::process::{Process, Task};

use super::report::Cost;

/// Where the kernel says which number `raw_syscalls:sys_enter` has: the usual place and the older one.
const TRACEPOINT_FILES: [&str; 2] = [
    "/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
    "/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id",
];

/// A process that is watched.
#[derive(Debug)]
pub(super) struct Watch {
    process: Process,
    /// Runs while any of its threads does, and keeps the time of those that ended.
    clock: ClockId,
    command: String,
    /// One for each thread that there was; it counts those that its thread starts, too.
    syscalls: Vec<Counter>,
}

/// What a process had used up by a moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pid: u32,
    command: String,
    cpu: Duration,
    rss: u64,
    /// Voluntary and forced, of each thread that lives, by its id.
    switches: BTreeMap<i32, (u64, u64)>,
    syscalls: Option<u64>,
}

impl Watch {
    /// Watches a process, without its system calls.
    ///
    /// # Errors
    /// In words for the user: there is no such process, or it may not be looked at.
    pub(super) fn of(pid: u32) -> Result<Watch, String> {
        let absent = || format!("there is no process {pid}");
        let number = i32::try_from(pid).map_err(|_| absent())?;
        let refused = |error| {
            if let ProcError::NotFound(_) = error {
                return absent();
            }
            if let ProcError::PermissionDenied(_) = error {
                return format!(
                    "process {pid} is not ours to look at (run as its user or as root)"
                );
            }
            format!("cannot look at process {pid}: {error}")
        };
        let process = Process::new(number).map_err(refused)?;
        let status = process.status().map_err(refused)?;
        if status.tgid != number {
            return Err(format!("{pid} is a thread of process {}", status.tgid));
        }
        process.tasks().map_err(refused)?;
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(number))
            .map_err(|error| format!("cannot read the CPU time of process {pid}: {error}"))?;
        Ok(Watch {
            process,
            clock,
            command: status.name,
            syscalls: Vec::new(),
        })
    }

    /// Counts its system calls from here on, exactly. The kernel then takes a slower way into each, some
    /// 35 ns on a small VM, and a shorter one into every other call of the machine: CPU time is better
    /// measured without.
    ///
    /// # Errors
    /// In words for the user: why they cannot be counted.
    pub(super) fn count_syscalls(&mut self) -> Result<(), String> {
        let tracepoint = tracepoint()?;
        let count = |task: Task| {
            Builder::new(tracepoint)
                .observe_pid(task.tid)
                .any_cpu()
                .include_kernel()
                .inherit(true)
                .enabled(true)
                .build()
        };
        let refused =
            |error: &dyn std::fmt::Display| format!("system calls are not counted: {error}");
        let tasks = self.process.tasks().map_err(|error| refused(&error))?;
        let counters: io::Result<Vec<_>> = tasks.flatten().map(count).collect();
        self.syscalls = counters.map_err(|error| refused(&error))?;
        Ok(())
    }

    /// Counts them no longer.
    pub(super) fn count_no_syscalls(&mut self) {
        self.syscalls.clear();
    }

    /// The CPU time of all its threads since it began, exact to the nanosecond; those that ended count.
    /// One system call.
    pub(super) fn cpu(&self) -> io::Result<Duration> {
        Ok(Duration::from(self.clock.now()?))
    }

    /// All figures as they are now; about 0.2 ms, and 0.1 ms more for each further thread.
    ///
    /// # Errors
    /// Mostly that it has ended.
    pub(super) fn sample(&mut self) -> io::Result<Sample> {
        let tasks = self.process.tasks().map_err(|error| self.gone(error))?;
        let switches = tasks.flatten().filter_map(|task| {
            let status = task.status().ok()?;
            let voluntary = status.voluntary_ctxt_switches?;
            Some((task.tid, (voluntary, status.nonvoluntary_ctxt_switches?)))
        });
        let switches = switches.collect();
        let memory = self.process.statm().map_err(|error| self.gone(error))?;
        let mut syscalls = None;
        for counter in &mut self.syscalls {
            syscalls = Some(syscalls.unwrap_or(0) + counter.read()?);
        }
        Ok(Sample {
            pid: self.process.pid().unsigned_abs(),
            command: self.command.clone(),
            cpu: self.cpu()?,
            rss: memory.resident * procfs::page_size(),
            switches,
            syscalls,
        })
    }

    fn gone(&self, error: ProcError) -> io::Error {
        let ProcError::NotFound(_) = error else {
            return io::Error::other(error);
        };
        let (command, pid) = (&self.command, self.process.pid());
        let words = format!("{command} (process {pid}) has ended");
        io::Error::new(io::ErrorKind::NotFound, words)
    }
}

/// The tracepoint that every system call passes.
fn tracepoint() -> Result<Tracepoint, String> {
    let id = TRACEPOINT_FILES
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok());
    id.map(Tracepoint::with_id).ok_or_else(|| {
        "system calls are not counted: tracefs is not to be read \
         (as root: mount -t tracefs tracefs /sys/kernel/tracing)"
            .to_owned()
    })
}

impl Sample {
    /// What it used since an earlier sample of it, for so many echoes in so many seconds. Context
    /// switches of threads that ended meanwhile are not in it.
    pub(super) fn since(&self, earlier: &Sample, echoes: u64, seconds: f64) -> Cost {
        let per_echo = |amount: u64| {
            if echoes == 0 {
                0.0
            } else {
                amount as f64 / echoes as f64
            }
        };
        let cpu = self.cpu.saturating_sub(earlier.cpu);
        let cpu_ns = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
        let syscalls = self.syscalls.zip(earlier.syscalls);
        let syscalls = syscalls.map(|(now, then)| now.saturating_sub(then));
        let (voluntary, forced) = self.switches_since(earlier);
        Cost {
            pid: self.pid,
            command: self.command.clone(),
            cpu_ns,
            cpu_ns_per_echo: per_echo(cpu_ns),
            cpu_share: if seconds > 0.0 {
                cpu.as_secs_f64() / seconds
            } else {
                0.0
            },
            syscalls,
            syscalls_per_echo: syscalls.map(per_echo),
            context_switches_voluntary: voluntary,
            context_switches_forced: forced,
            rss_before: earlier.rss,
            rss: self.rss,
        }
    }

    fn switches_since(&self, earlier: &Sample) -> (u64, u64) {
        let mut sum = (0, 0);
        for (thread, (voluntary, forced)) in &self.switches {
            let then = earlier.switches.get(thread).copied().unwrap_or_default();
            sum.0 += voluntary.saturating_sub(then.0);
            sum.1 += forced.saturating_sub(then.1);
        }
        sum
    }
}
