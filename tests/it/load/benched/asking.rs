//! An answer that is crossed and late counts once, as what it is, and nothing is lost by it.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

use crate::support::{Epollo, read_exactly};

const SIZE: usize = 64;

/// A connection of the load, and its requests that are not answered yet.
struct Asked {
    stream: TcpStream,
    requests: Vec<Vec<u8>>,
}

impl Asked {
    fn accept(listener: &TcpListener) -> Asked {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        Asked {
            stream,
            requests: Vec::new(),
        }
    }

    /// Reads so many requests more.
    fn hear(&mut self, count: usize) {
        for _ in 0..count {
            self.requests.push(read_exactly(&mut self.stream, SIZE));
        }
    }

    /// Answers this request, and waits for the next one: the answer before it has been seen.
    fn answer(&mut self, request: usize) {
        let bytes = self.requests[request].clone();
        self.say(&bytes);
        self.hear(1);
    }

    fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }
}

#[test]
fn an_answer_that_is_crossed_and_late_is_not_lost_twice() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let arguments = [
        "bench", &address, "-c", "2", "-P", "4", "-d", "1h", "--warmup", "0s",
    ];
    let mut process = Epollo::run(&[&arguments[..], &["--json"]].concat());
    let mut one = Asked::accept(&listener);
    let mut other = Asked::accept(&listener);
    one.hear(4);
    other.hear(4);
    let (first, second) = (one.requests[0].clone(), one.requests[1].clone());
    // The answers to the first two are missing …
    one.answer(2);
    one.hear(2);
    // … one of them comes on the other connection …
    other.say(&first);
    other.answer(0);
    // … and on its own after all …
    one.say(&first);
    one.answer(3);
    // … and then the second on the other connection.
    other.say(&second);
    other.answer(1);
    process.signal(rustix::process::Signal::INT);
    let report: Value = serde_json::from_slice(&process.rest()).unwrap();
    assert_eq!(process.code(), 1, "{}", process.errors());
    let counts = ["lost", "crossed", "reordered", "changed", "duplicated"];
    let counts = counts.map(|name| report[name].as_u64().unwrap());
    assert_eq!(counts, [0, 2, 1, 0, 0], "{report:#}");
}
