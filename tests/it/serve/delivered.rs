//! Delivered means acknowledged: what the kernel still holds when the program has handed it over is watched,
//! bounded and waited for. Real sockets, with the buffers that Linux gives them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use procfs::net::TcpState;
use rustix::process::Signal;
use socket2::SockRef;

use crate::kernel::facts::endings::reset;
use crate::support::{Random, Server, eventually, fill, read_exactly, read_to_end, sockets_at};

/// Reads as an application does that takes so many bytes a second, in small pieces; `meanwhile` is called
/// before each. What came until the end, or the error.
fn read_slowly(
    stream: &mut TcpStream,
    bytes_per_second: u32,
    mut meanwhile: impl FnMut(&TcpStream),
) -> std::io::Result<Vec<u8>> {
    let mut buffer = [0; 4096];
    let mut received = Vec::new();
    let began = Instant::now();
    loop {
        meanwhile(stream);
        match stream.read(&mut buffer)? {
            0 => return Ok(received),
            count => received.extend_from_slice(&buffer[..count]),
        }
        let due = Duration::from_secs(received.len() as u64) / bytes_per_second;
        // The pace is what is tested, not a wait for luck.
        std::thread::sleep(due.saturating_sub(began.elapsed()));
    }
}

/// The bytes in the send and receive queues of the server's connections at this address.
fn queues(address: SocketAddr) -> Vec<(u32, u32)> {
    let mut sockets = sockets_at(address);
    // What waits its time out may be of a server that was here before.
    sockets.retain(|socket| !matches!(socket.state, TcpState::Listen | TcpState::TimeWait));
    let queues = sockets
        .iter()
        .map(|socket| (socket.tx_queue, socket.rx_queue));
    queues.collect()
}

/// Sends until the server takes no more for a while, and reads nothing.
fn fill_up(stream: &mut TcpStream) -> usize {
    stream.set_nonblocking(true).unwrap();
    let mut sent = 0;
    let mut moved = Instant::now();
    while moved.elapsed() < Duration::from_millis(200) {
        match fill(stream).expect("it is open while it is filled") {
            0 => std::thread::yield_now(),
            count => {
                sent += count;
                moved = Instant::now();
            }
        }
    }
    stream.set_nonblocking(false).unwrap();
    sent
}

#[test]
fn a_reader_that_is_slow_and_never_pauses_gets_every_byte() {
    let server = Server::start(&["echo=0", "--write-timeout", "600ms"]);
    let mut client = server.connect("echo");
    let sent = Random::new(1).bytes(8 << 20);
    let mut writer = client.try_clone().unwrap();
    let received = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Where it fails, the reader tells.
            let _ = writer.write_all(&sent);
            let _ = writer.shutdown(Shutdown::Write);
        });
        read_slowly(&mut client, 1_500_000, |_| {})
    });
    let received = received.expect("it takes something all the time");
    assert!(received == sent, "{} of {}", received.len(), sent.len());
    server.stop();
}

#[test]
fn after_a_signal_a_slow_talker_gets_all_that_it_is_owed() {
    let mut server = Server::start(&["echo=0", "--grace", "15s"]);
    let mut client = server.connect("echo");
    let sent = Random::new(2).bytes(1_500_000);
    let mut writer = client.try_clone().unwrap();
    writer.write_all(&sent).unwrap();
    assert_eq!(read_exactly(&mut client, 1), sent[..1]);
    let address = server.address("echo");
    eventually("it is not read, since it does not read", || {
        queues(address).iter().any(|&(_, unread)| unread > 64 << 10)
    });
    server.process.signal(Signal::TERM);
    let mut pieces = 0;
    let received = read_slowly(&mut client, 300_000, |mut stream| {
        pieces += 1;
        // It talks on while it reads; nobody listens any more, and that must not cost it a byte.
        if pieces % 32 == 0 {
            let _ = stream.write_all(b"!");
        }
    });
    let received = received.expect("the end, and no reset");
    assert!(received.starts_with(&sent[1..]), "{} bytes", received.len());
    drop((client, writer));
    assert_eq!(server.process.code(), 0);
}

#[test]
fn what_had_arrived_before_the_signal_is_answered() {
    let mut server = Server::start(&["echo=0"]);
    let mut client = server.connect("echo");
    client.write_all(b"a").unwrap();
    assert_eq!(read_exactly(&mut client, 1), b"a");
    server.process.signal(Signal::STOP);
    let sent = Random::new(3).bytes(100_000);
    client.write_all(&sent).unwrap();
    let address = server.address("echo");
    eventually("all of it has arrived", || {
        queues(address)
            .iter()
            .map(|&(_, unread)| unread)
            .sum::<u32>()
            == 100_000
    });
    server.process.signal(Signal::TERM);
    server.process.signal(Signal::CONT);
    let received = read_to_end(&mut client);
    assert!(received == sent, "{} of {}", received.len(), sent.len());
    drop(client);
    assert_eq!(server.process.code(), 0);
}

#[test]
fn who_never_reads_keeps_its_place_and_the_kernel_forgets_it_in_the_end() {
    // Long enough that the second client comes before it has passed, also on a busy machine.
    let arguments = ["echo=0", "--per-ip", "1", "--write-timeout", "4s"];
    let server = Server::start(&arguments);
    let mut client = server.connect("echo");
    client.write_all(&[b'x'; 200_000]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let address = server.address("echo");
    eventually("everything is the kernel's", || {
        queues(address)
            .iter()
            .any(|&(unsent, unread)| unsent > 1 && unread == 0)
    });
    // Both halves have ended, and yet it takes the one place of its address.
    let mut second = server.connect("echo");
    let turned_away = second
        .write_all(b"?")
        .and_then(|()| second.read(&mut [0; 8]));
    assert!(
        !matches!(turned_away, Ok(1)),
        "it was served: {turned_away:?}"
    );
    eventually("the kernel has forgotten it", || queues(address).is_empty());
    let mut rest = Vec::new();
    let ending = client.read_to_end(&mut rest).unwrap_err();
    assert_eq!(ending.kind(), ErrorKind::ConnectionReset);
    let mut third = server.connect("echo");
    third.write_all(b"!").unwrap();
    assert_eq!(read_exactly(&mut third, 1), b"!");
    drop((client, second, third));
    server.stop();
}

#[test]
fn of_many_from_one_address_that_never_read_all_but_one_are_turned_away() {
    let server = Server::start(&["echo=0", "--per-ip", "1", "--max-conns", "4"]);
    let address = server.address("echo");
    let orphans: Vec<_> = (0..60)
        .map(|_| {
            let mut client = server.connect("echo");
            // Those that are turned away may find out at once.
            let _ = client.write_all(&[b'x'; 200_000]);
            let _ = client.shutdown(Shutdown::Write);
            client
        })
        .collect();
    eventually("one is left", || queues(address).len() == 1);
    let held: u32 = queues(address).iter().map(|&(unsent, _)| unsent).sum();
    assert!(held < 256 << 10, "{held} bytes");
    drop(orphans);
    server.stop();
}

#[test]
fn the_kernel_keeps_little_for_a_client_that_never_reads() {
    let server = Server::start(&["echo=0"]);
    let mut client = server.connect("echo");
    // What arrives in the client's own kernel is not the server's.
    SockRef::from(&client).set_recv_buffer_size(4096).unwrap();
    let sent = fill_up(&mut client);
    let (unsent, _) = queues(server.address("echo"))[0];
    assert!(sent > 256 << 10, "it was filled: {sent}");
    assert!(unsent <= 192 << 10, "{unsent} bytes wait in the kernel");
    drop(client);
    server.stop();
}

#[test]
fn the_kernel_keeps_as_much_as_it_likes_where_it_is_told_so() {
    let server = Server::start(&["echo=0", "--send-buffer", "kernel"]);
    let mut client = server.connect("echo");
    fill_up(&mut client);
    let (unsent, _) = queues(server.address("echo"))[0];
    assert!(unsent > 192 << 10, "only {unsent} bytes wait in the kernel");
    drop(client);
    server.stop();
}

#[test]
fn bytes_that_only_the_kernel_holds_are_waited_for_no_longer_than_the_write_timeout() {
    let server = Server::start(&["-vv", "echo=0", "--write-timeout", "400ms"]);
    let mut client = server.connect("echo");
    SockRef::from(&client).set_recv_buffer_size(4096).unwrap();
    client.write_all(&[b'x'; 50_000]).unwrap();
    let began = Instant::now();
    // It says a byte now and then, which is no reading.
    eventually("it is closed", || {
        std::thread::sleep(Duration::from_millis(50));
        client.write_all(b"y").is_err()
    });
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    let mut server = server;
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    assert!(server.process.errors().contains("closed: WriteStalled"));
}

#[test]
fn a_reset_out_of_turn_is_noticed() {
    let mut server = Server::start(&["-vvv", "chat=0", "--framing", "line"]);
    let descriptors = server.descriptors();
    let mut client = server.connect("chat");
    client.write_all(b"one\n").unwrap();
    let line = server.process.line();
    assert!(line.starts_with("Connection from "), "{line}");
    assert_eq!(server.process.line(), "client : one");
    client.write_all(b"two\n").unwrap();
    let address = server.address("chat");
    eventually("the second message waits", || {
        queues(address).iter().any(|&(_, unread)| unread == 4)
    });
    reset(client);
    assert_eq!(server.process.line(), "Disconnected");
    eventually("its place is free", || server.descriptors() == descriptors);
    server.stop();
}

#[test]
fn a_hangup_drains_as_a_termination_does() {
    let mut server = Server::start(&["echo=0"]);
    let mut client = server.connect("echo");
    client.write_all(b"a").unwrap();
    assert_eq!(read_exactly(&mut client, 1), b"a");
    server.process.signal(Signal::HUP);
    assert_eq!(read_to_end(&mut client), b"");
    drop(client);
    assert_eq!(server.process.code(), 0);
}

#[test]
fn a_hangup_that_was_ignored_stays_ignored() {
    let mut command = std::process::Command::new("nohup");
    command.args([env!("CARGO_BIN_EXE_epollo"), "serve", "echo=0"]);
    let server = Server::of(crate::support::Epollo::spawn(&mut command), &["echo=0"]);
    let mut client = server.connect("echo");
    server.process.signal(Signal::HUP);
    client.write_all(b"still there").unwrap();
    assert_eq!(read_exactly(&mut client, 11), b"still there");
    drop(client);
    server.stop();
}

#[test]
fn who_waits_to_be_accepted_at_the_signal_is_answered_too() {
    let mut server = Server::start(&["echo=0"]);
    let mut first = server.connect("echo");
    first.write_all(b"a").unwrap();
    assert_eq!(read_exactly(&mut first, 1), b"a");
    server.process.signal(Signal::STOP);
    let mut clients: Vec<_> = (0..300).map(|_| server.connect("echo")).collect();
    for client in &mut clients {
        client.write_all(b"x").unwrap();
    }
    server.process.signal(Signal::TERM);
    server.process.signal(Signal::CONT);
    for client in &mut clients {
        assert_eq!(read_to_end(client), b"x");
    }
    drop((first, clients));
    assert_eq!(server.process.code(), 0);
}

#[test]
fn a_chat_message_that_only_silence_would_end_is_answered_at_the_signal() {
    for framing in ["auto", "chunk"] {
        let arguments = ["chat=0", "--chat-with", "echo", "--framing", framing];
        let mut server = Server::start(&arguments);
        let mut client = server.connect("chat");
        client.write_all(b"save this").unwrap();
        let address = server.address("chat");
        eventually("it was read", || {
            queues(address).iter().any(|&(_, unread)| unread == 0)
        });
        server.process.signal(Signal::TERM);
        assert_eq!(read_to_end(&mut client), b"save thisQUIT", "{framing}");
        drop(client);
        assert_eq!(server.process.code(), 0);
    }
}

#[test]
fn a_reader_is_not_idle_as_long_as_it_acknowledges() {
    let server = Server::start(&["echo=0", "--idle-timeout", "500ms"]);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    // Set before the handshake it keeps the window small, so that acknowledgements come all the time.
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&server.address("echo").into()).unwrap();
    let mut client = TcpStream::from(socket);
    let sent = Random::new(4).bytes(120_000);
    client.write_all(&sent).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let received = read_slowly(&mut client, 50_000, |_| {});
    assert!(received.expect("it takes something all the time") == sent);
    server.stop();
}
