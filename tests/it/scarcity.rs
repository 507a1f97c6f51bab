//! The machine has nothing left for another connection: nobody is stranded, nothing spins.

use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Epollo, Server, read_exactly};

/// How long the clients wait while no descriptor comes free.
const WAITING: Duration = Duration::from_secs(2);
/// 2 % of that, in clock ticks of 10 ms (USER_HZ, time(7)).
const TICKS_MAX: u64 = 4;
/// How soon a waiting client is served once a descriptor is free.
const SERVED_WITHIN: Duration = Duration::from_millis(50);

/// Processor time that a process has used, in clock ticks (proc(5): utime, stime).
fn ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Whether the server has answered this client yet.
fn is_served(client: &TcpStream) -> bool {
    client.set_nonblocking(true).unwrap();
    let is_served = client.peek(&mut [0]).is_ok();
    client.set_nonblocking(false).unwrap();
    is_served
}

#[test]
fn out_of_descriptors_every_client_is_served_as_soon_as_one_comes_free() {
    if Command::new("prlimit").arg("--version").output().is_err() {
        eprintln!(
            "SKIPPED out_of_descriptors: prlimit is not installed (Debian package util-linux)"
        );
        return;
    }
    let mut command = Command::new("prlimit");
    command.args([
        "--nofile=64",
        env!("CARGO_BIN_EXE_epollo"),
        "serve",
        "echo=0",
    ]);
    let mut server = Server::of(Epollo::spawn(&mut command), &["echo=0"]);
    let mut clients: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut client = server.connect("echo");
            client.write_all(b"x").unwrap();
            client
        })
        .collect();
    assert!(
        server
            .process
            .error_line()
            .contains("cannot accept for now")
    );
    let before = ticks(server.process.id());
    // That nothing happens meanwhile is the experiment.
    std::thread::sleep(WAITING);
    let used = ticks(server.process.id()) - before;
    assert!(used <= TICKS_MAX, "{used} ticks while it waits");

    // Connections are accepted in order.
    let waiting = clients.split_off(clients.iter().filter(|client| is_served(client)).count());
    assert!(waiting.len() > 130, "{} wait", waiting.len());
    let mut worst = Duration::ZERO;
    let mut served = VecDeque::from(clients);
    for mut next in waiting {
        assert!(!is_served(&next));
        drop(served.pop_front());
        let freed = Instant::now();
        assert_eq!(read_exactly(&mut next, 1), b"x");
        worst = worst.max(freed.elapsed());
        assert!(worst < SERVED_WITHIN, "{worst:?}");
        served.push_back(next);
    }
    eprintln!(
        "out of descriptors: {used} ticks in {WAITING:?}, served {worst:?} after one came free"
    );
    server.stop();
}
