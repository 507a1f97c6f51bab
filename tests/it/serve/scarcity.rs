//! The machine has nothing left for another connection: nobody is stranded, nothing spins.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::support::{Server, eventually, read_exactly};

mod memory;
mod places;

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

/// `epollo`, from the start with so many descriptors and no more.
fn limited_to(descriptors: usize) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_epollo")]);
    command
}

/// A server of echo that planned for more descriptors than it is left with.
fn server_cut_to(descriptors: u64, options: &[&str]) -> Server {
    let server = Server::start(&[&["echo=0"], options].concat());
    let process = Pid::from_raw(i32::try_from(server.process.id()).unwrap());
    let cut = Rlimit {
        current: Some(descriptors),
        maximum: Some(descriptors),
    };
    prlimit(process, Resource::Nofile, cut).unwrap();
    server
}

#[test]
fn out_of_descriptors_every_client_is_served_as_soon_as_one_comes_free() {
    let mut server = server_cut_to(64, &[]);
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

#[test]
fn clients_that_come_and_go_do_not_fill_the_log_with_what_they_cause() {
    let mut server = server_cut_to(32, &["-v"]);
    let crowds = 30;
    for _ in 0..crowds {
        let mut crowd: VecDeque<TcpStream> = (0..40).map(|_| server.connect("echo")).collect();
        // Some wait until others leave; then nobody waits any more.
        while let Some(mut client) = crowd.pop_front() {
            client.write_all(b"x").unwrap();
            read_exactly(&mut client, 1);
        }
    }
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    let words = server.process.errors();
    let rest = words.split("accept pauses ").nth(1).unwrap();
    let pauses = rest.split(',').next().unwrap();
    assert!(pauses.parse::<u32>().unwrap() >= crowds, "{words}");
    let warnings = words.matches("cannot accept for now").count();
    assert!((1..=3).contains(&warnings), "{warnings} warnings");
}

#[test]
fn clients_too_many_do_not_fill_the_log_by_coming_and_going() {
    let mut server = Server::start(&["echo=0", "--max-conns", "2"]);
    let is_served = |client: &mut TcpStream| {
        // It fails where the client was turned away.
        let _ = client.write_all(b"x");
        matches!(client.read(&mut [0]), Ok(1))
    };
    for _ in 0..30 {
        let mut served = Vec::new();
        eventually("two are served", || {
            let mut client = server.connect("echo");
            if is_served(&mut client) {
                served.push(client);
            }
            served.len() == 2
        });
        assert!(!is_served(&mut server.connect("echo")), "one too many");
    }
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    let words = server.process.errors();
    let warnings = words.matches("the connection limit is reached").count();
    assert!((1..=3).contains(&warnings), "{warnings} warnings");
}
