//! Clients that cost the most: thousands that send and never read, one that sends as fast as it can.
//! The server's memory stays bounded, and everybody else is answered in time.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::{
    Attempt, Client, Pingers, Swarm, alone, attempt, connecting_with, memory, p99,
    raise_descriptor_limit, source,
};
use crate::support::{PATIENCE, Server, best_of};

/// What a ping may take, the slowest hundredth aside.
const PING_MAX: Duration = Duration::from_millis(5);

/// How long one measurement of it lasts: short, so that one falls between what other tests do.
const WINDOW: Duration = Duration::from_millis(400);

/// Ends its attack also when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends without end and never reads.
struct NonReader(TcpStream);

impl Client for NonReader {
    fn stream(&mut self) -> &mut TcpStream {
        &mut self.0
    }

    fn go_on(&mut self) -> bool {
        loop {
            match attempt(self.0.write(&[b'n'; 16 * 1024])) {
                Attempt::Moved(_) => {}
                Attempt::Blocked => return false,
                Attempt::Broken => return true,
            }
        }
    }
}

/// As many clients that never read, connected, from here on for ever sending.
fn non_readers(server: &Server, count: usize) -> Swarm<NonReader> {
    let mut swarm = Swarm::new();
    for index in 0..count {
        // Segments and a window as on a real network: those of loopback would let each client fill
        // megabytes of the kernel's memory, which is not the server's to bound.
        let stream = connecting_with(source(index), server.address("echo"), |socket| {
            socket.set_tcp_mss(1460).unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            socket.set_send_buffer_size(16 * 1024).unwrap();
        });
        swarm.add(NonReader(stream));
    }
    swarm
}

#[test]
fn thousands_that_never_read_cost_bounded_memory_and_delay_nobody() {
    let _alone = alone();
    let count = (raise_descriptor_limit() / 2).min(10_000) - 100;
    let server = Server::start(&["echo=0", "--max-buffer", "64M", "--write-timeout", "1h"]);
    let mut pingers = Pingers::connect(server.address("echo"), 50);
    let is_over = AtomicBool::new(false);
    let mut swarm = non_readers(&server, count);
    std::thread::scope(|scope| {
        let attack = scope.spawn(|| {
            let mut evicted = 0;
            while !is_over.load(Ordering::Relaxed) {
                evicted += swarm.turn(Duration::from_millis(10)).len();
            }
            evicted
        });
        let stop = Stop(&is_over);
        let filling = p99(&pingers.measure(500, Duration::from_secs(2)));
        let best = best_of(PING_MAX, || p99(&pingers.measure(500, WINDOW)));
        drop(stop);
        let evicted = attack.join().unwrap();
        let most = memory(server.process.id(), "VmHWM");
        eprintln!(
            "{count} that never read, {evicted} of them evicted: {most} KiB at most, p99 of pings \
             {best:?} (in the first two seconds {filling:?})"
        );
        assert!(best <= PING_MAX, "{best:?}");
        // The program itself is in it, with all that a build for tests does not leave out.
        assert!(most < (64 + 48) * 1024, "{most} KiB");
    });
    drop((swarm, pingers));
    server.stop();
}

/// Sends and reads without end, as much as it can.
fn flood(mut stream: std::net::TcpStream, is_over: &AtomicBool) -> usize {
    let mut reader = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let fill = vec![b'f'; 256 * 1024];
            while !is_over.load(Ordering::Relaxed) {
                stream.write_all(&fill).unwrap();
            }
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let mut total = 0;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match reader.read(&mut buffer).unwrap() {
                0 => return total,
                count => total += count,
            }
        }
    })
}

#[test]
fn a_flood_does_not_delay_a_thousand_others() {
    let _alone = alone();
    raise_descriptor_limit();
    let server = Server::start(&["echo=0"]);
    let mut pingers = Pingers::connect(server.address("echo"), 1_000);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let began = Instant::now();
        let stream = server.connect("echo");
        let attack = scope.spawn(|| flood(stream, &is_over));
        let stop = Stop(&is_over);
        let best = best_of(PING_MAX, || p99(&pingers.measure(2_000, WINDOW)));
        drop(stop);
        let megabytes = attack.join().unwrap() / 1_000_000;
        let seconds = began.elapsed().as_secs_f64();
        eprintln!(
            "beside a flood of {:.0} MB/s: p99 of 1,000 pingers {best:?}",
            megabytes as f64 / seconds
        );
        assert!(best <= PING_MAX, "{best:?}");
        assert!(began.elapsed() < 2 * PATIENCE);
    });
    drop(pingers);
    server.stop();
}
