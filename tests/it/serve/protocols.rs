//! hello, echo and chat as the binary serves them, and its own clients against it.

use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

use crate::support::{Epollo, Random, Server, read_exactly, read_to_end};

#[test]
fn hello_greets_and_closes() {
    let server = Server::start(&["hello=0"]);
    assert_eq!(read_to_end(&mut server.connect("hello")), b"Hello World!\0");
    server.stop();
}

#[test]
fn a_greeting_survives_what_the_client_sent_unasked() {
    let server = Server::start(&["hello=0", "--greeting", r"a\n\r\t\0\\\x41"]);
    let mut client = server.connect("hello");
    client.write_all(&[b'x'; 10_000]).unwrap();
    assert_eq!(read_to_end(&mut client), b"a\n\r\t\0\\A");
    server.stop();
}

#[test]
fn the_hello_client_prints_up_to_the_nul() {
    let server = Server::start(&["hello=0", "--greeting", r"안녕\x1b[31m\0garbage"]);
    let mut client = Epollo::run(&["hello", "127.0.0.1", &server.port("hello")]);
    assert_eq!(client.code(), 0);
    let shown = String::from_utf8(client.rest()).unwrap();
    assert_eq!(shown, "Message from server: 안녕\\x1b[31m\n");
}

#[test]
fn echo_gives_back_a_megabyte_after_a_half_close() {
    let server = Server::start(&["echo=0"]);
    let mut client = server.connect("echo");
    let sent = Random::new(1).bytes(1_000_000);
    let mut writer = client.try_clone().unwrap();
    let copy = sent.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&copy).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    writing
        .join()
        .unwrap_or_else(|_| panic!("the server takes a megabyte while nobody reads"));
    assert!(
        read_to_end(&mut client) == sent,
        "every byte comes back, then the end"
    );
    server.stop();
}

#[test]
fn a_reader_that_pauses_loses_nothing_after_a_half_close() {
    let server = Server::start(&["echo=0"]);
    let mut client = server.connect("echo");
    let sent = Random::new(4).bytes(20_000_000);
    let mut writer = client.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            writer.write_all(&sent).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        // The pause is the experiment: by then everything is full, and the writer stuck.
        std::thread::sleep(Duration::from_secs(1));
        assert!(read_to_end(&mut client) == sent);
    });
    server.stop();
}

#[test]
fn the_echo_client_copies_a_pipe_byte_for_byte() {
    let server = Server::start(&["echo=0"]);
    let sent = Random::new(2).bytes(3_000_000);
    let mut client = Epollo::run(&["echo", "127.0.0.1", &server.port("echo")]);
    client.type_in(&sent);
    client.end_input();
    assert_eq!(client.code(), 0, "{}", client.errors());
    let mut received = client.rest();
    if !sent.ends_with(b"\n") {
        received.pop();
    }
    assert!(received == sent);
}

#[test]
fn the_echo_client_counts_what_a_server_loses_and_changes() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut client = Epollo::run(&["echo", "127.0.0.1", &port]);
    client.type_in("abcdef");
    client.end_input();
    let (mut stream, _) = listener.accept().unwrap();
    assert_eq!(read_to_end(&mut stream), b"abcdef");
    stream.write_all(b"aBcd").unwrap();
    drop(stream);
    assert_eq!(client.code(), 1);
    assert!(client.rest().starts_with(b"aBcd"));
    let words = client.errors();
    assert!(
        words.contains("of 6 bytes sent, 2 lost, 1 changed"),
        "{words}"
    );
    assert_eq!(words.lines().count(), 1, "{words}");
}

#[test]
fn a_quit_word_ends_an_echo_and_only_as_a_whole_message() {
    let server = Server::start(&["echo=0", "--quit", "exit"]);
    let mut client = server.connect("echo");
    client.write_all(b"exit now\nexi").unwrap();
    assert_eq!(read_exactly(&mut client, 12), b"exit now\nexi");
    client.write_all(b"t\nmore").unwrap();
    assert_eq!(read_to_end(&mut client), b"t\n");
    let mut client = server.connect("echo");
    client.write_all(b"exit").unwrap();
    assert_eq!(read_to_end(&mut client), b"exit", "a silence ends it too");
    server.stop();
}

#[test]
fn print_shows_what_echo_clients_send_escaped() {
    let mut server = Server::start(&["echo=0", "--print"]);
    let mut client = server.connect("echo");
    let korean = "한".as_bytes();
    client.write_all(&korean[..2]).unwrap();
    read_exactly(&mut client, 2);
    client
        .write_all(&[&korean[2..], b"\x1b[2J\r\n"].concat())
        .unwrap();
    read_exactly(&mut client, 7);
    assert_eq!(server.process.line(), "message from client : 한\\x1b[2J");
}

#[test]
fn an_operator_and_a_client_talk_in_turns() {
    let mut server = Server::start(&["chat=0"]);
    let mut client = Epollo::run(&["chat", "127.0.0.1", &server.port("chat")]);
    assert_eq!(client.line(), "Connected");
    let joined = server.process.line();
    assert!(joined.starts_with("Connection from 127.0.0.1:"), "{joined}");
    // Both operator lines are there before it is the operator's turn; each goes out in its own.
    server.process.type_in("하나\n둘\n");
    client.type_in("안녕하세요\n");
    assert_eq!(server.process.line(), "client : 안녕하세요");
    assert_eq!(client.line(), "server : 하나");
    client.type_in("또\n");
    assert_eq!(server.process.line(), "client : 또");
    assert_eq!(client.line(), "server : 둘");
    client.type_in("QUIT\n");
    assert_eq!(server.process.line(), "client : QUIT");
    assert_eq!(server.process.line(), "Disconnected");
    assert_eq!(client.line(), "Disconnected");
    assert_eq!(client.code(), 0);
    server.stop();
}

#[test]
fn the_operator_quits_too() {
    let mut server = Server::start(&["chat=0", "--once"]);
    let mut client = Epollo::run(&["chat", "127.0.0.1", &server.port("chat")]);
    client.type_in("hi\n");
    server.process.type_in("QUIT\n");
    assert_eq!(client.line(), "Connected");
    assert_eq!(client.line(), "server : QUIT");
    assert_eq!(client.line(), "Disconnected");
    assert_eq!(client.code(), 0);
    assert_eq!(server.process.code(), 0, "--once ends with its client");
    let shown = String::from_utf8(server.process.rest()).unwrap();
    assert!(shown.ends_with("client : hi\nDisconnected\n"), "{shown}");
}

#[test]
fn the_operator_answers_whoever_has_waited_longest() {
    let mut server = Server::start(&["chat=0", "--framing", "line"]);
    let mut first = server.connect("chat");
    let first_name = first.local_addr().unwrap();
    server.process.line();
    let mut second = server.connect("chat");
    let second_name = second.local_addr().unwrap();
    server.process.line();
    second.write_all(b"from two\n").unwrap();
    assert_eq!(
        server.process.line(),
        format!("client {second_name} : from two")
    );
    first.write_all(b"from one\n").unwrap();
    assert_eq!(
        server.process.line(),
        format!("client {first_name} : from one")
    );
    server.process.type_in("to two\nto one\n");
    assert_eq!(read_exactly(&mut second, 7), b"to two\n");
    assert_eq!(read_exactly(&mut first, 7), b"to one\n");
    server.stop();
}

#[test]
fn a_pair_alternates_and_what_is_out_of_turn_waits() {
    let server = Server::start(&["chat=0", "--chat-with", "pair", "--framing", "line"]);
    let mut first = server.connect("chat");
    let mut second = server.connect("chat");
    second.write_all(b"b1\nb2\n").unwrap();
    first.write_all(b"a1\n").unwrap();
    assert_eq!(read_exactly(&mut second, 3), b"a1\n");
    assert_eq!(read_exactly(&mut first, 3), b"b1\n");
    first.write_all(b"a2\n").unwrap();
    assert_eq!(read_exactly(&mut first, 3), b"b2\n");
    assert_eq!(read_exactly(&mut second, 3), b"a2\n");
    drop(second);
    assert_eq!(read_to_end(&mut first), b"", "one leaving ends the other");
    server.stop();
}

#[test]
fn an_overlong_message_is_refused_and_one_at_the_limit_is_not() {
    let server = Server::start(&["chat=0", "--chat-with", "echo", "--max-message", "10"]);
    let mut client = server.connect("chat");
    client.write_all(b"0123456789\n").unwrap();
    assert_eq!(read_exactly(&mut client, 11), b"0123456789\n");
    client.write_all(b"0123456789a\n").unwrap();
    assert_eq!(read_to_end(&mut client), b"message too long\n");
    server.stop();
}

#[test]
fn a_line_too_long_for_one_message_goes_on_to_the_same_client() {
    let mut server = Server::start(&["chat=0", "--framing", "line"]);
    let mut first = server.connect("chat");
    server.process.line();
    let mut second = server.connect("chat");
    server.process.line();
    first.write_all(b"1\n").unwrap();
    server.process.line();
    second.write_all(b"2\n").unwrap();
    server.process.line();
    let long = "x".repeat(1500);
    server.process.type_in(format!("{long}\nshort\n"));
    assert_eq!(read_exactly(&mut second, 6), b"short\n");
    assert_eq!(read_exactly(&mut first, 1024).len(), 1024);
    first.write_all(b"and?\n").unwrap();
    let rest = read_exactly(&mut first, 1500 - 1023 + 1);
    assert!(rest.starts_with(b"xxx") && rest.ends_with(b"x\n"));
    server.stop();
}

#[test]
fn once_with_pairs_serves_one_pair() {
    let mut server = Server::start(&[
        "chat=0",
        "--once",
        "--chat-with",
        "pair",
        "--framing",
        "line",
    ]);
    let mut first = server.connect("chat");
    let mut second = server.connect("chat");
    first.write_all(b"QUIT\n").unwrap();
    assert_eq!(read_to_end(&mut second), b"QUIT\n");
    drop((first, second));
    assert_eq!(server.process.code(), 0);
}

#[test]
fn a_client_that_drops_an_overlong_message_says_so() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut client = Epollo::run(&["chat", "--framing", "line", "127.0.0.1", &port]);
    client.type_in("hi\n");
    let (mut stream, _) = listener.accept().unwrap();
    assert_eq!(read_exactly(&mut stream, 3), b"hi\n");
    stream.write_all(&[b'x'; 70_000]).unwrap();
    assert_eq!(client.code(), 1);
    assert!(client.errors().contains("message too long"));
}

#[test]
fn a_quit_word_too_long_for_a_frame_still_ends_the_talk() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut client = Epollo::run(&["chat", "--framing", "padded:4", "127.0.0.1", &port]);
    client.end_input();
    let (mut stream, _) = listener.accept().unwrap();
    stream
        .set_read_timeout(Some(crate::support::PATIENCE))
        .unwrap();
    assert_eq!(read_to_end(&mut stream), b"QUI\0T\0\0\0");
    drop(stream);
    assert_eq!(client.code(), 0);
}
