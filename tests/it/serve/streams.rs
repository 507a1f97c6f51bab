//! The user's own streams: terminals and pipes of every kind, none of which may block the loop, be
//! left changed, or receive what a hostile peer wants it to receive.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::fs::{OFlags, fcntl_getfl};

use crate::support::terminal::Terminal;
use crate::support::{Epollo, Server, eventually, read_exactly, read_to_end};

fn epollo() -> Command {
    Command::new(env!("CARGO_BIN_EXE_epollo"))
}

#[test]
fn the_echo_client_prompts_on_a_terminal_and_leaves_on_q() {
    let server = Server::start(&["echo=0"]);
    let mut screen = Terminal::run(&["echo", "127.0.0.1", &server.port("echo")]);
    screen.until("Exit(Q to quit) : ");
    screen.type_in("안녕 you\n");
    let shown = screen.until("Exit(Q to quit) : ");
    assert!(
        shown.contains("Message from server : 안녕 you\r\n"),
        "{shown:?}"
    );
    screen.type_in("q\n");
    screen.shows("q\r\n");
    assert_eq!(screen.code(), 0);
}

#[test]
fn the_chat_client_prompts_on_a_terminal_and_end_of_input_quits() {
    let mut server = Server::start(&["chat=0"]);
    let mut screen = Terminal::run(&["chat", "127.0.0.1", &server.port("chat")]);
    let shown = screen.until("me > ");
    assert_eq!(shown, "Connected\r\nme > ");
    screen.type_in("hi\n");
    server.process.line();
    assert_eq!(server.process.line(), "client : hi");
    server.process.type_in("ho\n");
    let shown = screen.until("me > ");
    assert_eq!(shown, "hi\r\nserver : ho\r\nme > ");
    screen.type_in("\u{4}");
    screen.until("Disconnected\r\n");
    assert_eq!(screen.code(), 0);
    assert_eq!(server.process.line(), "client : QUIT");
}

#[test]
fn a_hostile_client_cannot_act_on_the_operators_terminal() {
    let mut screen = Terminal::run(&["serve", "chat=0", "--framing", "line"]);
    let shown = screen.until("\r\n");
    let address = shown.trim().rsplit(' ').next().unwrap().parse().unwrap();
    let mut client = crate::support::connect(address);
    screen.until("\r\n");
    let attack = "\u{1b}]0;owned\u{7}\u{1b}[2J\r한국\u{202e}\u{200b}\u{9b}31m\u{8}";
    client.write_all(attack.as_bytes()).unwrap();
    client.write_all(b"\xff\xc3\n").unwrap();
    let shown = screen.until("me > ");
    assert_eq!(
        shown,
        "client : \\x1b]0;owned\\x07\\x1b[2J\\r한국\\u{202e}\\u{200b}\\u{9b}31m\\x08\\xff\\xc3\r\nme > "
    );
    screen.kill();
}

#[test]
fn our_nonblocking_flag_does_not_leak_into_the_users_terminal_or_pipes() {
    let server = Server::start(&["chat=0", "--chat-with", "echo"]);
    let mut screen = Terminal::run(&["chat", "127.0.0.1", &server.port("chat")]);
    screen.until("me > ");
    assert!(!screen.is_nonblocking(), "while it runs");
    screen.kill();
    assert!(!screen.is_nonblocking(), "after it was killed");

    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let mut command = epollo();
    command.args(["chat", "127.0.0.1", &server.port("chat")]);
    let output = writer.try_clone().unwrap();
    let mut client = Epollo::spawn_with_stdout(&mut command, output.into());
    assert_eq!(read_exactly(&mut File::from(reader), 10), b"Connected\n");
    assert!(!fcntl_getfl(&writer).unwrap().contains(OFlags::NONBLOCK));
    client.end_input();
    assert_eq!(client.code(), 0);
}

/// Runs the echo client with this standard input; its exit code and output.
fn echo_with_input(server: &Server, input: Stdio) -> (Option<i32>, Vec<u8>) {
    let output = epollo()
        .args(["echo", "127.0.0.1", &server.port("echo")])
        .stdin(input)
        .output()
        .unwrap();
    (output.status.code(), output.stdout)
}

#[test]
fn standard_input_may_be_a_file_dev_null_a_socket_or_closed() {
    let server = Server::start(&["echo=0"]);
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let text = std::fs::read(manifest).unwrap();
    let file = File::open(manifest).unwrap();
    assert_eq!(echo_with_input(&server, file.into()), (Some(0), text));
    assert_eq!(echo_with_input(&server, Stdio::null()), (Some(0), vec![]));

    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let big = vec![b'x'; 300_000];
    let copy = big.clone();
    let writing = std::thread::spawn(move || (&ours).write_all(&copy).unwrap());
    let input = OwnedFd::from(theirs);
    assert_eq!(echo_with_input(&server, input.into()), (Some(0), big));
    writing.join().unwrap();

    let script = format!(
        "exec {} echo 127.0.0.1 {} <&-",
        env!("CARGO_BIN_EXE_epollo"),
        server.port("echo")
    );
    let status = Command::new("sh").args(["-c", &script]).status().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn standard_output_may_be_a_socket_and_loses_nothing() {
    let server = Server::start(&["echo=0"]);
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut command = epollo();
    command.args(["echo", "127.0.0.1", &server.port("echo")]);
    let mut client = Epollo::spawn_with_stdout(&mut command, OwnedFd::from(theirs).into());
    drop(command);
    let sent = crate::support::Random::new(3).bytes(500_000);
    let copy = sent.clone();
    let reading = std::thread::spawn(move || read_to_end(&mut ours));
    client.type_in(&copy);
    client.end_input();
    assert_eq!(client.code(), 0);
    assert!(reading.join().unwrap() == sent);
}

#[test]
fn a_server_without_input_quits_its_chat_clients() {
    let mut command = epollo();
    command.args(["serve", "chat=0"]);
    let mut process = Epollo::spawn(&mut command);
    process.end_input();
    let server = Server::of(process, &["chat=0"]);
    let mut client = server.connect("chat");
    client.write_all(b"anybody?\n").unwrap();
    assert_eq!(read_to_end(&mut client), b"QUIT\n");
    server.stop();
}

#[test]
fn a_closed_standard_output_ends_a_client_quietly_and_a_full_one_does_not() {
    let server = Server::start(&["hello=0", "echo=0"]);
    for arguments in [
        ["hello", &server.port("hello")],
        ["echo", &server.port("echo")],
    ] {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        drop(reader);
        let mut command = epollo();
        command.args([arguments[0], "127.0.0.1", arguments[1]]);
        let mut client = Epollo::spawn_with_stdout(&mut command, writer.into());
        client.type_in("text\n");
        assert_eq!(
            (client.code(), client.errors()),
            (0, String::new()),
            "{arguments:?}"
        );

        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut client = Epollo::spawn_with_stdout(&mut command, full.into());
        client.type_in("text\n");
        assert_eq!(client.code(), 1, "{arguments:?}");
        assert!(client.errors().contains("no space left on device"));
    }
    server.stop();
}

#[test]
fn a_server_that_cannot_say_where_it_listens_fails() {
    for page in [&[][..], &["--explore=0"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = epollo();
        command.args(["serve", "chat=0", "echo=0"]).args(page);
        let mut server = Epollo::spawn_with_stdout(&mut command, full.into());
        assert_eq!(server.code(), 1);
        let expected = "epollo: cannot write to standard output: no space left on device\n";
        assert_eq!(server.errors(), expected);
    }
}

#[test]
fn a_server_whose_output_nobody_reads_serves_quietly() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    drop(reader);
    let mut command = epollo();
    command.args(["serve", &format!("chat={address}")]);
    let mut server = Epollo::spawn_with_stdout(&mut command, writer.into());
    server.type_in("answer\n");
    eventually("it listens", || {
        std::net::TcpStream::connect(address).is_ok()
    });
    let mut client = crate::support::connect(address);
    client.write_all(b"question\n").unwrap();
    assert_eq!(read_exactly(&mut client, 7), b"answer\n");
    server.signal(rustix::process::Signal::TERM);
    assert_eq!((server.code(), server.errors()), (0, String::new()));
}

#[test]
fn a_server_goes_on_when_its_standard_output_becomes_full_and_says_so() {
    let mut path = std::env::temp_dir();
    path.push(format!("epollo-output-{}", std::process::id()));
    // A file that may have 1024 bytes (bash counts in KiB, other shells in half of that).
    let script = "ulimit -f 1; exec \"$0\" serve echo=0 --print >\"$1\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, env!("CARGO_BIN_EXE_epollo")]);
    let mut server = Epollo::spawn(command.arg(&path));
    let mut address = None;
    eventually("it says where it listens", || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let line = text
            .strip_suffix('\n')
            .and_then(|line| line.rsplit(' ').next());
        address = line.and_then(|word| word.parse().ok());
        address.is_some()
    });
    let mut client = crate::support::connect(address.unwrap());
    let text = format!("{}\n", "x".repeat(2000));
    for _ in 0..2 {
        client.write_all(text.as_bytes()).unwrap();
        assert_eq!(read_exactly(&mut client, text.len()), text.as_bytes());
    }
    drop(client);
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(server.code(), 0);
    let words = server.errors();
    assert!(
        words.contains("2 lines of output were lost: file too large"),
        "{words}"
    );
    std::fs::remove_file(path).unwrap();
}
