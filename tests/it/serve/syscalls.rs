//! What the server asks of the kernel, counted by strace(1), and what it makes of calls that fail,
//! injected by it. Skipped, and said so, where strace is missing.

use std::io::{ErrorKind, Read, Write};
use std::process::{Command, Stdio};

use mio::{Events, Poll};

use crate::support::{
    Epollo, PATIENCE, Server, connect, connect_watched, program, read_exactly, read_to_end,
};

const CONNECTIONS: usize = 50;
const ECHOES_EACH: usize = 400;
const MESSAGE: [u8; 64] = [b'm'; 64];
/// More than all buffers take on the way to a client that does not read.
const FLOOD: usize = 16 * 1024 * 1024;

fn has_strace(test: &str) -> bool {
    let found = Command::new("strace").arg("-V").output().is_ok();
    if !found {
        eprintln!("SKIPPED {test}: strace is not installed (Debian package strace)");
    }
    found
}

/// `epollo serve`, run by strace with these options.
fn traced(options: &[&str], arguments: &[&str]) -> Server {
    let mut command = Command::new("strace");
    command.arg("-f").args(options).arg("--");
    let program = program();
    command.arg(program.get_program()).args(program.get_args());
    command.arg("serve").args(arguments);
    Server::of(Epollo::spawn(&mut command), arguments)
}

/// Strace does not pass signals on to the process that it traces.
fn stop(mut server: Server) {
    rustix::process::kill_process(server.process.children()[0], rustix::process::Signal::TERM)
        .unwrap();
    assert_eq!(server.process.code(), 0);
}

/// Every connection sends its next message as soon as it has the answer to the last.
fn echo_busily(server: &Server) {
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(CONNECTIONS);
    let mut clients: Vec<_> = (0..CONNECTIONS)
        .map(|index| {
            let mut stream = connect_watched(server.address("echo"), &poll, index);
            stream.write_all(&MESSAGE).unwrap();
            (stream, 0)
        })
        .collect();
    let mut busy = CONNECTIONS;
    while busy > 0 {
        poll.poll(&mut events, Some(PATIENCE)).unwrap();
        assert!(
            !events.is_empty(),
            "{busy} connections wait and nothing comes"
        );
        for event in &events {
            let (stream, echoes) = &mut clients[event.token().0];
            let mut answer = [0; 65];
            match stream.read(&mut answer) {
                Ok(count) => assert_eq!(answer[..count], MESSAGE),
                Err(error) => panic!("{error}"),
            }
            *echoes += 1;
            if *echoes < ECHOES_EACH {
                stream.write_all(&MESSAGE).unwrap();
            } else {
                busy -= 1;
            }
        }
    }
}

#[test]
fn fifty_busy_connections_cost_two_calls_an_echo_and_no_epoll_ctl() {
    if !has_strace("fifty_busy_connections_cost_two_calls_an_echo_and_no_epoll_ctl") {
        return;
    }
    let log = std::env::temp_dir().join(format!("epollo-strace-{}", std::process::id()));
    let server = traced(&["-o", log.to_str().unwrap()], &["echo=0"]);
    echo_busily(&server);
    stop(server);
    let calls = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    let calls: Vec<&str> = calls.lines().collect();
    let last_registered = calls
        .iter()
        .rposition(|call| call.contains("EPOLL_CTL_ADD"))
        .unwrap();
    let signal = calls
        .iter()
        .position(|call| call.contains("--- SIGTERM"))
        .unwrap();
    let steady = &calls[last_registered + 1..signal];
    // By then some echoes are done: only whole ones count, by what was sent back.
    let echoes = steady
        .iter()
        .filter(|call| call.ends_with("= 64") && call.contains("sendto("))
        .count();
    let others = steady
        .iter()
        .filter(|call| call.contains("epoll_ctl"))
        .count();
    let per_echo = steady.len() as f64 / echoes as f64;
    assert!(
        echoes > CONNECTIONS * ECHOES_EACH * 9 / 10,
        "{echoes} echoes"
    );
    assert_eq!(others, 0, "epoll_ctl in the steady state");
    assert!(per_echo <= 2.05, "{per_echo} calls an echo");
}

/// `ADD IN|ET`, as a trace says it, from a line of strace's; nothing for listeners, and for what failed.
fn registration(line: &str) -> Option<String> {
    let call = line.split_once("epoll_ctl(")?.1;
    let token = call.split_once("u64=")?.1.split('}').next()?;
    let is_listener = token.parse::<u64>().unwrap() < 1 << 32;
    if is_listener || !line.ends_with("= 0") {
        return None;
    }
    let operation = call.split_once("EPOLL_CTL_")?.1.split(',').next()?;
    let flags = call.split_once('{')?.1.split(',').next()?;
    let flags = flags.trim_start_matches("events=").replace("EPOLL", "");
    Some(format!("{operation} {flags}"))
}

/// What the trace says that was registered, and what strace saw, of a server that is run with these streams
/// and lets one client wait for its answers.
fn registrations(streams: [Stdio; 3]) -> (Vec<String>, Vec<String>) {
    let log = std::env::temp_dir().join(format!("epollo-watched-{}", std::process::id()));
    let mut command = Command::new("strace");
    command.args(["-f", "-q", "-e", "trace=epoll_ctl", "-o"]);
    command.arg(&log).arg("--").arg(program().get_program());
    let arguments = ["chat=0", "echo=0", "-q", "--trace", "-"];
    command.arg("serve").args(arguments);
    let mut server = Server::of(Epollo::spawn_with(&mut command, streams), &arguments);
    let client = server.connect("echo");
    let mut writer = client.try_clone().unwrap();
    let flood = std::thread::spawn(move || writer.write_all(&[b'x'; FLOOD]).unwrap());
    let mut told = Vec::new();
    let mut tell = |line: String| {
        if let Some((_, calls)) = line.split_once(" interest  ") {
            let calls = calls.trim().split("; ");
            let calls = calls.filter_map(|call| call.strip_prefix("epoll_ctl "));
            told.extend(calls.map(str::to_owned));
        }
    };
    loop {
        let line = server.process.error_line();
        tell(line.clone());
        if line.contains("epoll_ctl MOD") {
            break;
        }
    }
    let mut reader = client.try_clone().unwrap();
    let echo = std::thread::spawn(move || read_exactly(&mut reader, FLOOD).len());
    assert_eq!(echo.join().unwrap(), FLOOD);
    flood.join().unwrap();
    let program = server.process.children()[0];
    rustix::process::kill_process(program, rustix::process::Signal::TERM).unwrap();
    drop(client);
    server.process.wait();
    server
        .process
        .errors()
        .lines()
        .map(str::to_owned)
        .for_each(tell);
    let seen = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    (told, seen.lines().filter_map(registration).collect())
}

#[test]
fn the_trace_shows_what_epoll_is_asked_for_as_strace_does() {
    if !has_strace("the_trace_shows_what_epoll_is_asked_for_as_strace_does") {
        return;
    }
    let (told, seen) = registrations([Stdio::piped(), Stdio::piped(), Stdio::piped()]);
    assert_eq!(told, seen);
    // The signals, the input and the output of the terminal, the client.
    let expected = [
        "ADD IN|RDHUP|ET",
        "ADD IN|RDHUP|ET",
        "ADD PRI|ET",
        "ADD IN|PRI|RDHUP|ET",
        "MOD IN|PRI|OUT|RDHUP|ET",
        "MOD IN|PRI|RDHUP|ET",
    ];
    assert_eq!(told[..expected.len()], expected);
    let (told, seen) = registrations([Stdio::null(), Stdio::piped(), Stdio::piped()]);
    assert_eq!(told, seen);
    assert_eq!(told[1..3], ["ADD PRI|ET", "ADD IN|PRI|RDHUP|ET"]);
}

/// One client at a time is when the server sleeps most.
#[test]
fn a_sleep_before_an_echo_sets_no_timer() {
    if !has_strace("a_sleep_before_an_echo_sets_no_timer") {
        return;
    }
    let log = std::env::temp_dir().join(format!("epollo-sleeps-{}", std::process::id()));
    let server = traced(&["-o", log.to_str().unwrap()], &["echo=0"]);
    let mut client = server.connect("echo");
    for _ in 0..100 {
        client.write_all(&MESSAGE).unwrap();
        assert_eq!(read_exactly(&mut client, MESSAGE.len()), MESSAGE);
    }
    stop(server);
    let calls = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    let calls = calls
        .lines()
        .take_while(|call| !call.contains("--- SIGTERM"));
    let (mut sleeps, mut settings) = (0, 0);
    for call in calls {
        let waits = call.contains("epoll_wait(");
        sleeps += usize::from(waits && call.contains(", -1)"));
        settings += usize::from(call.contains("timerfd_settime("));
        let is_timed = waits && !call.contains(", -1)") && !call.contains(", 0)");
        assert!(!is_timed, "a timeout for one sleep: {call}");
    }
    assert!(sleeps >= 90, "{sleeps} sleeps");
    assert_eq!(settings, 1, "the idle timeout is set once");
}

#[test]
fn calls_that_fail_for_a_moment_harm_nobody() {
    if !has_strace("calls_that_fail_for_a_moment_harm_nobody") {
        return;
    }
    // The first three sends are those by which signal-hook tells a pipe from a socket.
    for fault in [
        "inject=accept4:error=EINTR:when=1+3",
        "inject=accept4:error=ECONNABORTED:when=1+3",
        "inject=accept4:error=EMFILE:when=1+3",
        "inject=accept4:error=ENFILE:when=1+3",
        "inject=accept4:error=ENOBUFS:when=1+3",
        "inject=accept4:error=ENOMEM:when=1+3",
        "inject=recvfrom:error=EINTR:when=1+2",
        "inject=sendto:error=EINTR:when=4+2",
        "inject=sendto:error=EAGAIN:when=4+2",
        "inject=epoll_wait:error=EINTR:when=1+2",
    ] {
        let server = traced(&["-o", "/dev/null", "-e", fault], &["echo=0"]);
        for _ in 0..5 {
            let mut client = server.connect("echo");
            client.write_all(b"still here").unwrap();
            assert_eq!(read_exactly(&mut client, 10), b"still here", "{fault}");
        }
        stop(server);
    }
}

#[test]
fn a_connection_that_breaks_harms_nobody_else() {
    if !has_strace("a_connection_that_breaks_harms_nobody_else") {
        return;
    }
    for fault in [
        "inject=recvfrom:error=ECONNRESET:when=1",
        "inject=recvfrom:error=ETIMEDOUT:when=1",
        "inject=recvfrom:error=EHOSTUNREACH:when=1",
        "inject=recvfrom:error=EPIPE:when=1",
        "inject=sendto:error=ECONNRESET:when=4",
        "inject=sendto:error=ETIMEDOUT:when=4",
        "inject=sendto:error=EHOSTUNREACH:when=4",
        "inject=sendto:error=EPIPE:when=4",
        // Watched are, before that of the victim: the timer, signals, output, listener, bystander.
        "inject=epoll_ctl:error=ENOMEM:when=6",
        "inject=epoll_ctl:error=ENOSPC:when=6",
    ] {
        let server = traced(&["-o", "/dev/null", "-e", fault], &["echo=0"]);
        let mut bystander = connect(server.address("echo"));
        let mut victim = connect(server.address("echo"));
        // Where it is not even watched, it may be gone already.
        let _ = victim.write_all(b"x");
        // An end or a reset, but no byte.
        assert!(!matches!(victim.read(&mut [0]), Ok(1..)), "{fault}");
        bystander.write_all(b"fine").unwrap();
        bystander.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut bystander), b"fine", "{fault}");
        stop(server);
    }
}

#[test]
fn an_answer_that_the_machine_had_no_memory_for_does_not_look_whole() {
    if !has_strace("an_answer_that_the_machine_had_no_memory_for_does_not_look_whole") {
        return;
    }
    for errno in ["ENOBUFS", "ENOMEM"] {
        let fault = format!("inject=sendto:error={errno}:when=4");
        let server = traced(&["-o", "/dev/null", "-e", &fault], &["echo=0"]);
        let mut victim = connect(server.address("echo"));
        victim.write_all(b"x").unwrap();
        let end = victim.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(end, Err(ErrorKind::ConnectionReset), "{errno}");
        stop(server);
    }
}

#[test]
fn a_client_that_cannot_be_watched_for_room_to_write_is_closed_and_nobody_else() {
    if !has_strace("a_client_that_cannot_be_watched_for_room_to_write_is_closed_and_nobody_else") {
        return;
    }
    let fault = "inject=epoll_ctl:error=ENOMEM:when=7";
    let mut server = traced(&["-o", "/dev/null", "-e", fault], &["echo=0"]);
    let mut bystander = connect(server.address("echo"));
    let mut victim = connect(server.address("echo"));
    // It never reads, so that its answers come to wait.
    let fill = vec![b'x'; 1 << 20];
    while victim.write_all(&fill).is_ok() {}
    let words = server.process.error_line();
    assert!(words.contains("cannot be watched"), "{words}");
    bystander.write_all(b"fine").unwrap();
    assert_eq!(read_exactly(&mut bystander, 4), b"fine");
    stop(server);
}

#[test]
fn interrupted_at_every_call_it_carries_on() {
    if !has_strace("interrupted_at_every_call_it_carries_on") {
        return;
    }
    let mut options = vec!["-o", "/dev/null"];
    for interrupted in [
        "inject=accept4:error=EINTR:when=1+2",
        "inject=recvfrom:error=EINTR:when=1+2",
        "inject=sendto:error=EINTR:when=4+2",
        "inject=epoll_wait:error=EINTR:when=1+2",
        // The announcement of the listeners. A later one is that of a signal handler, to a pipe that
        // does not block: that one is never interrupted.
        "inject=write:error=EINTR:when=1",
    ] {
        options.extend(["-e", interrupted]);
    }
    let arguments = ["hello=0", "echo=0", "chat=0", "--chat-with", "echo"];
    let server = traced(&options, &arguments);
    for _ in 0..20 {
        assert_eq!(read_to_end(&mut server.connect("hello")), b"Hello World!\0");
        let mut client = server.connect("echo");
        client.write_all(&[b'e'; 100_000]).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(read_to_end(&mut client) == [b'e'; 100_000]);
        let mut client = server.connect("chat");
        client.write_all(b"hi\nQUIT\n").unwrap();
        assert_eq!(read_to_end(&mut client), b"hi\nQUIT\n");
    }
    stop(server);
}
