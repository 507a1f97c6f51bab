//! What the program makes of its command line and environment: bad input gets one clear line that
//! says what, where and what to do, and the right exit code.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use socket2::{Domain, Socket, Type};

use crate::support::{Epollo, Server, read_to_end};

/// Runs it with arguments that must fail; the exit code and the one line.
fn complaint(arguments: &[&str]) -> (i32, String) {
    let mut process = Epollo::run(arguments);
    let code = process.code();
    let words = process.errors();
    assert_eq!(words.lines().count(), 1, "{arguments:?} said {words:?}");
    assert!(words.starts_with("epollo: "), "{words}");
    assert!(process.rest().is_empty(), "nothing on standard output");
    (code, words)
}

#[test]
fn what_is_asked_wrongly_gets_one_line_and_code_2() {
    for (arguments, part) in [
        (&["serve", "chat=65536"][..], "port 65536 is too high"),
        (&["serve", "chat=127.0.0.1:70000"], "port 70000 is too high"),
        (
            &["serve", "chat=abc"],
            "'abc' is not PORT, IP:PORT or [IPV6]:PORT",
        ),
        (&["serve", "nonsense"], "there is no service 'nonsense'"),
        (&["serve", "--nonsense"], "unexpected argument '--nonsense'"),
        (&["serve", "--idle-timeout", "soon"], "'soon' is not a time"),
        (&["serve", "--idle-timeout", "0"], "try none"),
        (&["serve", "--max-message", "lots"], "'lots' is not a size"),
        (&["serve", "--max-message", "0"], "1 to 16M bytes"),
        (&["serve", "--framing", "padded:1"], "padded takes 2 to"),
        (&["serve", "--framing", "morse"], "expected auto, line"),
        (&["serve", "--greeting", "a\\q"], "unknown escape '\\q'"),
        (&["serve", "--greeting", "\\x4"], "unknown escape '\\x4'"),
        (&["serve", "--quit", ""], "quit word"),
        (&["serve", "--max-conns", "-1"], "-1"),
        (&["echo", "127.0.0.1"], "<PORT>"),
        (&["echo", "127.0.0.1", "0"], "port 0"),
        (&["echo", "127.0.0.1", "port"], "'port' is not a port"),
        (&["dance"], "unrecognized subcommand 'dance'"),
        (&[], "epollo --help"),
        (&["serve", "5000"], "try echo=5000"),
        (&["serve", "--log-level", "loud"], "'loud' is not a level"),
        (&["chat", "--quit", "", "127.0.0.1", "1"], "quit word"),
        (
            &["sim", "--seeds", "5..3"],
            "'5..3' is not a range of seeds",
        ),
        (&["sim", "--seeds", "5"], "'5' is not a range of seeds"),
        (
            &["sim", "--steps", "many"],
            "'many' is not a number of steps",
        ),
        (&["sim", "--clients", "0"], "'0' is not a number from 1 up"),
        (&["sim", "--seed", "abc"], "'abc' is not a seed (0 to "),
        (&["sim", "--open", "100M"], "100000000 clients are too many"),
        (
            &["sim", "--open", "1k", "--clients", "5"],
            "cannot be used with",
        ),
        (&["sim", "--steps", "0"], "not a number of steps from 1 up"),
        (&["sim", "--open", "99999999"], "are too many"),
        (
            &["sim", "--seed", "1", "--seeds", "1..2"],
            "cannot be used with",
        ),
    ] {
        let (code, words) = complaint(arguments);
        assert_eq!(code, 2, "{arguments:?}");
        assert!(words.contains(part), "{arguments:?} said {words:?}");
    }
}

#[test]
fn what_is_said_of_the_arguments_cannot_act_on_the_terminal() {
    for arguments in [
        &["\u{1b}[2J\r"][..],
        &["serve", "--\u{202e}\u{9b}"],
        &["serve", "chat=\u{200b}\n\u{7}"],
        &["hello", "no\u{1b}such host\u{202e}", "1"],
    ] {
        let (_, words) = complaint(arguments);
        let is_plain = |letter: char| letter.is_ascii_graphic() || letter == ' ';
        let line = words.strip_suffix('\n').unwrap();
        assert!(line.chars().all(is_plain), "{words:?}");
    }
}

#[test]
fn neither_its_name_nor_its_environment_need_be_utf_8() {
    let odd = OsStr::from_bytes(b"\xff\x1b");
    let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
    command.arg0(odd).args(["serve", "--idle-timeout", "soon"]);
    let mut process = Epollo::spawn(&mut command);
    assert_eq!(process.code(), 2);
    assert!(process.errors().contains("'soon' is not a time"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
    command.env("ANY", odd).env("EPOLLO_IDLE_TIMEOUT", "soon");
    let mut process = Epollo::spawn(command.arg("serve"));
    assert_eq!(process.code(), 2);
    let words = process.errors();
    assert!(words.contains("EPOLLO_IDLE_TIMEOUT"), "{words}");
}

#[test]
fn what_fails_at_run_time_gets_one_line_and_code_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (code, words) = complaint(&["serve", "echo=0", &format!("chat={}", address.port())]);
    assert_eq!(code, 1);
    assert_eq!(
        words,
        format!(
            "epollo: cannot listen on {address} for chat: address in use (try chat=0 for any free port)\n"
        )
    );
    // Bound and not listening: nobody else gets this port meanwhile.
    let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    deaf.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let address = deaf.local_addr().unwrap().as_socket().unwrap();
    let (code, words) = complaint(&["echo", "127.0.0.1", &address.port().to_string()]);
    assert_eq!(code, 1);
    assert!(
        words.contains(&format!("cannot connect to {address}: connection refused")),
        "{words}"
    );
    let (code, words) = complaint(&["serve", "echo=192.0.2.1:0"]);
    assert_eq!(code, 1);
    assert!(
        words.contains("this machine has no such address"),
        "{words}"
    );
    let (code, words) = complaint(&["hello", "no such host", "1"]);
    assert_eq!(code, 1);
    assert!(
        words.contains("cannot find the host 'no such host'"),
        "{words}"
    );
}

#[test]
fn help_and_version_are_no_failures() {
    for arguments in [&["--help"][..], &["serve", "--help"], &["--version"]] {
        let mut process = Epollo::run(arguments);
        assert_eq!(process.code(), 0);
        assert!(!process.rest().is_empty());
        assert_eq!(process.errors(), "");
    }
}

#[test]
fn an_option_may_come_from_the_environment_and_the_flag_wins() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
    command
        .env("EPOLLO_GREETING", "from outside")
        .args(["serve", "hello=0"]);
    let server = Server::of(Epollo::spawn(&mut command), &["hello=0"]);
    assert_eq!(read_to_end(&mut server.connect("hello")), b"from outside");
    server.stop();

    command.args(["--greeting", "from the flag"]);
    command
        .env("EPOLLO_PRINT", "1")
        .env("EPOLLO_VERBOSE", "1")
        .env("EPOLLO_ONCE", "false");
    let server = Server::of(Epollo::spawn(&mut command), &["hello=0"]);
    assert_eq!(read_to_end(&mut server.connect("hello")), b"from the flag");
    assert_eq!(
        read_to_end(&mut server.connect("hello")),
        b"from the flag",
        "EPOLLO_ONCE=false"
    );
    server.stop();

    command.env("EPOLLO_IDLE_TIMEOUT", "soon");
    let mut process = Epollo::spawn(&mut command);
    assert_eq!(process.code(), 2);
    let words = process.errors();
    assert!(words.contains("'soon' is not a time"), "{words}");
    assert!(
        words.contains("environment variable EPOLLO_IDLE_TIMEOUT"),
        "{words}"
    );
}

#[test]
fn a_service_may_be_listed_twice_and_on_ipv6() {
    let arguments = ["echo=0", "echo=127.0.0.1:0", "hello=[::1]:0"];
    let server = Server::start(&arguments);
    assert!(server.address("hello").is_ipv6());
    assert_eq!(read_to_end(&mut server.connect("hello")), b"Hello World!\0");
    server.stop();
}

#[test]
fn an_address_open_to_everybody_is_warned_of() {
    let mut server = Server::start(&["echo=0.0.0.0:0"]);
    assert!(server.process.error_line().contains("open to everybody"));
    server.stop();
}

#[test]
fn several_processes_share_a_port_only_where_asked_to() {
    let first = Server::start(&["echo=0", "--reuse-port"]);
    let same = format!("echo={}", first.address("echo").port());
    let second = Server::start(&[&same, "--reuse-port"]);
    assert_eq!(complaint(&["serve", &same]).0, 1);
    second.stop();
    first.stop();
}
