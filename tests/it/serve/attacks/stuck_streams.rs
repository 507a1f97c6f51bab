//! A server whose own three streams are stuck, full, closed or of a strange kind: its clients notice
//! nothing, and a signal ends it.

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::quiet_address;
use crate::support::terminal::Terminal;
use crate::support::{Epollo, Server, connect, eventually, read_exactly, read_to_end};

/// A command that becomes `epollo` with these redirections of a shell.
fn redirected(redirections: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$0\" \"$@\" {redirections}")]);
    command.arg(env!("CARGO_BIN_EXE_epollo")).args(arguments);
    command
}

/// A pipe that takes no byte as long as its reading end lives.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while rustix::io::write(&writer, &[b'.'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

/// Connects to a server that cannot say that it listens.
fn await_listening(address: SocketAddr) {
    eventually("it listens", || {
        std::net::TcpStream::connect(address).is_ok()
    });
}

/// Clients that make it print and log far more than any stream of its own takes.
fn assert_serves(address: SocketAddr, case: &str) {
    let lines = b"a line to print\n".repeat(10_000);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = connect(address);
                let mut writer = client.try_clone().unwrap();
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        writer.write_all(&lines).unwrap();
                        writer.shutdown(std::net::Shutdown::Write).unwrap();
                    });
                    assert!(read_to_end(&mut client) == lines, "{case}");
                });
            });
        }
    });
    for _ in 0..300 {
        let mut client = connect(address);
        client.write_all(b"ping").unwrap();
        assert_eq!(read_exactly(&mut client, 4), b"ping", "{case}");
    }
}

/// Serves with these redirections and streams; nothing of it may reach the clients.
fn assert_goes_on(redirections: &str, stdout: Stdio, stderr: Stdio, case: &str) {
    let address = quiet_address();
    let echo = format!("echo={address}");
    let arguments = ["serve", &echo, "--print", "-vv", "--grace", "100ms"];
    let mut command = redirected(redirections, &arguments);
    let mut server = Epollo::spawn_with(&mut command, [Stdio::null(), stdout, stderr]);
    await_listening(address);
    assert_serves(address, case);
    let asked = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.code(), 0, "{case}");
    // What nobody takes from it holds it up until the end of the grace and no longer.
    assert!(asked.elapsed() < Duration::from_secs(2), "{case}");
}

#[test]
fn a_server_goes_on_while_nobody_reads_its_output_or_its_log() {
    for [is_stdout_full, is_stderr_full] in [[true, false], [false, true], [true, true]] {
        let (_reader, writer) = full_pipe();
        let stuck = |is_full: bool| match is_full {
            true => Stdio::from(writer.try_clone().unwrap()),
            false => Stdio::null(),
        };
        let case = format!("stdout full: {is_stdout_full}, stderr full: {is_stderr_full}");
        assert_goes_on("", stuck(is_stdout_full), stuck(is_stderr_full), &case);
    }
}

#[test]
fn the_last_words_of_a_server_are_how_many_log_lines_were_dropped() {
    let (mut reader, writer) = full_pipe();
    let address = quiet_address();
    // The kernel's limit is lower: that is worth a warning, and nothing else here is.
    let echo = format!("echo={address}");
    let arguments = ["serve", &echo, "--backlog", "2000000000"];
    let streams = [Stdio::null(), Stdio::null(), writer.into()];
    let mut server = Epollo::spawn_with(&mut redirected("", &arguments), streams);
    await_listening(address);
    let mut client = connect(address);
    client.write_all(b"ping").unwrap();
    assert_eq!(read_exactly(&mut client, 4), b"ping");
    server.signal(Signal::TERM);
    let told = read_to_end(&mut reader);
    assert_eq!(server.code(), 0);
    let told = String::from_utf8_lossy(&told);
    assert_eq!(
        told.trim_start_matches('.'),
        "epollo: log lines dropped: 1\n"
    );
}

#[test]
fn a_server_goes_on_when_its_output_or_its_log_is_lost() {
    for redirections in [
        "2>/dev/full",
        ">&-",
        ">&- 2>/dev/full",
        "2>&-",
        "<&- >&- 2>&-",
    ] {
        assert_goes_on(redirections, Stdio::null(), Stdio::null(), redirections);
    }
}

#[test]
fn a_server_goes_on_when_those_who_read_its_output_and_its_log_have_left() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let gone = || Stdio::from(writer.try_clone().unwrap());
    assert_goes_on("", gone(), gone(), "nobody reads any more");
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(ours);
    let gone = || Stdio::from(OwnedFd::from(theirs.try_clone().unwrap()));
    assert_goes_on("", gone(), gone(), "a socket whose other end is closed");
}

#[test]
fn lines_that_no_output_takes_are_counted_in_the_log() {
    let address = quiet_address();
    let echo = format!("echo={address}");
    let (_reader, writer) = full_pipe();
    let arguments = ["serve", &echo, "--print", "--grace", "100ms"];
    let mut command = redirected("", &arguments);
    let streams = [Stdio::null(), Stdio::from(writer), Stdio::piped()];
    let mut server = Epollo::spawn_with(&mut command, streams);
    await_listening(address);
    assert_serves(address, "a full pipe");
    server.signal(Signal::TERM);
    assert_eq!(server.code(), 0);
    let words = server.errors();
    let lost = "of output were lost: the reader of standard output was too slow";
    assert!(words.contains(lost), "{words}");
}

#[test]
fn lines_that_no_log_takes_are_counted_in_the_first_that_finds_room() {
    let address = quiet_address();
    let (mut reader, writer) = full_pipe();
    let mut command = redirected("", &["serve", &format!("echo={address}"), "-vv"]);
    let streams = [Stdio::null(), Stdio::null(), Stdio::from(writer)];
    let mut server = Epollo::spawn_with(&mut command, streams);
    await_listening(address);
    for _ in 0..10 {
        let mut client = connect(address);
        client.write_all(b"ping").unwrap();
        assert_eq!(read_exactly(&mut client, 4), b"ping");
    }
    // Who reads at last finds what the pipe was full of, and then the next line.
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    while reader.read(&mut [0; 4096]).is_ok() {}
    drop(connect(address));
    let mut words = Vec::new();
    eventually("a report of what was dropped", || {
        let mut piece = [0; 4096];
        let count = reader.read(&mut piece).unwrap_or(0);
        words.extend_from_slice(&piece[..count]);
        String::from_utf8_lossy(&words).contains("log lines dropped: ") && words.ends_with(b"\n")
    });
    server.signal(Signal::TERM);
    assert_eq!(server.code(), 0);
    let words = String::from_utf8(words).unwrap();
    let count = words
        .strip_prefix("epollo: log lines dropped: ")
        .and_then(|rest| rest.lines().next());
    // One of each client, and one of whoever looked whether it listens.
    assert!(
        count.is_some_and(|count| count.parse().is_ok_and(|count: u32| count >= 11)),
        "{words}"
    );
}

/// Says something to the operator; the answer must be this.
fn assert_answers(server: &Server, answers: &[&str], case: &str) {
    let mut client = server.connect("chat");
    for answer in answers {
        client.write_all(b"question\n").unwrap();
        let heard = read_exactly(&mut client, answer.len());
        assert_eq!(String::from_utf8_lossy(&heard), *answer, "{case}");
    }
}

#[test]
fn an_operator_answers_from_a_file_a_pipe_a_socket_or_not_at_all() {
    let path = std::env::temp_dir().join(format!("epollo-answers-{}", std::process::id()));
    std::fs::write(&path, "one\ntwo\n").unwrap();
    let arguments = ["serve", "chat=0", "--framing", "line"];
    let piped = || [Stdio::piped(), Stdio::piped(), Stdio::piped()];
    let from_file = format!("<{}", path.display());
    for (redirection, answers) in [
        (from_file.as_str(), &["one\n", "two\n", "QUIT\n"][..]),
        ("</dev/null", &["QUIT\n"]),
        ("<&-", &["QUIT\n"]),
        // It may be read, but it is a directory and gives nothing.
        ("</", &["QUIT\n"]),
    ] {
        let mut command = redirected(redirection, &arguments);
        let process = Epollo::spawn_with(&mut command, piped());
        let server = Server::of(process, &arguments);
        assert_answers(&server, answers, redirection);
        server.stop();
    }
    std::fs::remove_file(&path).unwrap();

    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let streams = [
        Stdio::from(OwnedFd::from(theirs)),
        Stdio::piped(),
        Stdio::piped(),
    ];
    let process = Epollo::spawn_with(&mut redirected("", &arguments), streams);
    let server = Server::of(process, &arguments);
    ours.write_all(b"from a socket\n").unwrap();
    assert_answers(&server, &["from a socket\n"], "a socket");
    drop(ours);
    assert_answers(&server, &["QUIT\n"], "a socket that is closed");
    server.stop();

    let (reader, mut writer) = std::io::pipe().unwrap();
    let streams = [Stdio::from(reader), Stdio::piped(), Stdio::piped()];
    let process = Epollo::spawn_with(&mut redirected("", &arguments), streams);
    let server = Server::of(process, &arguments);
    writer.write_all(b"from a pipe").unwrap();
    drop(writer);
    assert_answers(&server, &["from a pipe\n", "QUIT\n"], "a pipe");
    server.stop();
}

#[test]
fn an_operator_answers_from_a_terminal() {
    let mut screen = Terminal::run(&["serve", "chat=0", "--framing", "line"]);
    let shown = screen.until("\r\n");
    let address = shown.trim().rsplit(' ').next().unwrap().parse().unwrap();
    let mut client = connect(address);
    client.write_all(b"question\n").unwrap();
    screen.until("client : question\r\nme > ");
    screen.type_in("typed\n");
    assert_eq!(read_exactly(&mut client, 6), b"typed\n");
    // End of input is the end of the talk.
    client.write_all(b"and?\n").unwrap();
    screen.until("client : and?\r\nme > ");
    screen.type_in("\u{4}");
    assert_eq!(read_to_end(&mut client), b"QUIT\n");
    screen.kill();
}
