//! The machine that is measured on: its cores, its limits, and what makes its figures doubtful.

use std::fs::read_to_string;
use std::process::{Command, Stdio};

use procfs::Current;
use procfs::process::Process;
use serde_json::{Value, json};

use super::tell;

/// Descriptors that a server or the load needs beside its connections.
const DESCRIPTORS_BESIDE: usize = 100;

/// The cores of the server and of the load, where there are two.
pub(crate) fn cores() -> Option<(u32, u32)> {
    let status = Process::myself().ok()?.status().ok()?;
    let ranges = status.cpus_allowed_list?;
    let mut all = ranges.into_iter().flat_map(|(first, last)| first..=last);
    Some((all.next()?, all.next()?))
}

/// `taskset -c CORE`, where there are two cores and the program.
pub(crate) fn pinned_to(pick: impl Fn((u32, u32)) -> u32) -> Vec<String> {
    match cores() {
        Some(cores) if is_installed("taskset") => ["taskset", "-c", &pick(cores).to_string()]
            .map(str::to_owned)
            .to_vec(),
        Some(_) | None => Vec::new(),
    }
}

/// `setpriv --pdeathsig KILL`, where there is the program: what it starts is killed when we are.
pub(crate) fn dying_with_us() -> Vec<String> {
    if is_installed("setpriv") {
        ["setpriv", "--pdeathsig", "KILL"]
            .map(str::to_owned)
            .to_vec()
    } else {
        Vec::new()
    }
}

/// Whether a program of this name can be started.
pub(crate) fn is_installed(program: &str) -> bool {
    path_of(program).is_some()
}

/// Where PATH has a program.
pub(crate) fn path_of(program: &str) -> Option<std::path::PathBuf> {
    let paths = std::env::var_os("PATH")?;
    let mut candidates = std::env::split_paths(&paths).map(|folder| folder.join(program));
    candidates.find(|candidate| candidate.is_file())
}

/// How many connections one process can hold here.
pub(crate) fn connections_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    limit.map_or(usize::MAX, |limit| limit.saturating_sub(DESCRIPTORS_BESIDE))
}

/// Says what makes every figure of this machine doubtful.
pub(crate) fn warn() {
    for reason in doubts() {
        tell(&format!("not to be trusted: {reason}"));
    }
}

fn doubts() -> Vec<String> {
    let mut doubts = Vec::new();
    if cores().is_none() {
        doubts.push("there is one core only, for the server and the load".to_owned());
    } else if !is_installed("taskset") {
        doubts.push("server and load are not pinned (Debian package util-linux)".to_owned());
    }
    if let Ok(load) = procfs::LoadAverage::current()
        && load.one > 0.5
    {
        let load = load.one;
        doubts.push(format!(
            "others are at work here: the load average is {load:.1}"
        ));
    }
    doubts
}

/// What a saved result says about where it was measured.
pub(crate) fn describe() -> Value {
    let first_line = |command: &str, arguments: &[&str]| {
        let output = Command::new(command)
            .args(arguments)
            .stderr(Stdio::null())
            .output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        text.ok()
            .and_then(|text| text.lines().next().map(str::to_owned))
    };
    let cpu = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "kernel": kernel.trim(),
        "cpu": cpu.map(|(_, name)| name),
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "connections_max": connections_max(),
        "rustc": first_line("rustc", &["--version"]),
        "cc": first_line("cc", &["--version"]),
        "node": first_line("node", &["--version"]),
        "libuv": first_line("pkg-config", &["--modversion", "libuv"]),
        "date": first_line("date", &["--utc", "+%Y-%m-%d %H:%M"]),
        "doubts": doubts(),
    })
}
