//! `epollo bench` where something is missing: the server, its answers, /proc, or the time to end. What
//! it then says, and how soon.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::terminal::Terminal;
use crate::support::{Epollo, PATIENCE, Server, best_of};

mod asking;
mod unseen;

/// Runs `epollo bench` with these arguments: the exit code and both streams.
fn bench(arguments: &[&str]) -> (i32, String, String) {
    let mut process = Epollo::run(&[&["bench"], arguments].concat());
    let shown = String::from_utf8(process.rest()).unwrap();
    (process.code(), shown, process.errors())
}

/// The same for two servers in turn: blocks that others disturb are measured again, so that it takes long where
/// many tests run at once.
fn bench_in_turn(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
    command.arg("bench").args(arguments).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let ended = receiver.recv_timeout(5 * PATIENCE).expect("its end");
    let ended = ended.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        ended.status.code().unwrap(),
        text(ended.stdout),
        text(ended.stderr),
    )
}

/// An address at which nobody listens, and nobody else can while the socket is kept.
fn nobody() -> (OwnedFd, String) {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    rustix::net::bind(&socket, &any).unwrap();
    let name = SocketAddr::try_from(rustix::net::getsockname(&socket).unwrap()).unwrap();
    (socket, name.to_string())
}

/// A server that does this with each connection, one after the other; it ends with the test.
fn serving(mut each: impl FnMut(TcpStream) -> io::Result<()> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The load leaves when it has seen enough.
            let _ = each(stream);
        }
    });
    address
}

/// Sends back all that comes, and tells of it each time.
fn echo(mut stream: TcpStream, mut told: impl FnMut()) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 4096];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count])?;
        told();
    }
}

#[test]
fn without_a_server_there_is_one_line_at_once() {
    let (_kept, address) = nobody();
    let server = Server::start(&["echo=0"]);
    let there = server.address("echo").to_string();
    let both: [&[&str]; 2] = [&["--ab", &address, &address], &["--ab", &there, &address]];
    let single = ["echo", "chat", "hello"].map(|service| [service, &address]);
    let services = single.iter().map(|service| &service[..]).chain(both);
    let loads: [&[&str]; 6] = [
        &["-c", "1"],
        &["-c", "10"],
        &["-c", "200", "-d", "30s"],
        &["-c", "10", "-n", "100"],
        &["-c", "10", "-R", "100"],
        &["-c", "3", "--idle", "2"],
    ];
    for service in services {
        for load in loads {
            let arguments = [service, load].concat();
            let took = best_of(Duration::from_secs(1), || {
                let began = Instant::now();
                let (code, shown, errors) = bench(&arguments);
                let expected = format!(
                    "epollo: cannot connect to {address}: connection refused (is the server running, and on this port?)\n"
                );
                assert_eq!((code, &*shown), (1, ""), "{arguments:?}: {errors}");
                assert_eq!(errors, expected, "{arguments:?}");
                began.elapsed()
            });
            assert!(took <= Duration::from_secs(1), "{arguments:?}: {took:?}");
        }
    }
    server.stop();
}

#[test]
fn a_server_that_goes_away_ends_the_load() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten().take(20) {
            let _ = stream.write_all(b"hello");
        }
    });
    let (code, shown, errors) = bench(&["hello", &address, "-c", "4", "-d", "1h", "--json"]);
    let report: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(code, 1, "{errors}");
    let broken = report["broken"].as_u64().unwrap();
    assert!((100..=200).contains(&broken), "{broken} broken");
}

#[test]
fn a_server_that_ends_every_connection_is_said_to() {
    let address = serving(|_| Ok(())).to_string();
    let (code, _, errors) = bench(&[&address, "-c", "2", "-d", "100ms", "--warmup", "0s"]);
    assert_eq!(code, 1, "{errors}");
    for part in ["gave no correct answer: ", "broken connections 2"] {
        assert!(errors.contains(part), "no {part:?} in {errors}");
    }
    let address = serving(|mut stream| {
        let _ = stream.read(&mut [0; 100])?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    });
    let address = address.to_string();
    let (code, _, errors) = bench(&[&address, "-c", "2", "-d", "100ms", "--warmup", "0s"]);
    assert_eq!(code, 1, "{errors}");
    let words = "after sending 'HTTP/1.1 400 Bad Request\\r\\n\\r\\n', which is not an answer";
    assert!(errors.contains(words), "{errors}");
}

#[test]
fn a_server_of_one_client_at_a_time_is_known_for_one() {
    let address = serving(|stream| echo(stream, || {})).to_string();
    let usual = [&address, "-c", "5", "-d", "200ms", "--warmup", "0s"];
    let (code, shown, errors) = bench(&usual);
    let words = "1 of 5 connections got answers, the others none: the server seems to serve one \
                 client at a time (try -c 1)";
    assert_eq!(code, 1, "{errors}");
    assert!(
        shown.contains(words) && errors.contains(words),
        "{shown}{errors}"
    );
    let (code, _, errors) = bench(&[&address, "-c", "1", "-d", "200ms", "--warmup", "0s"]);
    assert_eq!((code, &*errors), (0, ""));
}

#[test]
fn connections_that_are_never_established_do_not_count_as_such() {
    // A queue of one place (listen(2) has room for one more), and nobody accepts.
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    rustix::net::bind(&socket, &any).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap().to_string();
    let usual = ["-c", "3", "-d", "100ms", "--warmup", "0s"];
    let (code, shown, errors) = bench(&[&[&*address], &usual[..]].concat());
    assert_eq!(code, 1, "{errors}");
    for part in [
        "3 connections, only 1 established, ",
        "2 of 3 connections could not be established within 8 s",
        "1 lost, 2 broken",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
}

#[test]
fn too_short_a_measurement_is_refused() {
    for short in ["0s", "1ms", "99ms"] {
        let (code, shown, errors) = bench(&["1", "-d", short]);
        assert_eq!((code, &*shown), (2, ""), "{short}");
        let said = "epollo: --duration must be at least 100ms; usage: epollo bench ";
        assert!(errors.starts_with(said), "{errors}");
    }
    let server = Server::start(&["echo=0"]);
    let address = server.address("echo").to_string();
    let (code, _, errors) = bench(&[&address, "-c", "1", "-d", "100ms", "--warmup", "0s"]);
    assert_eq!((code, &*errors), (0, ""));
    server.stop();
}

/// A server that tells when it has answered a hundred times.
fn telling() -> (String, Receiver<()>) {
    let (sender, receiver) = channel();
    let address = serving(move |stream| {
        let (mut count, sender) = (0, sender.clone());
        thread::spawn(move || {
            echo(stream, || {
                count += 1;
                if count == 100 {
                    // The test may have seen enough.
                    let _ = sender.send(());
                }
            })
        });
        Ok(())
    });
    (address.to_string(), receiver)
}

/// Runs a load that would take long and ends it by a signal: exit code, both streams.
fn interrupted(signal: Signal, arguments: &[&str]) -> (i32, String, String) {
    let (address, busy) = telling();
    let usual = ["bench", "-c", "1", "--warmup", "0s", "-d", "1h"];
    let target: &[&str] = if arguments.contains(&"--ab") {
        &[&address, &address]
    } else {
        &[&address]
    };
    let mut process = Epollo::run(&[&usual, arguments, target].concat());
    busy.recv().unwrap();
    process.signal(signal);
    let shown = String::from_utf8(process.rest()).unwrap();
    (process.code(), shown, process.errors())
}

#[test]
fn the_exit_code_tells_which_signal_ended_the_run() {
    for (signal, expected) in [(Signal::INT, 130), (Signal::HUP, 129)] {
        let (code, shown, errors) = interrupted(signal, &[]);
        assert_eq!((code, &*errors), (expected, "epollo: interrupted\n"));
        assert!(shown.contains("(interrupted)"), "{shown}");
    }
}

#[test]
fn a_run_that_is_interrupted_in_its_warm_up_measured_nothing() {
    let (address, busy) = telling();
    let mut process = Epollo::run(&["bench", "-c", "1", "--warmup", "1h", &address]);
    busy.recv().unwrap();
    process.signal(Signal::INT);
    let shown = String::from_utf8(process.rest()).unwrap();
    assert_eq!(process.code(), 130, "{shown}");
    let said = "\ninterrupted before anything was measured, seed 1\n";
    assert!(shown.contains(said), "{shown}");
}

#[test]
fn a_measurement_of_a_few_requests_took_some_time() {
    let server = Server::start(&["echo=0"]);
    let address = server.address("echo").to_string();
    let (code, shown, _) = bench(&[&address, "-c", "1", "-n", "1"]);
    assert_eq!(code, 0);
    assert!(!shown.contains("\n0 s measured"), "{shown}");
    server.stop();
}

#[test]
fn an_interrupted_run_is_marked_everywhere() {
    let directory = std::env::temp_dir();
    let file = |end| {
        let name = format!("epollo-benched-{}.{end}", std::process::id());
        directory.join(name).to_str().unwrap().to_owned()
    };
    let (csv, html) = (file("csv"), file("html"));
    let more = ["--csv", &csv, "--html", &html];
    let (code, shown, errors) = interrupted(Signal::TERM, &more);
    assert_eq!((code, &*errors), (143, "epollo: interrupted\n"), "{shown}");
    assert!(shown.contains("s measured (interrupted) after "), "{shown}");
    let text = std::fs::read_to_string(&csv).unwrap();
    let last = "\n# the run was interrupted before it was complete\n";
    assert!(text.ends_with(last), "{text}");
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.contains(" (interrupted)</h1>"));
    for path in [csv, html] {
        std::fs::remove_file(path).unwrap();
    }
    for more in [&["--json"][..], &["--json", "--ab"]] {
        let (code, shown, errors) = interrupted(Signal::INT, more);
        assert_eq!((code, &*errors), (130, "epollo: interrupted\n"), "{shown}");
        let report: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(report["interrupted"], true, "{more:?}");
    }
}

#[test]
fn two_servers_are_compared_in_the_direction_of_compare() {
    let fast = serving(|stream| {
        thread::spawn(|| echo(stream, || {}));
        Ok(())
    });
    let slow = serving(|stream| {
        thread::spawn(|| echo(stream, || thread::sleep(Duration::from_millis(20))));
        Ok(())
    });
    let (fast, slow) = (fast.to_string(), slow.to_string());
    let usual = ["-c", "1", "-d", "100ms", "--warmup", "0s", "--blocks", "8"];
    let (code, shown, errors) = bench_in_turn(&[&["--ab", &fast, &slow], &usual[..]].concat());
    assert_eq!((code, &*errors), (0, ""), "{shown}");
    for part in [
        "  B/A  ",
        "in 8 blocks of A and 8 of B, for example: ",
        "B/A: the median over pairs of neighbouring blocks",
        "\nB answers ",
        " fewer per second than A",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    let usual = ["-c", "1", "-d", "100ms", "--warmup", "0s", "--blocks", "1"];
    let (_, shown, _) = bench_in_turn(&[&["--json", "--ab", &fast, &slow], &usual[..]].concat());
    let duel: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(duel["interrupted"], false);
    let throughput = &duel["ratios"][0];
    let figure = |name: &str| throughput[name].as_f64().unwrap();
    assert!(
        figure("b_to_a") < 0.5 && figure("ratio") > 2.0,
        "{throughput}"
    );
    let product = figure("b_to_a") * figure("ratio");
    assert!((0.99..1.01).contains(&product), "{throughput}");
}

/// What a progress line says of `what`, each time it was drawn: between the bar and the end.
fn drawn<'a>(shown: &'a str, what: &str) -> Vec<&'a str> {
    let lines = shown.split(what).skip(1);
    let words = lines.filter_map(|line| line.split_once("] "));
    words.map(|(_, words)| words).collect()
}

#[test]
fn on_a_terminal_a_bar_tells_how_far_the_run_is() {
    let server = Server::start(&["echo=0"]);
    let address = server.address("echo").to_string();
    let usual = ["bench", &address, "-c", "2", "--warmup", "500ms"];
    for (more, total) in [
        (["-d", "2s"], " of 2 s, "),
        (["-n", "100k"], " of 100,000 echoes, "),
    ] {
        let terminal = Terminal::run(&[&usual[..], &more].concat());
        let (code, shown) = terminal.last_words();
        assert_eq!(code, 0, "{shown}");
        assert!(!drawn(&shown, "warming up [").is_empty(), "{shown}");
        assert!(shown.contains("measuring [="), "{shown}");
        let is_whole = |words: &&str| {
            let end = words.find("/s").unwrap_or(0);
            let words = &words[..end];
            let grouped = |word: &str| {
                word.split_once(',')
                    .is_some_and(|(_, rest)| rest.len() == 3)
            };
            words.contains(total) && words.split(' ').any(grouped) && words.contains(" echoes, ")
        };
        let lines = drawn(&shown, "measuring [");
        assert!(lines.iter().any(is_whole), "{lines:?}");
    }
    server.stop();
}
