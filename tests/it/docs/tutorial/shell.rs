//! One bash of the tutorial: its ports, its programs, its lines, and its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use super::TOP;
use crate::support::PATIENCE;

/// What the programs say that show their loop.
pub const INDENT: &str = "    ";
/// What bash says when a command has ended.
const ENDED: char = '\u{1}';

/// A free port for a number of the tutorial, beyond those that the kernel gives to others.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let spread = u16::try_from(std::process::id() % 90 * 100).unwrap();
    loop {
        let port = 20_000 + spread + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// The ports that a chapter names: 7000 to 7199.
pub fn ports(chapter: &str) -> Vec<(String, String)> {
    let words = chapter.split(|c: char| !c.is_ascii_digit());
    let is_port =
        |word: &&str| word.len() == 4 && (word.starts_with("70") || word.starts_with("71"));
    let mut named: Vec<&str> = words.filter(is_port).collect();
    named.sort_unstable();
    named.dedup();
    let ports = named.into_iter();
    ports
        .map(|port| (port.to_owned(), free_port().to_string()))
        .collect()
}

/// Where the programs are. `cargo test` has built them; a narrower command has not.
fn programs() -> &'static str {
    static BUILT: OnceLock<String> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_epollo")).parent().unwrap();
        let written = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
        let is_old = |source: &Path| {
            let program = folder.join("examples").join(source.file_stem().unwrap());
            written(&program) < written(source)
        };
        let is_release = folder.ends_with("release");
        if sources().iter().any(|source| is_old(Path::new(source))) {
            let mut cargo = Command::new(env!("CARGO"));
            cargo
                .args(["build", "--examples", "--quiet"])
                .current_dir(TOP);
            cargo.args(is_release.then_some("--release"));
            cargo.env("CARGO_TARGET_DIR", folder.parent().unwrap());
            assert!(cargo.status().unwrap().success(), "the examples build");
        }
        let folder = folder.display();
        format!("{folder}/examples:{folder}")
    })
}

pub fn sources() -> Vec<String> {
    let folder = std::fs::read_dir(format!("{TOP}/docs/epoll")).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path().display().to_string());
    paths.filter(|path| path.ends_with(".rs")).collect()
}

/// A bash and all that it has started; they end with it.
pub struct Shell {
    child: Child,
    stdin: ChildStdin,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    ports: Vec<(String, String)>,
    /// Ordinary lines, those of the loops, and those on standard error.
    pub said: [Vec<String>; 3],
    pub ended: usize,
}

impl Shell {
    pub fn start(ports: Vec<(String, String)>) -> Option<Shell> {
        let path = format!("{}:{}", programs(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command
            .args(["--norc", "--noprofile", "-s"])
            .env("PATH", path)
            .env_remove("RUST_LOG");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .process_group(0)
            .current_dir(std::env::temp_dir())
            .spawn()
            .ok()?;
        Some(Shell {
            stdin: child.stdin.take().unwrap(),
            stdout: lines_of(child.stdout.take().unwrap()),
            stderr: lines_of(child.stderr.take().unwrap()),
            child,
            ports,
            said: Default::default(),
            ended: 0,
        })
    }

    pub fn run(&mut self, command: &str) {
        let mut command = command.to_owned();
        for (named, free) in &self.ports {
            command = command.replace(named, free);
        }
        if command.contains("kill -STOP") {
            // A reader is slower than the kernel.
            command += "; until grep -q '^State:.T' /proc/$!/status; do :; done";
        }
        writeln!(self.stdin, "{command}\necho '{ENDED}'").unwrap();
    }

    /// Takes what came in the meantime; false once nothing can come any more.
    fn listen(&mut self) -> bool {
        let streams = [(&self.stdout, 0), (&self.stderr, 2)];
        let mut is_open = false;
        for (stream, kind) in streams {
            loop {
                let mut line = match stream.try_recv() {
                    Ok(line) => line,
                    Err(error) => {
                        is_open |= error == TryRecvError::Empty;
                        break;
                    }
                };
                for (named, free) in &self.ports {
                    line = line.replace(free, named);
                }
                let has_ended = line.ends_with(ENDED);
                self.ended += usize::from(has_ended);
                let line = line.trim_end_matches(ENDED).to_owned();
                let kind = if kind == 0 {
                    usize::from(line.starts_with(INDENT))
                } else {
                    kind
                };
                if !(has_ended && line.is_empty()) {
                    self.said[kind].push(line);
                }
            }
        }
        is_open
    }

    /// Listens until something holds, or for as long as anything may take.
    pub fn listen_until(&mut self, holds: impl Fn(&Shell) -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while self.listen() && !holds(self) && Instant::now() < deadline {
            // What comes, comes from other processes; the loop ends by it or by the deadline.
            std::thread::sleep(Duration::from_millis(1));
        }
        holds(self)
    }

    pub fn kill(&mut self) {
        let group = rustix::process::Pid::from_child(&self.child);
        // They may have ended already.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.kill();
    }
}

fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(stream).split(b'\n').map_while(Result::ok);
        for line in lines {
            let line = String::from_utf8_lossy(&line).into_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
