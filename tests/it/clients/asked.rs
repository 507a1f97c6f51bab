//! What the program makes of its command line and environment: bad input gets one clear line that
//! says what, where and what to do, and the right exit code.

use std::ffi::OsStr;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use socket2::{Domain, Socket, Type};

use crate::support::terminal::Terminal;
use crate::support::{Epollo, Server, connect, read_exactly, read_to_end};

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
        (&["serve", "chat=abc"], "'abc' is not an address (PORT, "),
        (&["serve", "nonsense"], "there is no service 'nonsense'"),
        (&["serve", "--nonsense"], "unexpected argument '--nonsense'"),
        (&["serve", "--idle-timeout", "soon"], "'soon' is not a d"),
        (&["serve", "--idle-timeout", "0"], "is too short (try none)"),
        (&["echo", "::1", "1", "--timeout", "0s"], "is too short"),
        (&["serve", "--max-message", "lots"], "'lots' is not a size"),
        (&["serve", "--max-message", "0"], "1 to 16M bytes"),
        (&["serve", "--framing", "padded:1"], "padded takes 2 to"),
        (&["serve", "--framing", "morse"], "expected auto, line"),
        (&["serve", "--greeting", "a\\q"], "unknown escape '\\q'"),
        (&["serve", "--greeting", "\\x4"], "unknown escape '\\x4'"),
        (&["serve", "--quit", ""], "quit word"),
        (&["serve", "--max-conns", "-1"], "-1"),
        (&["echo", "127.0.0.1"], "<PORT>"),
        (&["echo", "127.0.0.1", "0"], "port 0 is too low (1 to "),
        (&["echo", "127.0.0.1", "port"], "'port' is not a port"),
        (&["dance"], "unrecognized subcommand 'dance'"),
        (
            &[],
            "no command given; usage: epollo [OPTIONS] <COMMAND>; try 'epollo --help'",
        ),
        (
            &["serve", "--trace", "x.foo"],
            "unknown trace format 'x.foo' (try - for text",
        ),
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
            "'many' is not a positive whole number",
        ),
        (&["sim", "--clients", "0"], "'0' is not a positive"),
        (&["sim", "--seed", "abc"], "'abc' is not a seed (0 to "),
        (&["sim", "--open", "100M"], "100000000 clients are too many"),
        (
            &["sim", "--open", "1k", "--clients", "5"],
            "cannot be used with",
        ),
        (&["sim", "--steps", "0"], "is not a positive whole number"),
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
fn an_address_that_is_written_wrongly_is_answered_with_how_to_write_it() {
    for (arguments, part) in [
        (&["echo=::1:80"][..], "unrecognized subcommand"),
        (
            &["serve", "echo=::1:80"],
            "'::1:80' is not an address (try [::1]:80); ",
        ),
        (&["bench", "::1:80"], "not an address (try [::1]:80); "),
        (
            &["serve", "echo=::1:80x"],
            "is not an address (PORT, IP:PORT, [IPV6]:PORT or NAME:PORT); ",
        ),
        (&["bench", "localhost:0"], "port 0 is too low (1 to 65535)"),
        (&["bench", "[::1]:0"], "port 0 is too low (1 to 65535)"),
        (
            &["bench", "localhost:65536"],
            "port 65536 is too high (1 to 65535)",
        ),
        (
            &["echo", "::1", "65536"],
            "port 65536 is too high (1 to 65535)",
        ),
        (
            &["serve", "--port", "80"],
            "epollo: unexpected argument '--port' found (try echo=80); usage: epollo serve [OPTIONS]",
        ),
        (&["serve", "--port=81"], "(try echo=81); usage: "),
        (&["serve", "echo=::1"], "(try [::1]:PORT)"),
        (&["serve", "--explore", "::1:80"], "(try [::1]:80)"),
        (&["serve", "echo=127.0.0.1"], "(try 127.0.0.1:PORT)"),
        (
            &["serve", "echo=256.0.0.1:80"],
            "'256.0.0.1:80' is not an address (PORT, ",
        ),
        (&["serve", "echo=:80"], "':80' is not an address (PORT, "),
        (&["serve", "echo=localhost:65536"], "port 65536 is too high"),
        (
            &["hello", "127.0.0.1:5000"],
            "separate arguments (try 127.0.0.1 5000); usage: ",
        ),
        (
            &["chat", "localhost:5000", "--quit", "x"],
            "separate arguments (try localhost 5000)",
        ),
        (&["echo", "[::1]:80"], "separate arguments (try ::1 80)"),
    ] {
        let (code, words) = complaint(arguments);
        assert_eq!(code, 2, "{arguments:?}");
        assert!(words.contains(part), "{arguments:?} said {words:?}");
    }
}

#[test]
fn what_is_asked_wrongly_is_answered_with_the_usage_and_where_to_read_more() {
    let serve = "usage: epollo serve [OPTIONS] [SERVICE[=ADDR]]...; try 'epollo serve --help'\n";
    let echo = "usage: epollo echo [OPTIONS] <HOST> <PORT>; try 'epollo echo --help'\n";
    let bench = "usage: epollo bench [OPTIONS] [SERVICE] [ADDR]...; try 'epollo bench --help'\n";
    for (arguments, end) in [
        (
            &["hello"][..],
            "usage: epollo hello [OPTIONS] <HOST> <PORT>; try 'epollo hello --help'\n",
        ),
        (&["-v", "echo", "127.0.0.1", "0"], echo),
        (&["echo", "127.0.0.1", "1", "--timeout", "soon"], echo),
        (&["serve", "--idle-timeout", "0"], serve),
        (&["--color", "never", "serve", "--nonsense"], serve),
        (&["serve", "--prnt"], serve),
        (&["--log-level", "loud", "serve"], serve),
        (
            &["bench", "compare"],
            "usage: epollo bench compare [OPTIONS] <A> <B>; try 'epollo bench compare --help'\n",
        ),
        (&["bench"], bench),
        (&["bench", "foo", "bar"], bench),
        (&["bench", "127.0.0.1:x"], bench),
        (&["bench", "1", "--duration", "1ms"], bench),
        (&["bench", "chat", "1", "--pipeline", "2"], bench),
        (
            &["sim", "--seed"],
            "usage: epollo sim [OPTIONS]; try 'epollo sim --help'\n",
        ),
        (
            &["foo", "serve"],
            "usage: epollo [OPTIONS] <COMMAND>; try 'epollo --help'\n",
        ),
    ] {
        let (code, words) = complaint(arguments);
        assert_eq!(code, 2, "{arguments:?}");
        assert!(words.ends_with(end), "{arguments:?} said {words:?}");
    }
}

#[test]
fn a_wrong_value_of_the_environment_is_laid_at_its_door() {
    for (variable, value) in [
        ("EPOLLO_EXPLORE", "perhaps"),
        ("EPOLLO_CHAT_WITH", "nobody"),
        ("EPOLLO_PRINT", "perhaps"),
        ("EPOLLO_COLOR", "green"),
        ("EPOLLO_VERBOSE", "very"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
        // Not of the variable: an argument that ends as its value does.
        command
            .env(variable, value)
            .args(["serve", "echo=0", "--grace=1s"]);
        let mut process = Epollo::spawn(&mut command);
        assert_eq!(process.code(), 2, "{variable}={value}");
        let words = process.errors();
        let said = format!("(from the environment variable {variable})");
        assert!(words.contains(&said), "{variable}={value} said {words:?}");
    }
    for flag in [
        &["--max-conns", "x"][..],
        &["--max-conns=x"],
        &["-m", "x"],
        &["-mx"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
        command.env("EPOLLO_MAX_CONNS", "x").arg("serve").args(flag);
        let mut process = Epollo::spawn(&mut command);
        assert_eq!(process.code(), 2);
        let words = process.errors();
        assert!(!words.contains("environment"), "{flag:?} said {words:?}");
    }
}

#[test]
fn wherever_an_address_is_asked_for_a_host_may_be_named() {
    let mut process = Epollo::run(&["serve", "echo=localhost:0", "--explore", "localhost:0"]);
    let mut addresses = Vec::new();
    for name in ["echo", "explore"] {
        let line = process.line();
        let address = line.strip_prefix(&format!("listening {name} ")).unwrap();
        addresses.push(address.parse::<SocketAddr>().unwrap());
    }
    assert!(addresses.iter().all(|address| address.ip().is_loopback()));
    let mut echo = connect(addresses[0]);
    echo.write_all(b"x").unwrap();
    assert_eq!(read_exactly(&mut echo, 1), b"x");
    let (code, words) = complaint(&["serve", "chat=no-such-host.invalid:0"]);
    assert_eq!(code, 1);
    let said = "cannot find the host of no-such-host.invalid:0 for chat";
    assert!(words.contains(said), "{words}");
    let (code, words) = complaint(&["hello", "[::1]", "1"]);
    assert_eq!(code, 1);
    assert!(words.contains("cannot connect to [::1]:1"), "{words}");
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
    assert!(process.errors().contains("'soon' is not a duration"));
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
    assert!(words.contains("'soon' is not a duration"), "{words}");
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
    assert!(server.process.error_line().contains("open to anyone"));
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

#[test]
fn a_dumb_terminal_gets_no_colours() {
    for (terminal, has_colours) in [("dumb", false), ("xterm", true)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
        command.args(["serve", "echo=0", "-vv"]);
        let mut screen = Terminal::of(command.env("TERM", terminal).env_remove("NO_COLOR"));
        screen.until("listening echo ");
        let address = screen.until("\r\n").trim().parse().unwrap();
        let _client = connect(address);
        let shown = screen.until("connection from");
        assert_eq!(shown.contains('\u{1b}'), has_colours, "{shown:?}");
    }
}
