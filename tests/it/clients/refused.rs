//! What `epollo` refuses to do, or warns of, and the words it has for it: one line that says what, and what to do.

use std::fs::File;
use std::io::Write;
use std::net::{Shutdown, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use socket2::SockRef;

use crate::support::terminal::Terminal;
use crate::support::{Epollo, Server, program, read_exactly, read_to_end};

/// Runs it to its end: the exit code and what it said.
fn said(command: &mut Command) -> (i32, String) {
    let mut process = Epollo::spawn(command);
    (process.code(), process.errors())
}

#[test]
fn one_address_for_two_services_is_refused_with_and_without_reuse_port() {
    for arguments in [
        &["echo=34567", "hello=34567"][..],
        &["echo=34567", "hello=127.0.0.1:34567", "--reuse-port"],
        &["echo=34567", "--explore=34567"],
        &["echo=localhost:34567", "echo=localhost:34567"],
    ] {
        let (code, words) = said(program().arg("serve").args(arguments));
        assert_eq!(code, 2, "{words}");
        assert!(words.contains(" cannot both listen on "), "{words}");
        assert_eq!(words.lines().count(), 1, "{words}");
    }
}

#[test]
fn a_complaint_says_what_is_wrong_and_what_to_try() {
    for (arguments, code, words) in [
        (&["serve", "chat:5000"][..], 2, "try chat=5000"),
        (
            &["serve", "-m", "99999999999999999999999"],
            2,
            "is too high",
        ),
        (
            &["bench", "no-such-host.invalid:1"],
            1,
            "cannot find the host of no-such-host.invalid:1",
        ),
    ] {
        let (ended, line) = said(program().args(arguments));
        assert_eq!((ended, line.lines().count()), (code, 1), "{line}");
        assert!(line.contains(words), "{line}");
        assert!(!line.contains("os error"), "{line}");
    }
}

#[test]
fn a_full_disk_is_laid_to_standard_output() {
    let server = Server::start(&["echo=0"]);
    let mut command = program();
    command.args(["echo", "127.0.0.1", &server.port("echo")]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let streams = [Stdio::piped(), full.into(), Stdio::piped()];
    let mut client = Epollo::spawn_with(&mut command, streams);
    client.type_in("hi\n");
    client.end_input();
    assert_eq!(client.code(), 1);
    let words = client.errors();
    let expected = "epollo: cannot write to standard output: no space left on device\n";
    assert_eq!(words, expected);
    server.stop();
}

#[test]
fn an_option_without_effect_is_warned_of() {
    for (arguments, words) in [
        (
            &["chat=0", "--turn-timeout", "1s"][..],
            "without --chat-with pair",
        ),
        (&["echo=0", "--framing", "line"], "without chat"),
        (&["echo=0", "--trace-payload", "4"], "without --trace"),
    ] {
        let mut server = Server::start(arguments);
        server.process.signal(Signal::TERM);
        assert_eq!(server.process.code(), 0);
        let said = server.process.errors();
        assert!(
            said.contains("has no effect") && said.contains(words),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn the_totals_are_in_plain_words() {
    let mut server = Server::start(&["echo=0", "-v"]);
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    let said = server.process.errors();
    assert!(said.contains("closed: none\n"), "{said}");

    let mut server = Server::start(&["echo=0", "-v"]);
    let mut polite = server.connect("echo");
    polite.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut polite), b"");
    let mut rude = server.connect("echo");
    rude.write_all(b"x").unwrap();
    read_exactly(&mut rude, 1);
    SockRef::from(&rude)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(rude);
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    let said = server.process.errors();
    assert!(
        said.contains("closed: finished 1, connection reset by peer 1\n"),
        "{said}"
    );
}

#[test]
fn no_two_peers_have_one_name() {
    let trace = std::env::temp_dir().join(format!("epollo-names-{}.jsonl", std::process::id()));
    let arguments = ["echo=0", "--trace", trace.to_str().unwrap()];
    let (screen, _) = Terminal::serve(&arguments);
    screen.signal(Signal::TERM);
    assert_eq!(screen.last_words().0, 0);
    let text = std::fs::read_to_string(&trace).unwrap();
    std::fs::remove_file(&trace).unwrap();
    let events = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let opened = events.filter(|event: &Value| event["kind"] == "open");
    let mut names: Vec<_> = opened.map(|event| event["name"].to_string()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let mut command = program();
    for name in [
        "EXPLORE",
        "TRACE",
        "MAX_CONNS",
        "IDLE_TIMEOUT",
        "QUIT",
        "PRINT",
        "VERBOSE",
    ] {
        command.env(format!("EPOLLO_{name}"), "");
    }
    command.args(["serve", "echo=0"]);
    Server::of(Epollo::spawn(&mut command), &["echo=0"]).stop();
}

#[test]
fn a_variable_that_says_yes_turns_an_option_on() {
    // If we cannot have the port, somebody else has it: taken it is.
    let _taken = TcpListener::bind("127.0.0.1:7070");
    for yes in ["1", "true"] {
        let (code, words) = said(
            program()
                .env("EPOLLO_EXPLORE", yes)
                .args(["serve", "echo=0"]),
        );
        assert_eq!(code, 1, "{words}");
        assert!(
            words.contains("127.0.0.1:7070 for explore: address in use"),
            "{words}"
        );
    }
    let mut command = program();
    command
        .env("EPOLLO_VERBOSE", "true")
        .args(["serve", "echo=0"]);
    let mut server = Server::of(Epollo::spawn(&mut command), &["echo=0"]);
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    assert!(server.process.errors().contains("accepted 0"));

    let (code, words) = said(
        program()
            .env("EPOLLO_VERBOSE", "very")
            .args(["serve", "echo=0"]),
    );
    assert_eq!(code, 2, "{words}");
    assert!(
        words.contains("'very' is not a verbosity (try 1, 2 or 3)"),
        "{words}"
    );
}

#[test]
fn every_option_of_bench_may_come_from_the_environment() {
    let server = Server::start(&["echo=0"]);
    let page = std::env::temp_dir().join(format!("epollo-variable-{}.html", std::process::id()));
    let mut command = program();
    command
        .env("EPOLLO_HTML", &page)
        .env("EPOLLO_FAIL_IF", "p99>0ns");
    command.args([
        "bench",
        "echo",
        &server.port("echo"),
        "-n",
        "100",
        "-c",
        "1",
    ]);
    let (code, words) = said(&mut command);
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("more than 0ns"), "{words}");
    std::fs::remove_file(page).unwrap();
    server.stop();

    let mut command = program();
    command.env("EPOLLO_AB", "127.0.0.1:x,1").args(["bench"]);
    let (code, words) = said(&mut command);
    assert_eq!(code, 2, "{words}");
    assert!(words.contains("127.0.0.1:x"), "{words}");
}
