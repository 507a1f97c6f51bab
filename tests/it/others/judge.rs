//! A program that somebody else wrote: whether it is here, in which version, and what it says. None runs for
//! longer than [`SECONDS_MAX`]; what comes of it is not judged here.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use rustix::process::{Pid, Signal, kill_process};

use super::matrix::JUDGES;
use crate::support::PATIENCE;

/// How much of a long output a failure shows.
const SHOWN_BYTES_MAX: usize = 4096;
const SECONDS_MAX: &str = "10";
/// What timeout(1) exits with when it had to end a program.
const TIMED_OUT: i32 = 124;

/// A judge that is here.
pub struct Judge {
    pub name: &'static str,
    pub version: String,
}

impl Judge {
    /// The judge of this name, which this command asks for its version; `None`, and a line that says so, without it.
    pub fn find(name: &'static str, asked: &[&str], package: &str) -> Option<Judge> {
        assert!(JUDGES.contains(&name), "{name} is in no list of judges");
        let mut command = Command::new("timeout");
        let said = command
            .arg(SECONDS_MAX)
            .args(asked)
            .stdin(Stdio::null())
            .output();
        let said = said.expect("coreutils are everywhere");
        // What timeout(1) says of a program that is not there, and a shell or an interpreter of a library.
        let is_here = !matches!(said.status.code(), Some(126 | 127)) && !is_refused(&said.stderr);
        let version = is_here.then(|| {
            let text = [said.stdout, said.stderr].concat();
            let version = version_in(&String::from_utf8_lossy(&text));
            let version = version.or_else(|| packaged(package));
            version.unwrap_or_else(|| "unknown".to_owned())
        });
        Judge::known(name, version, package)
    }

    /// The judge whose version is known if it is here.
    pub fn known(name: &'static str, version: Option<String>, package: &str) -> Option<Judge> {
        let Some(version) = version else {
            eprintln!("SKIPPED others: {name} is not installed ({package})");
            return None;
        };
        eprintln!("judge: {name} {version}");
        Some(Judge { name, version })
    }
}

/// Whether an interpreter lacks the library that it was asked for.
fn is_refused(errors: &[u8]) -> bool {
    let errors = String::from_utf8_lossy(errors);
    errors.contains("ModuleNotFoundError")
}

/// The first word that looks like a version: `7.93`, `v1.10-47`.
fn version_in(text: &str) -> Option<String> {
    let words = text.split(|c: char| c.is_whitespace() || "/()[],".contains(c));
    let mut versions = words.filter(|word| {
        let digits = word.strip_prefix('v').unwrap_or(word);
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.contains('.')
    });
    versions
        .next()
        .map(|word| word.trim_start_matches('v').to_owned())
}

/// What Debian calls the version of its package.
fn packaged(package: &str) -> Option<String> {
    let name = package.strip_prefix("Debian package ")?;
    let mut command = Command::new("dpkg-query");
    let said = command.args(["-W", "-f=${Version}", name]).output().ok()?;
    let version = String::from_utf8(said.stdout).ok()?;
    (!version.is_empty()).then_some(version)
}

/// What a program said until it ended.
pub struct Said {
    pub code: i32,
    pub out: Vec<u8>,
    pub errors: String,
}

impl Said {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// What both streams said last, for a failure.
    pub fn all(&self) -> String {
        let begin = self.out.len().saturating_sub(SHOWN_BYTES_MAX);
        let out = self.out[begin..].escape_ascii().to_string();
        let out = out.replace("\\n", "\n");
        format!("{out}\n{}\nexit code {}", self.errors, self.code)
    }
}

/// Runs a program with this input until it ends.
pub fn run(words: &[&str], input: &[u8]) -> Said {
    let mut running = Running::start(words);
    running.say(input);
    running.end()
}

/// A program at work, which ends with the test.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    output: Receiver<Vec<u8>>,
    errors: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Running {
    pub fn start(words: &[&str]) -> Running {
        let mut command = Command::new("timeout");
        command.args(["-k", "1", SECONDS_MAX]).args(words);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Running {
            stdin: child.stdin.take(),
            output: pieces_of(child.stdout.take().unwrap()),
            errors: pieces_of(child.stderr.take().unwrap()),
            child,
            seen: Vec::new(),
        }
    }

    /// Writes to its standard input; a program that has left does not mind.
    pub fn say(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("its input is open");
        let _ = stdin.write_all(bytes);
    }

    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Waits until its output holds this much, or satisfies this; whether it did before it ended.
    pub fn comes(&mut self, holds: impl Fn(&[u8]) -> bool) -> bool {
        while !holds(&self.seen) {
            match self.output.recv_timeout(PATIENCE) {
                Ok(piece) => self.seen.extend(piece),
                Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => return false,
            }
        }
        true
    }

    /// What it has said so far.
    pub fn seen(&self) -> &[u8] {
        &self.seen
    }

    /// Ends its input and waits for its end.
    pub fn end(mut self) -> Said {
        self.end_input();
        self.comes(|_| false);
        let status = self.child.wait().unwrap();
        let errors: Vec<u8> = self.errors.iter().flatten().collect();
        let said = Said {
            code: status.code().unwrap_or(TIMED_OUT),
            out: std::mem::take(&mut self.seen),
            errors: String::from_utf8_lossy(&errors).into_owned(),
        };
        let is_late = said.code == TIMED_OUT;
        assert!(!is_late, "it ran for {SECONDS_MAX} s:\n{}", said.all());
        said
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // timeout(1) passes the signal on to what it runs. It may have ended already.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

fn pieces_of(mut stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 64 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}
