//! Clients that send a byte now and then without end: those who owe a message are cut at its
//! deadline, all of them at once, and those who owe nothing stay.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::{Attempt, attempt};
use crate::support::{PATIENCE, Server, read_exactly};

const DEADLINE: Duration = Duration::from_millis(600);
const PAUSE: Duration = Duration::from_millis(50);
const DRIBBLERS: usize = 500;
const REFUSAL: &[u8] = b"message took too long\n";

/// Sends one byte at a time of a message that never ends.
struct Dribbler {
    stream: TcpStream,
    began: Instant,
    heard: Vec<u8>,
    lasted: Option<Duration>,
}

impl Dribbler {
    fn drip(&mut self) {
        if self.lasted.is_some() {
            return;
        }
        // The server may have left between two looks; what it said is read all the same.
        let _ = self.stream.write(b"d");
        let mut buffer = [0; 64];
        while self.lasted.is_none() {
            match attempt(self.stream.read(&mut buffer)) {
                Attempt::Moved(0) | Attempt::Broken => self.lasted = Some(self.began.elapsed()),
                Attempt::Moved(count) => self.heard.extend_from_slice(&buffer[..count]),
                Attempt::Blocked => return,
            }
        }
    }
}

#[test]
fn five_hundred_that_dribble_are_all_cut_at_their_deadline_and_an_echo_is_not() {
    let server = Server::start(&[
        "chat=0",
        "echo=0",
        "--chat-with",
        "echo",
        "--framing",
        "line",
        "--idle-timeout",
        "600ms",
    ]);
    let descriptors = server.descriptors();
    let mut echo = server.connect("echo");
    let mut dribblers: Vec<_> = (0..DRIBBLERS)
        .map(|_| {
            let stream = server.connect("chat");
            stream.set_nonblocking(true).unwrap();
            Dribbler {
                stream: TcpStream::from_std(stream),
                began: Instant::now(),
                heard: Vec::new(),
                lasted: None,
            }
        })
        .collect();
    let began = Instant::now();
    while dribblers.iter().any(|dribbler| dribbler.lasted.is_none()) {
        assert!(began.elapsed() < PATIENCE, "they are never cut");
        for dribbler in &mut dribblers {
            dribbler.drip();
        }
        echo.write_all(b"e").unwrap();
        assert_eq!(read_exactly(&mut echo, 1), b"e");
        // The pause is the attack.
        std::thread::sleep(PAUSE);
    }
    let worst = dribblers
        .iter()
        .filter_map(|dribbler| dribbler.lasted)
        .max();
    eprintln!("dribblers with a deadline of {DEADLINE:?} were gone after {worst:?} at most");
    for dribbler in &dribblers {
        assert!(dribbler.lasted >= Some(DEADLINE), "{:?}", dribbler.lasted);
        assert_eq!(
            String::from_utf8_lossy(&dribbler.heard),
            String::from_utf8_lossy(REFUSAL)
        );
    }
    assert!(worst < Some(DEADLINE + Duration::from_secs(2)), "{worst:?}");
    // It was active all along, for twice the time that it may be silent.
    while began.elapsed() < 2 * DEADLINE {
        echo.write_all(b"e").unwrap();
        assert_eq!(read_exactly(&mut echo, 1), b"e");
        std::thread::sleep(PAUSE);
    }
    drop((dribblers, echo));
    crate::support::eventually("all descriptors come back", || {
        server.descriptors() == descriptors
    });
    server.stop();
}
