//! Little memory: what the server keeps for slow readers follows what it may have.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::process::Command;

use rustix::process::Signal;

use crate::serve::attacks::raise_descriptor_limit;
use crate::support::{Epollo, Server, fill, read_exactly};

/// `epollo` with this much address space, in KiB, and no more.
fn with_address_space(kibibytes: u64) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -v {kibibytes}; exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_epollo")]);
    command
}

#[test]
fn hundreds_that_never_read_do_not_end_a_server_with_little_address_space() {
    let mut command = with_address_space(36 * 1024);
    let mut server = Server::of(
        Epollo::spawn(command.args(["serve", "-v", "echo=0"])),
        &["echo=0"],
    );
    let mut clients: Vec<TcpStream> = (0..600).map(|_| server.connect("echo")).collect();
    for _ in 0..3 {
        for client in &mut clients {
            client.set_nonblocking(true).unwrap();
            // It fails where the server has left the client.
            let _ = fill(client);
        }
        let mut innocent = server.connect("echo");
        innocent.write_all(b"hello").unwrap();
        assert_eq!(read_exactly(&mut innocent, 5), b"hello");
    }
    drop(clients);
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    let words = server.process.errors();
    assert!(words.contains("--max-buffer is "), "{words}");
}

/// What has come of an unfinished message takes memory that is nobody's unsent bytes.
#[test]
fn thousands_of_half_messages_do_not_end_a_server_with_little_address_space() {
    raise_descriptor_limit();
    let mut command = with_address_space(24 * 1024);
    let arguments = ["chat=0", "--chat-with", "echo", "--framing", "line"];
    let mut server = Server::of(
        Epollo::spawn(command.args(["serve", "-v"]).args(arguments)),
        &arguments,
    );
    let mut first = server.connect("chat");
    let mut clients: Vec<TcpStream> = Vec::new();
    for _ in 0..4_000 {
        let mut client = server.connect("chat");
        match client.write(&[b'm'; 4095]) {
            Ok(count) => assert_eq!(count, 4095),
            // It was turned away.
            Err(error) => assert_ne!(error.kind(), ErrorKind::WouldBlock),
        }
        clients.push(client);
    }
    first.write_all(b"still there?\n").unwrap();
    assert_eq!(read_exactly(&mut first, 13), b"still there?\n");
    drop((first, clients));
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    let words = server.process.errors();
    assert!(words.contains("--max-conns is "), "{words}");
}

/// A server under /sys/fs/cgroup as this script makes it, in a mount namespace of its own; `None` where
/// there can be none.
fn server_in_group(script: &str) -> Option<Server> {
    let script = format!(
        "mount -t tmpfs none /sys/fs/cgroup && cd /sys/fs/cgroup && {script}; \
         exec \"$0\" serve -v echo=0"
    );
    let mut can = Command::new("unshare");
    can.args(["-rm", "sh", "-c", "mount -t tmpfs none /sys/fs/cgroup"]);
    if !can.status().is_ok_and(|status| status.success()) {
        eprintln!(
            "SKIPPED the memory of control groups: unshare(1) is missing or not allowed here"
        );
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &script, env!("CARGO_BIN_EXE_epollo")]);
    Some(Server::of(Epollo::spawn(&mut command), &["echo=0"]))
}

#[test]
fn the_memory_of_a_control_group_bounds_what_is_kept_for_slow_readers() {
    for (script, bound) in [
        ("echo 64000000 >memory.max", 64_000_000),
        // Files that are only cached can be given back.
        (
            "echo 64000000 >memory.max; echo 50000000 >memory.current; \
             echo 'inactive_file 30000000' >memory.stat",
            44_000_000,
        ),
        (
            "mkdir memory; echo 40000000 >memory/memory.limit_in_bytes",
            40_000_000,
        ),
    ] {
        let Some(mut server) = server_in_group(script) else {
            return;
        };
        let words = server.process.error_line();
        let said = format!("--max-buffer is {}k", bound / 2 / 1024);
        assert!(words.contains(&said), "{words} is not {said}");
        server.stop();
    }
    let Some(mut server) = server_in_group("echo max >memory.max") else {
        return;
    };
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    let words = server.process.errors();
    assert!(!words.contains("--max-buffer"), "{words}");
}
