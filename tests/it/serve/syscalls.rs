//! What the server asks of the kernel, counted by strace(1), and what it makes of calls that fail,
//! injected by it. Skipped, and said so, where strace is missing.

use std::io::{Read, Write};
use std::process::Command;

use mio::{Events, Poll};

use crate::support::{
    Epollo, PATIENCE, Server, connect, connect_watched, program, read_exactly, read_to_end,
};

const CONNECTIONS: usize = 50;
const ECHOES_EACH: usize = 400;
const MESSAGE: [u8; 64] = [b'm'; 64];

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
