//! Narrow places: small buffers, streams that give no events, memory that must stay bounded. Each of
//! these was once a hang, a wedge or a flood.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use crate::support::{
    Bounded, Epollo, PATIENCE, Random, Server, eventually, read_exactly, read_to_end,
};

fn epollo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
    command.args(arguments);
    command
}

/// An echo server as courses write it, on sockets with a small send buffer.
fn blocking_echo(send_buffer: usize) -> (String, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    socket2::SockRef::from(&listener)
        .set_send_buffer_size(send_buffer)
        .unwrap();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = [0; 1023];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            stream
                .write_all(&buffer[..count])
                .expect("the client reads while it sends");
        }
    });
    (port, serving)
}

#[test]
fn the_echo_client_reads_while_its_own_bytes_wait() {
    let (port, serving) = blocking_echo(4096);
    let sent = Random::new(5).bytes(5_000_000);
    let mut command = epollo(&["echo", "127.0.0.1", &port]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut guard = Bounded(command.spawn().unwrap());
    let client = &mut guard.0;
    let (mut input, mut output) = (client.stdin.take().unwrap(), client.stdout.take().unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            input.write_all(&sent).unwrap();
            drop(input);
        });
        assert!(read_to_end(&mut output) == sent);
    });
    serving.join().unwrap();
    assert_eq!(client.wait().unwrap().code(), Some(0));
}

/// Runs the echo client with this standard output; what came of it.
fn copy_to(server: &Server, output: Stdio, bytes: &[u8]) -> Epollo {
    let mut command = epollo(&["echo", "127.0.0.1", &server.port("echo")]);
    let mut client = Epollo::spawn_with_stdout(&mut command, output);
    client.type_in(bytes);
    client.end_input();
    client
}

#[test]
fn standard_output_may_be_a_tcp_socket() {
    let server = Server::start(&["echo=0"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut ours, _) = listener.accept().unwrap();
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    let sent = Random::new(6).bytes(50_000);
    let mut client = copy_to(&server, OwnedFd::from(theirs).into(), &sent);
    assert!(read_exactly(&mut ours, sent.len()) == sent);
    assert_eq!(client.code(), 0);
}

#[test]
fn a_file_that_takes_only_a_part_is_a_failure_and_no_hang() {
    let server = Server::start(&["echo=0"]);
    let path = std::env::temp_dir().join(format!("epollo-short-{}", std::process::id()));
    // SIGXFSZ is ignored, so that the limit comes as a short write and then EFBIG.
    let script = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} echo 127.0.0.1 {} >{}",
        env!("CARGO_BIN_EXE_epollo"),
        server.port("echo"),
        path.display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let mut client = Epollo::spawn(&mut command);
    client.type_in(Random::new(7).bytes(40_000));
    client.end_input();
    let code = client.code();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(code, 1);
    assert!(client.errors().contains("file too large"));
}

#[test]
fn a_blocking_standard_input_is_never_waited_for() {
    let (_silent, theirs) = UnixStream::pair().unwrap();
    let mut command = epollo(&["serve", "chat=0", "echo=0", "--grace", "200ms"]);
    command.stdin(OwnedFd::from(theirs)).stdout(Stdio::piped());
    let mut guard = Bounded(command.spawn().unwrap());
    let process = &mut guard.0;
    let mut output = std::io::BufReader::new(process.stdout.take().unwrap());
    let mut lines = String::new();
    for _ in 0..2 {
        std::io::BufRead::read_line(&mut output, &mut lines).unwrap();
    }
    let mut addresses = lines
        .lines()
        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap());
    let (chat, echo) = (addresses.next().unwrap(), addresses.next().unwrap());
    // It is the operator's turn, and then nobody reads what is shown any more.
    crate::support::connect(chat).write_all(b"hello\n").unwrap();
    drop(output);
    for _ in 0..3 {
        let mut client = crate::support::connect(echo);
        client.write_all(b"ping").unwrap();
        assert_eq!(read_exactly(&mut client, 4), b"ping");
        crate::support::connect(chat).write_all(b"hello\n").unwrap();
    }
    rustix::process::kill_process(
        rustix::process::Pid::from_child(process),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    let mut code = None;
    eventually("the first signal ends it", || {
        code = process.try_wait().unwrap();
        code.is_some()
    });
    assert_eq!(code.unwrap().code(), Some(0));
}

/// The largest amount of memory that a process has held, in KiB (proc(5): VmHWM).
fn most_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn printing_a_flood_of_lines_costs_no_memory() {
    let full = File::options().write(true).open("/dev/null").unwrap();
    let probe = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = probe.local_addr().unwrap();
    drop(probe);
    let mut command = epollo(&["serve", &format!("echo={}", address.port()), "--print"]);
    let server = Epollo::spawn_with_stdout(&mut command, full.into());
    eventually("it listens", || TcpStream::connect(address).is_ok());
    let flood = vec![b'\n'; 65_536];
    let mut clients: Vec<_> = (0..60).map(|_| crate::support::connect(address)).collect();
    server.signal(rustix::process::Signal::STOP);
    for client in &mut clients {
        client.write_all(&flood).unwrap();
    }
    server.signal(rustix::process::Signal::CONT);
    for client in &mut clients {
        assert!(read_exactly(client, flood.len()) == flood);
    }
    let most = most_memory(server.id());
    assert!(most < 40 * 1024, "{most} KiB");
}

#[test]
fn too_many_unsent_bytes_cost_the_worst_reader_its_place_and_nobody_else() {
    let mut server = Server::start(&["-vv", "echo=0", "--max-buffer", "100k"]);
    let mut other = server.connect("echo");
    // Each of three that never read comes to be owed a full outbox; the worst goes.
    let silent: Vec<_> = (0..3).map(|_| server.connect("echo")).collect();
    std::thread::scope(|scope| {
        for mut stream in &silent {
            scope.spawn(move || {
                // It ends with the connection.
                let _ = stream.write_all(&vec![b'x'; 30 << 20]);
            });
        }
        loop {
            let line = server.process.error_line();
            if line.contains("closed: evicted") {
                break;
            }
        }
        other.write_all(b"fine").unwrap();
        assert_eq!(read_exactly(&mut other, 4), b"fine");
        for stream in &silent {
            // The evicted one is gone already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
    server.stop();
}
