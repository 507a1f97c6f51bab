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

use crate::report::Cost;

/// Where the kernel says which number `raw_syscalls:sys_enter` has: the usual place and the older one.
const TRACEPOINT_FILES: [&str; 2] = [
    "/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
    "/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id",
];

/// A process that is watched.
#[derive(Debug)]
pub(super) struct Watch {
    pid: u32,
    /// None where there is no /proc.
    process: Option<Process>,
    /// Runs while any of its threads does, and keeps the time of those that ended.
    clock: ClockId,
    command: String,
    /// One for each thread that there was; it counts those that its thread starts, too.
    syscalls: Vec<Counter>,
}

/// What a process had used at one time.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pid: u32,
    command: String,
    cpu: Duration,
    rss: Option<u64>,
    /// Voluntary and involuntary, of each thread that lives, by its id; none if the kernel does not
    /// tell.
    switches: Option<BTreeMap<i32, (u64, u64)>>,
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
        let (process, command) = match is_proc_mounted() {
            true => {
                let (process, command) = look_at(number)?;
                (Some(process), command)
            }
            false => (None, command_unknown(number)),
        };
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(number)).map_err(|_| absent())?;
        Ok(Watch {
            pid,
            process,
            clock,
            command,
            syscalls: Vec::new(),
        })
    }

    /// Which of its figures cannot be known here, in words. Where there is no /proc at all, who asks for
    /// the machine says so.
    pub(super) fn missing(&mut self) -> Vec<String> {
        let Some((sample, _)) = self.sample().ok().zip(self.process.as_ref()) else {
            return Vec::new();
        };
        let (command, pid) = (&self.command, self.pid);
        let of = format!("of {command} (process {pid})");
        let memory = sample.rss.is_none().then_some(("memory", "is", "statm"));
        let switches = ("context switches", "are", "status");
        let switches = sample.switches.is_none().then_some(switches);
        let missing = memory.into_iter().chain(switches);
        let words = missing.map(|(what, verb, file)| {
            format!("the {what} {of} {verb} unknown: /proc/{pid}/{file} does not show it")
        });
        words.collect()
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
        let process = self.process.as_ref();
        let process = process.ok_or_else(|| refused(&"there is no /proc"))?;
        let tasks = process.tasks().map_err(|error| refused(&error))?;
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
        let (rss, switches) = match &self.process {
            Some(process) => (self.rss(process)?, self.switches(process)?),
            None => (None, None),
        };
        let mut syscalls = None;
        for counter in &mut self.syscalls {
            syscalls = Some(syscalls.unwrap_or(0) + counter.read()?);
        }
        Ok(Sample {
            pid: self.pid,
            command: self.command.clone(),
            cpu: self.cpu()?,
            rss,
            switches,
            syscalls,
        })
    }

    fn rss(&self, process: &Process) -> io::Result<Option<u64>> {
        let memory = self.unless_gone(process.statm())?;
        Ok(memory.map(|memory| memory.resident * procfs::page_size()))
    }

    fn switches(&self, process: &Process) -> io::Result<Option<BTreeMap<i32, (u64, u64)>>> {
        let tasks = self.unless_gone(process.tasks())?;
        let of = |task: Task| {
            let status = task.status().ok()?;
            let voluntary = status.voluntary_ctxt_switches?;
            Some((task.tid, (voluntary, status.nonvoluntary_ctxt_switches?)))
        };
        let switches: BTreeMap<_, _> = tasks
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(of)
            .collect();
        Ok(Some(switches).filter(|switches| !switches.is_empty()))
    }

    /// None is not known here; an error is that the process has ended.
    fn unless_gone<T>(&self, looked: Result<T, ProcError>) -> io::Result<Option<T>> {
        let (Err(ProcError::NotFound(_)), Err(_)) = (&looked, self.cpu()) else {
            return Ok(looked.ok());
        };
        let (command, pid) = (&self.command, self.pid);
        let words = format!("{command} (process {pid}) has ended");
        Err(io::Error::new(io::ErrorKind::NotFound, words))
    }
}

/// Whether this machine shows its processes as files (proc(5)).
pub(super) fn is_proc_mounted() -> bool {
    std::path::Path::new("/proc/self").exists()
}

fn command_unknown(number: i32) -> String {
    let is_ours = u32::try_from(number) == Ok(std::process::id());
    let name = if is_ours {
        env!("CARGO_PKG_NAME")
    } else {
        "unknown"
    };
    name.to_owned()
}

/// A process in /proc and its command, as far as its files tell.
fn look_at(number: i32) -> Result<(Process, String), String> {
    let refused = |error| match error {
        ProcError::NotFound(_) => format!("there is no process {number}"),
        ProcError::PermissionDenied(_) => {
            format!("process {number} belongs to another user (run as that user or as root)")
        }
        ProcError::Incomplete(_)
        | ProcError::Io(..)
        | ProcError::Other(_)
        | ProcError::InternalError(_) => {
            format!("cannot inspect process {number}: {error}")
        }
    };
    let process = Process::new(number).map_err(refused)?;
    process.tasks().map_err(refused)?;
    match process.status() {
        Ok(status) if status.tgid == number => Ok((process, status.name)),
        Ok(status) => Err(format!("{number} is a thread of process {}", status.tgid)),
        // Some kernels, such as gVisor's, leave lines out.
        Err(_) => {
            let stat = process.stat();
            let command = stat.map_or_else(|_| command_unknown(number), |stat| stat.comm);
            Ok((process, command))
        }
    }
}

/// The tracepoint that every system call passes.
fn tracepoint() -> Result<Tracepoint, String> {
    let id = TRACEPOINT_FILES
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok());
    id.map(Tracepoint::with_id).ok_or_else(|| {
        "system calls are not counted: tracefs cannot be read (as \
         root: mount -t tracefs tracefs /sys/kernel/tracing)"
            .to_owned()
    })
}

impl Sample {
    /// What it used since an earlier sample of it, for so many echoes in so many seconds. Context
    /// switches of threads that ended meanwhile are not in it.
    pub(super) fn since(&self, earlier: &Sample, echoes: u64, seconds: f64) -> Cost {
        let per_echo = |amount: u64| match echoes {
            0 => 0.0,
            _ => amount as f64 / echoes as f64,
        };
        let cpu = self.cpu.saturating_sub(earlier.cpu);
        let cpu_ns = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
        let syscalls = self.syscalls.zip(earlier.syscalls);
        let syscalls = syscalls.map(|(now, then)| now.saturating_sub(then));
        let (voluntary, forced) = self.switches_since(earlier).unzip();
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

    fn switches_since(&self, earlier: &Sample) -> Option<(u64, u64)> {
        let (now, then) = (self.switches.as_ref()?, earlier.switches.as_ref()?);
        let mut sum = (0, 0);
        for (thread, (voluntary, forced)) in now {
            let then = then.get(thread).copied().unwrap_or_default();
            sum.0 += voluntary.saturating_sub(then.0);
            sum.1 += forced.saturating_sub(then.1);
        }
        Some(sum)
    }
}
