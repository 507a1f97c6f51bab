//! What the tests share: the binary as a child process, its lines, its sockets. Everything is
//! bounded by [`PATIENCE`] and ends with the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use epollo::protocol::framing::PADDED_BYTES;
use procfs::net::TcpNetEntry;

pub mod terminal;

/// How long anything may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The program under test, with its three streams as pipes.
pub struct Epollo {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
}

/// `epollo`, which hears SIGHUP also where whoever runs the tests has it ignored (nohup, some CI), since that is
/// inherited.
pub fn program() -> Command {
    let status = procfs::process::Process::myself().and_then(|process| process.status());
    let is_ignored = status.is_ok_and(|status| status.sigign & 1 != 0);
    if !is_ignored {
        return Command::new(env!("CARGO_BIN_EXE_epollo"));
    }
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_epollo")]);
    command
}

impl Epollo {
    /// Runs `epollo` with these arguments.
    pub fn run(arguments: &[&str]) -> Epollo {
        let mut command = program();
        command.args(arguments);
        Epollo::spawn(&mut command)
    }

    /// Runs a command that ends up in `epollo` (through `strace`, `prlimit` and the like).
    pub fn spawn(command: &mut Command) -> Epollo {
        Epollo::spawn_with_stdout(command, Stdio::piped())
    }

    /// The same, with another standard output, whose lines nobody collects.
    pub fn spawn_with_stdout(command: &mut Command, stdout: Stdio) -> Epollo {
        Epollo::spawn_with(command, [Stdio::piped(), stdout, Stdio::piped()])
    }

    /// The same, with these three streams; nobody collects the lines of those that are no pipe of
    /// ours.
    pub fn spawn_with(command: &mut Command, [stdin, stdout, stderr]: [Stdio; 3]) -> Epollo {
        command.env_remove("RUST_LOG");
        command.stdin(stdin).stdout(stdout).stderr(stderr);
        let mut child = command.spawn().unwrap();
        Epollo {
            stdin: child.stdin.take(),
            stdout: child.stdout.take().map_or(channel().1, lines_of),
            stderr: child.stderr.take().map_or(channel().1, lines_of),
            child,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its standard input.
    pub fn type_in(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().unwrap();
        match stdin.write_all(bytes.as_ref()) {
            // It has ended already; what it said tells whether it should have.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            done => done.unwrap(),
        }
    }

    /// Ends its standard input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// The next line of its standard output, without the line end.
    pub fn line(&mut self) -> String {
        let line = self
            .stdout
            .recv_timeout(PATIENCE)
            .expect("a line on standard output");
        String::from_utf8(line).unwrap()
    }

    /// All that is left of its standard output, once it has ended.
    pub fn rest(&mut self) -> Vec<u8> {
        joined(&self.stdout)
    }

    /// All that is left of its standard error, once it has ended.
    pub fn errors(&mut self) -> String {
        String::from_utf8_lossy(&joined(&self.stderr)).into_owned()
    }

    /// The next line of its standard error.
    pub fn error_line(&mut self) -> String {
        let line = self
            .stderr
            .recv_timeout(PATIENCE)
            .expect("a line on standard error");
        String::from_utf8_lossy(&line).into_owned()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it should have ended");
            // Polling a process is no waiting for luck: the loop ends by its exit or by failing.
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for its end; the exit code.
    pub fn code(&mut self) -> i32 {
        self.wait().code().expect("it exits and is not killed")
    }
}

impl Epollo {
    /// The processes that it started: what strace runs, say.
    pub fn children(&self) -> Vec<rustix::process::Pid> {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.unwrap_or_default();
        let ids = children.split_whitespace().map(|id| id.parse().unwrap());
        ids.filter_map(rustix::process::Pid::from_raw).collect()
    }
}

impl Drop for Epollo {
    fn drop(&mut self) {
        // They may have ended already.
        for child in self.children() {
            let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A child process that ends with the test, however the test ends.
pub struct Bounded(pub Child);

impl Drop for Bounded {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn lines_of(stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .is_ok_and(|count| count > 0)
        {
            if line.ends_with(b"\n") {
                line.pop();
            }
            if sender.send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    });
    receiver
}

fn joined(lines: &Receiver<Vec<u8>>) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                all.extend_from_slice(&line);
                all.push(b'\n');
            }
            Err(RecvTimeoutError::Disconnected) => return all,
            Err(RecvTimeoutError::Timeout) => panic!("its output should have ended"),
        }
    }
}

/// `epollo serve`, listening.
pub struct Server {
    pub process: Epollo,
    addresses: Vec<(String, SocketAddr)>,
}

impl Server {
    /// Serves with these arguments, of which those like `echo=0` are the services.
    pub fn start(arguments: &[&str]) -> Server {
        let mut command = program();
        command.arg("serve").args(arguments);
        Server::of(Epollo::spawn(&mut command), arguments)
    }

    /// A process that is to serve, begun in some other way.
    pub fn of(mut process: Epollo, arguments: &[&str]) -> Server {
        let services = arguments.iter().filter(|argument| {
            ["hello=", "echo=", "chat=", "--explore="]
                .iter()
                .any(|name| argument.starts_with(name))
        });
        let addresses = services
            .map(|_| {
                let line = process.line();
                let mut words = line.split(' ');
                assert_eq!(words.next(), Some("listening"), "in {line:?}");
                let name = words.next().unwrap().to_owned();
                (name, words.next().unwrap().parse().unwrap())
            })
            .collect();
        Server { process, addresses }
    }

    /// Where the service of this name listens.
    pub fn address(&self, name: &str) -> SocketAddr {
        self.addresses
            .iter()
            .find(|(service, _)| service == name)
            .unwrap()
            .1
    }

    /// Its port, as an argument.
    pub fn port(&self, name: &str) -> String {
        self.address(name).port().to_string()
    }

    pub fn connect(&self, name: &str) -> TcpStream {
        connect(self.address(name))
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id()))
            .unwrap()
            .count()
    }

    /// Ends it by a signal; everything must have been given back.
    pub fn stop(mut self) {
        self.process.signal(rustix::process::Signal::TERM);
        assert_eq!(self.process.code(), 0);
    }
}

/// A connection whose calls do not wait for ever.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A connection that does not block, watched by `poll` for what comes, as this token.
pub fn connect_watched(address: SocketAddr, poll: &mio::Poll, token: usize) -> mio::net::TcpStream {
    let stream = connect(address);
    stream.set_nonblocking(true).unwrap();
    let mut stream = mio::net::TcpStream::from_std(stream);
    poll.registry()
        .register(&mut stream, mio::Token(token), mio::Interest::READABLE)
        .unwrap();
    stream
}

/// Reads exactly this many bytes.
pub fn read_exactly(stream: &mut impl Read, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Reads until the peer sends no more.
pub fn read_to_end(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Writes to a stream that does not block until it takes no more; how much it took.
pub fn fill(stream: &mut impl Write) -> std::io::Result<usize> {
    let mut total = 0;
    loop {
        match stream.write(&[b'x'; 16 * 1024]) {
            Ok(count) => total += count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(total),
            Err(error) => return Err(error),
        }
    }
}

/// What the kernel knows of the IPv4 sockets at this address, listeners too (proc(5), /proc/net/tcp). The port
/// alone would not do: clients of other tests may have it at other addresses.
pub fn sockets_at(address: SocketAddr) -> Vec<TcpNetEntry> {
    let mut sockets = procfs::net::tcp().unwrap();
    sockets.retain(|socket| socket.local_address == address);
    sockets
}

/// A message in the buffer of the course programs.
pub fn padded(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(PADDED_BYTES, 0);
    bytes
}

/// Waits until something that takes time but sends no event holds; fails if it does not come.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Measures until a result is within the bound, at most thirty times; the best. Other tests share
/// the cores and make single results worse, but a server that is at fault is so every time.
pub fn best_of(bound: Duration, mut measure: impl FnMut() -> Duration) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..30 {
        best = best.min(measure());
        if best <= bound {
            break;
        }
    }
    best
}

/// A small generator of numbers that depend on the seed alone (xorshift64*, Vigna 2016).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number from 0 to `end - 1`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}
