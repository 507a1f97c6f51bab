//! Clients and servers that do not do their part: `epollo echo` in a pipe ends with a verdict whatever
//! the server does, a connection that does not come about is told, and an interrupt tells the counts.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use socket2::{Domain, SockRef, Socket, Type};

use crate::support::{Epollo, PATIENCE, read_exactly, read_to_end};

/// One client's server, which does `serve` and then stays open until the client is gone.
struct Fake {
    port: String,
    serving: JoinHandle<()>,
    gone: Sender<()>,
}

impl Fake {
    fn serve(serve: impl FnOnce(&mut TcpStream) + Send + 'static) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let (gone, is_gone) = channel();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            serve(&mut stream);
            // Its sender is dropped then.
            let _ = is_gone.recv();
        });
        Fake {
            port,
            serving,
            gone,
        }
    }

    /// The client is gone.
    fn end(self) {
        drop(self.gone);
        // One that never connected must not keep us.
        drop(TcpStream::connect(format!("127.0.0.1:{}", self.port)));
        self.serving.join().unwrap();
    }

    /// Runs our client with this input and timeout: its exit code, its output, its words.
    fn echo(self, timeout: &str, input: &[u8]) -> (i32, Vec<u8>, String) {
        let arguments = ["echo", "127.0.0.1", &self.port, "--timeout", timeout];
        let ran = run_with_input(&arguments, input);
        self.end();
        ran
    }
}

/// The input is a file, so that it ends whether or not it is read; the output is a file, too.
fn run_with_input(arguments: &[&str], input: &[u8]) -> (i32, Vec<u8>, String) {
    let mut path = std::env::temp_dir();
    path.push(format!("epollo-patience-{}", arguments[2]));
    std::fs::write(&path, input).unwrap();
    let output = path.with_extension("out");
    let mut command = crate::support::program();
    command.args(arguments);
    let stdin = std::fs::File::open(&path).unwrap().into();
    let stdout = std::fs::File::create(&output).unwrap().into();
    let streams = [stdin, stdout, std::process::Stdio::piped()];
    let mut client = Epollo::spawn_with(&mut command, streams);
    let ran = (
        client.code(),
        std::fs::read(&output).unwrap(),
        client.errors(),
    );
    std::fs::remove_file(path).unwrap();
    std::fs::remove_file(output).unwrap();
    ran
}

#[test]
fn a_server_that_answers_all_and_stays_open_is_faithful() {
    let fake = Fake::serve(|stream| {
        let bytes = read_exactly(stream, 6);
        stream.write_all(&bytes).unwrap();
    });
    let began = Instant::now();
    let ran = fake.echo("10s", b"abcdef");
    assert_eq!(ran, (0, b"abcdef".to_vec(), String::new()));
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(8),
        "it need not time out: {took:?}"
    );
}

#[test]
fn a_server_that_answers_nothing_is_left_after_the_timeout() {
    let fake = Fake::serve(|stream| drop(read_to_end(stream)));
    let (code, output, words) = fake.echo("300ms", b"abcdef");
    assert_eq!((code, output), (1, Vec::new()));
    let told = "of 6 bytes sent, 6 lost, 0 changed, 0 too many";
    assert!(
        words.contains(told) && words.contains("nothing for 300ms"),
        "{words}"
    );
}

#[test]
fn a_server_that_reads_nothing_is_left_after_the_timeout_though_the_input_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let input = vec![b'x'; 40 << 20];
    let arguments = ["echo", "127.0.0.1", &port, "--timeout", "300ms"];
    let (code, output, words) = run_with_input(&arguments, &input);
    assert_eq!((code, output), (1, Vec::new()));
    assert!(words.contains("nothing for 300ms"), "{words}");
}

#[test]
fn a_server_that_loses_a_byte_and_stays_open_is_told() {
    let fake = Fake::serve(|stream| {
        let bytes = read_exactly(stream, 6);
        stream.write_all(&bytes[..5]).unwrap();
    });
    let (code, output, words) = fake.echo("300ms", b"abcdef");
    assert_eq!((code, output), (1, b"abcde".to_vec()));
    assert!(
        words.contains("of 6 bytes sent, 1 lost, 0 changed, 0 too many"),
        "{words}"
    );
}

#[test]
fn a_server_that_loses_a_byte_and_ends_is_told() {
    let fake = Fake::serve(|stream| {
        let bytes = read_to_end(stream);
        stream.write_all(&bytes[..5]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    });
    let (code, output, words) = fake.echo("10s", b"abcdef");
    assert_eq!((code, output), (1, b"abcde".to_vec()));
    let told = "ended the connection before everything had come back: of 6 bytes sent, 1 lost";
    assert!(words.contains(told), "{words}");
}

#[test]
fn a_server_that_changes_a_byte_and_stays_open_is_told() {
    let fake = Fake::serve(|stream| {
        let mut bytes = read_exactly(stream, 6);
        bytes[3] ^= 1;
        stream.write_all(&bytes).unwrap();
    });
    let (code, output, words) = fake.echo("10s", b"abcdef");
    assert_eq!((code, output), (1, b"abceef".to_vec()));
    assert!(
        words.contains("of 6 bytes sent, 0 lost, 1 changed, 0 too many"),
        "{words}"
    );
}

#[test]
fn a_server_that_never_stops_is_left_at_the_first_byte_too_many() {
    let fake = Fake::serve(|stream| while stream.write_all(&[b'a'; 65_536]).is_ok() {});
    let (code, output, words) = fake.echo("10s", b"aaaaaa");
    assert_eq!(code, 1, "{words}");
    assert!(
        output.len() <= 6,
        "{} bytes: nothing but what was sent goes out",
        output.len()
    );
    assert!(words.contains(" too many"), "{words}");
    assert!(!words.contains(" 0 too many"), "{words}");
}

#[test]
fn a_server_that_resets_the_connection_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut client = Epollo::run(&["echo", "127.0.0.1", &port]);
    client.type_in("abcdef");
    let (mut stream, _) = listener.accept().unwrap();
    read_exactly(&mut stream, 6);
    let socket = SockRef::from(&stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
    assert_eq!(client.code(), 1);
    let words = client.errors();
    let told = "broke the connection: connection reset by peer: of 6 bytes sent, 6 lost";
    assert!(words.contains(told), "{words}");
}

#[test]
fn a_byte_too_many_after_the_end_is_told() {
    let fake = Fake::serve(|stream| {
        let bytes = read_to_end(stream);
        stream.write_all(&bytes).unwrap();
        stream.write_all(b"!").unwrap();
    });
    let (code, output, words) = fake.echo("10s", b"abcdef");
    assert_eq!((code, output), (1, b"abcdef".to_vec()));
    assert!(
        words.contains("of 6 bytes sent, 0 lost, 0 changed, 1 too many"),
        "{words}"
    );
}

#[test]
fn a_server_that_ends_without_reading_is_told_though_the_input_goes_on() {
    let (typed, is_typed) = channel::<()>();
    let fake = Fake::serve(move |stream| {
        // Its sender is dropped then.
        let _ = is_typed.recv();
        stream.shutdown(Shutdown::Write).unwrap();
    });
    let mut client = Epollo::run(&["echo", "127.0.0.1", &fake.port, "--timeout", "1s"]);
    client.type_in([b'x'; 300_000]);
    drop(typed);
    assert_eq!(client.code(), 1);
    let words = client.errors();
    assert!(
        words.contains("ended the connection before the input ended"),
        "{words}"
    );
    assert!(!words.contains(" 0 lost"), "{words}");
    fake.end();
}

#[test]
fn a_server_that_is_slow_but_never_silent_for_the_timeout_is_waited_for() {
    let fake = Fake::serve(|stream| {
        let bytes = read_to_end(stream);
        for byte in bytes {
            // No waiting for luck: to be slow is what is tried.
            std::thread::sleep(Duration::from_millis(400));
            stream.write_all(&[byte]).unwrap();
        }
    });
    let ran = fake.echo("1500ms", b"abcdef");
    assert_eq!(ran, (0, b"abcdef".to_vec(), String::new()));
}

#[test]
fn an_interrupt_in_a_pipe_tells_the_counts() {
    let ways = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)];
    for (signal, expected) in ways {
        let fake = Fake::serve(|stream| {
            let bytes = read_exactly(stream, 6);
            stream.write_all(&bytes[..4]).unwrap();
        });
        let mut client = Epollo::run(&["echo", "127.0.0.1", &fake.port]);
        client.type_in("abc\nde");
        assert_eq!(client.line(), "abc");
        client.signal(signal);
        assert_eq!(client.code(), expected);
        let words = client.errors();
        let told = "interrupted: of 6 bytes sent, 2 have not come back, 0 changed, 0 too many";
        assert!(words.contains(told), "{words}");
        fake.end();
    }
}

/// A port where connecting takes for ever: its queue is full, and the kernel drops who asks.
struct Deaf {
    _listener: Socket,
    _queued: Vec<Socket>,
    address: SocketAddr,
}

impl Deaf {
    fn new() -> Deaf {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let queued = (0..4).map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            // It is in progress, or stays so.
            let _ = socket.connect(&address);
            socket
        });
        Deaf {
            _queued: queued.collect(),
            _listener: listener,
            address: address.as_socket().unwrap(),
        }
    }
}

#[test]
fn a_connection_that_takes_long_is_told_and_can_be_interrupted() {
    let deaf = Deaf::new();
    let port = deaf.address.port().to_string();
    for (client, signal, code) in [
        ("hello", Signal::HUP, 129),
        ("echo", Signal::INT, 130),
        ("chat", Signal::TERM, 143),
    ] {
        let mut process = Epollo::run(&[client, "127.0.0.1", &port]);
        let expected = format!("epollo: still connecting to {}", deaf.address);
        assert_eq!(process.error_line(), expected);
        process.signal(signal);
        assert_eq!(process.code(), code);
        assert_eq!(process.rest(), b"", "nothing on standard output");
    }
}

#[test]
fn a_connection_that_takes_too_long_is_given_up() {
    let deaf = Deaf::new();
    let port = deaf.address.port().to_string();
    let mut clients = ["hello", "echo", "chat"]
        .map(|client| (client, Epollo::run(&[client, "127.0.0.1", &port])));
    for (client, process) in &mut clients {
        assert_eq!(process.code(), 1, "{client}");
        let words = process.errors();
        let expected = format!("epollo: cannot connect to {}: no answer", deaf.address);
        assert!(words.contains(&expected), "{client}: {words}");
    }
}

#[test]
fn a_chat_client_in_a_pipe_counts_what_a_server_that_left_was_not_sent() {
    let dialogues: [(&[(&str, &str)], _, _); 3] = [
        (&[("one\n", "")], 1, "ended the connection: 2 lines"),
        (
            &[("one\n", "yes\n"), ("two\n", "")],
            1,
            "ended the connection: 1 line",
        ),
        (&[("one\n", "QUIT\n")], 0, "quit: 2 lines"),
    ];
    for (dialogue, code, words) in dialogues {
        let server = Fake::serve(move |stream| {
            for (heard, answer) in dialogue {
                assert_eq!(read_exactly(stream, heard.len()), heard.as_bytes());
                stream.write_all(answer.as_bytes()).unwrap();
            }
            stream.shutdown(Shutdown::Write).unwrap();
        });
        let arguments = ["chat", "127.0.0.1", &server.port, "--framing", "line"];
        let (ended, shown, said) = run_with_input(&arguments, b"one\ntwo\nthree\nQUIT\nfour\n");
        server.end();
        assert_eq!(ended, code, "{said}");
        assert!(
            said.contains(words) && said.contains(" of the input w"),
            "{said}"
        );
        assert!(shown.ends_with(b"Disconnected\n"));
    }
}
