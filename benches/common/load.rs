//! The load: `epollo bench` on the other core, and what it reports. A run with a wrong echo is an error,
//! not a figure.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use epollo::report::{AbTest, Ratio, Report};
use serde::de::DeserializeOwned;

use super::Result;
use super::machine::{dying_with_us, is_installed, pinned_to};
use super::programs::EPOLLO;
use super::server::Server;

/// How long connecting and closing may take, beside what is asked for.
const BESIDE: Duration = Duration::from_secs(60);

/// What is asked of `epollo bench`.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) service: &'static str,
    /// Of chat: through a server that matches clients.
    pub(crate) pairs: bool,
    pub(crate) connections: usize,
    pub(crate) idle: usize,
    pub(crate) size: usize,
    pub(crate) pipeline: usize,
    /// Requests a second; none is a closed loop.
    pub(crate) rate: Option<u32>,
    pub(crate) length: Length,
    pub(crate) warmup: Duration,
    /// Whether it gives way to other load on its core.
    pub(crate) gives_way: bool,
}

/// When a run ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    For(Duration),
    Requests(usize),
}

impl Load {
    /// A closed loop of 64-byte echoes. Long runs have a long warm-up.
    pub(crate) fn echo(connections: usize, duration: Duration) -> Load {
        let is_long = duration > Duration::from_secs(1);
        let warmup = Duration::from_millis(if is_long { 1_000 } else { 300 });
        Load {
            service: "echo",
            pairs: false,
            connections,
            idle: 0,
            size: 64,
            pipeline: 1,
            rate: None,
            length: Length::For(duration),
            warmup,
            gives_way: false,
        }
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("--connections={}", self.connections),
            format!("--idle={}", self.idle),
            format!("--size={}", self.size),
            format!("--pipeline={}", self.pipeline),
        ];
        match self.length {
            Length::For(duration) => {
                arguments.push(format!("--duration={}ms", duration.as_millis()));
                arguments.push(format!("--warmup={}ms", self.warmup.as_millis()));
            }
            Length::Requests(count) => arguments.push(format!("--requests={count}")),
        }
        arguments.extend(self.pairs.then(|| "--chat-with=pair".to_owned()));
        arguments.extend(self.rate.map(|rate| format!("--rate={rate}")));
        arguments
    }

    /// As it can be typed, for reports.
    pub(crate) fn command(&self, target: &str) -> String {
        format!(
            "epollo bench {} {target} {}",
            self.service,
            self.arguments().join(" ")
        )
    }

    fn takes(&self) -> Duration {
        match self.length {
            Length::For(duration) => duration + self.warmup + BESIDE,
            Length::Requests(_) => 5 * BESIDE,
        }
    }

    fn start(&self, target: &[String]) -> Result<Running> {
        let mut command = dying_with_us();
        command.extend(pinned_to(|(_, load)| load));
        if self.gives_way && is_installed("nice") {
            command.extend(["nice", "-n", "19"].map(str::to_owned));
        }
        command.extend([EPOLLO, "bench", self.service].map(str::to_owned));
        command.extend_from_slice(target);
        command.extend(self.arguments());
        command.push("--json".to_owned());
        let child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Running {
            child,
            ends_by: Instant::now() + self.takes(),
        })
    }

    /// Begins to load a server, and does not wait.
    pub(crate) fn begin(&self, server: &Server) -> Result<Running> {
        let mut target = vec![server.address.to_string()];
        if !server.forks {
            target.push(format!("--pid={}", server.pid()));
        }
        self.start(&target)
    }

    /// Loads a server.
    pub(crate) fn run(&self, server: &mut Server) -> Result<Report> {
        let report = self.begin(server)?.report();
        if !server.is_alive()? {
            return Err(format!("{} ended under load", server.name).into());
        }
        let report = report.map_err(|error| format!("{}: {error}", server.name))?;
        Ok(report)
    }

    /// Loads two servers in turn, in so many blocks each.
    pub(crate) fn duel(&self, a: &Server, b: &Server, blocks: usize) -> Result<AbTest> {
        let target = [
            "--ab".to_owned(),
            a.address.to_string(),
            b.address.to_string(),
            format!("--pid={},{}", a.pid(), b.pid()),
            format!("--blocks={blocks}"),
        ];
        let mut running = self.start(&target)?;
        // Disturbed blocks are measured again, and thousands of connections take their time.
        let blocks = u32::try_from(blocks)?;
        running.ends_by = Instant::now() + 16 * blocks * (self.takes() - BESIDE) + 2 * BESIDE;
        running.answer()
    }
}

/// A load that is under way. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    ends_by: Instant,
}

impl Running {
    /// Whether it has ended. Its output must fit into a pipe until then: 64 KiB.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits until it has ended.
    pub(crate) fn report(self) -> Result<Report> {
        let report: Report = self.answer()?;
        if report.echoes == 0 {
            return Err("nothing came back".into());
        }
        Ok(report)
    }

    fn answer<T: DeserializeOwned>(mut self) -> Result<T> {
        let mut stdout = self.child.stdout.take().ok_or("stdout is piped")?;
        let mut stderr = self.child.stderr.take().ok_or("stderr is piped")?;
        let reader = spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text)
        });
        let words = spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).map(|_| text)
        });
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if Instant::now() > self.ends_by {
                return Err("epollo bench takes too long".into());
            }
            sleep(Duration::from_millis(5));
        };
        let text = reader
            .join()
            .map_err(|_| "the reader of stdout panicked")??;
        let words = words
            .join()
            .map_err(|_| "the reader of stderr panicked")??;
        if !status.success() {
            return Err(format!("epollo bench fails: {}", words.trim()).into());
        }
        serde_json::from_str(&text).map_err(|error| format!("epollo bench: {error}").into())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU nanoseconds of the server for one echo.
pub(crate) fn cpu_ns_per_echo(report: &Report) -> Option<f64> {
    report.server.as_ref().map(|server| server.cpu_ns_per_echo)
}

/// The ratio of a figure, by the name it has in the JSON.
pub(crate) fn ratio_of(duel: &AbTest, figure: &str) -> Result<Ratio> {
    let found = duel.ratios.iter().find(|ratio| ratio.figure == figure);
    found.cloned().ok_or_else(|| {
        let names: Vec<&str> = duel.ratios.iter().map(|ratio| &*ratio.figure).collect();
        format!("no ratio of {figure}, but of {}", names.join(", ")).into()
    })
}
