//! What browsers can cost: one that stops reading, a thousand at once, a crowd to look at. The clients
//! of the services do not notice.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::{Answer, Stream, WithExplorer};
use crate::serve::attacks::{Pingers, alone, memory, p99, raise_descriptor_limit};
use crate::support::{PATIENCE, Server, best_of, connect, eventually, read_exactly};

/// Streams at the same time.
const STREAMS_MAX: usize = 64;
/// Connections to the page at the same time.
const SESSIONS_MAX: usize = 128;
/// What an echo may take, the slowest hundredth aside, while a browser misbehaves.
const PING_MAX: Duration = Duration::from_millis(5);

/// A connection whose receiver has next to no room.
fn narrow(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_tcp_mss(1460).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Echoes for as long as it takes.
fn keep_busy(echo: &mut TcpStream) {
    for _ in 0..50 {
        echo.write_all(b"busy").unwrap();
        assert_eq!(read_exactly(echo, 4), b"busy");
    }
}

#[test]
fn a_browser_that_stops_reading_costs_a_bounded_outbox_and_is_left() {
    let _alone = alone();
    let explored = WithExplorer::start(&["echo=0", "--max-buffer", "1M"]);
    let mut echo = explored.server.connect("echo");
    // It reads the beginning, and nothing more.
    let stuck = Stream::open(narrow(explored.address), explored.address);
    let mut healthy = explored.look();
    keep_busy(&mut echo);
    let before = memory(explored.server.process.id(), "VmRSS");
    let page = "epollo_connections{service=\"page\"}";
    assert_eq!(
        explored.metrics()[page],
        3.0,
        "two streams and this question"
    );
    let deadline = Instant::now() + 2 * PATIENCE;
    while explored.metrics()[page] > 2.0 {
        assert!(Instant::now() < deadline, "it is still held");
        keep_busy(&mut echo);
        let tick = healthy.until("tick", "a tick", |_| true);
        assert_eq!(tick["missed"], 0, "the other browser is not behind");
    }
    let metrics = explored.metrics();
    let grown = memory(explored.server.process.id(), "VmHWM").saturating_sub(before);
    assert!(grown < 4 * 1024, "it took {grown} KiB");
    assert!(
        metrics["epollo_page_events_missed_total"] > 10.0,
        "{metrics:#?}"
    );
    assert_eq!(metrics["epollo_connections{service=\"echo\"}"], 1.0);
    keep_busy(&mut echo);
    drop((stuck, healthy, echo));
    explored.server.stop();
}

/// A page whose reader stopped, and then reads on: it is told how much it missed.
#[test]
fn a_browser_that_reads_on_is_told_what_it_missed() {
    let explored = WithExplorer::start(&["echo=0"]);
    let mut echo = explored.server.connect("echo");
    let mut slow = Stream::open(narrow(explored.address), explored.address);
    let start = Instant::now();
    while explored.metrics()["epollo_page_events_missed_total"] < 1.0 {
        keep_busy(&mut echo);
        assert!(start.elapsed() < PATIENCE, "nothing is missed");
    }
    slow.until("tick", "how much was missed", |tick| {
        tick["missed"].as_u64().unwrap() > 0
    });
    drop(slow);
    explored.server.stop();
}

#[test]
fn clients_are_echoed_in_time_while_browsers_do_not_read() {
    let _alone = alone();
    let explored = WithExplorer::start(&["echo=0"]);
    let mut pingers = Pingers::connect(explored.server.address("echo"), 50);
    let _stuck: Vec<_> = (0..STREAMS_MAX)
        .map(|_| Stream::open(narrow(explored.address), explored.address))
        .collect();
    let slowest = best_of(PING_MAX, || {
        p99(&pingers.measure(2_000, Duration::from_millis(400)))
    });
    assert!(slowest <= PING_MAX, "p99 {slowest:?}");
}

#[test]
fn a_thousand_streams_are_refused_beyond_the_limit_and_given_back() {
    let _alone = alone();
    raise_descriptor_limit();
    let explored = WithExplorer::start(&["echo=0"]);
    let mut echo = explored.server.connect("echo");
    explored.echo(&mut echo, "before");
    let descriptors = explored.server.descriptors();
    let before = memory(explored.server.process.id(), "VmRSS");
    let request = format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", explored.address);
    let mut browsers: Vec<TcpStream> = Vec::new();
    for _ in 0..1000 {
        let mut browser = connect(explored.address);
        // Whoever is turned away at once may be so before it has asked.
        let _ = browser.write_all(request.as_bytes());
        browsers.push(browser);
    }
    let mut accepted = Vec::new();
    let mut busy = 0;
    for mut browser in browsers {
        match first_status(&mut browser) {
            Some(200) => accepted.push(browser),
            Some(503) => busy += 1,
            Some(status) => panic!("{status}"),
            None => {}
        }
    }
    assert_eq!(accepted.len(), STREAMS_MAX);
    assert!(busy > 0, "some are told to come later");
    explored.echo(&mut echo, "during");
    let refused = explored.get("/events");
    assert_eq!(refused.status, 503);
    assert!(refused.field("retry-after").is_some());
    assert_eq!(explored.get("/healthz").status, 200);
    let grown = memory(explored.server.process.id(), "VmHWM").saturating_sub(before);
    assert!(grown < 32 * 1024, "it took {grown} KiB");

    drop(accepted);
    eventually("all descriptors come back", || {
        explored.server.descriptors() == descriptors
    });
    drop(explored.look());
    explored.echo(&mut echo, "after");
    explored.server.stop();
}

/// Connections that cost nothing must not keep the question out whether the server lives: the oldest that
/// has not asked makes room, then the oldest that has its answer.
#[test]
fn health_is_told_while_all_places_are_taken_by_cheap_connections() {
    let explored = WithExplorer::start(&["echo=0"]);
    let address = explored.address;
    let page = "epollo_connections{service=\"page\"}";
    let mut silent: Vec<TcpStream> = (0..SESSIONS_MAX).map(|_| connect(address)).collect();
    let mut dribbling: Vec<TcpStream> = silent.split_off(SESSIONS_MAX / 2);
    for stream in &mut dribbling {
        stream.write_all(b"GET /heal").unwrap();
    }
    let mut stream = explored.look();
    for _ in 0..10 {
        assert_eq!(explored.get("/healthz").status, 200);
    }
    assert!(explored.metrics()[page] <= SESSIONS_MAX as f64);
    // The oldest went first, one for the stream and one for the first question.
    for gone in &mut silent[..2] {
        assert!(first_status(gone).is_none());
    }
    let last = dribbling.last_mut().unwrap();
    write!(last, "thz HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    assert_eq!(Answer::read(last).status, 200);
    drop((silent, dribbling));

    // As cheap are those who ask for the page and do not read it.
    let greedy: Vec<TcpStream> = (0..SESSIONS_MAX)
        .map(|_| {
            let mut greedy = narrow(address);
            write!(greedy, "GET / HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
            greedy
        })
        .collect();
    for _ in 0..10 {
        assert_eq!(explored.get("/healthz").status, 200);
    }
    stream.until("tick", "who looks keeps its place", |_| true);
    drop((greedy, stream));
    explored.server.stop();
}

/// The status that it is answered with; `None` if it is just cut off.
fn first_status(browser: &mut TcpStream) -> Option<u16> {
    let mut start = [0; 12];
    match browser.read_exact(&mut start) {
        Ok(()) => Some(std::str::from_utf8(&start[9..]).unwrap().parse().unwrap()),
        Err(error) => {
            let cut = [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof];
            assert!(cut.contains(&error.kind()), "{error}");
            None
        }
    }
}

#[test]
fn of_five_thousand_two_hundred_are_shown_and_all_are_counted() {
    let _alone = alone();
    let count = 5_000.min(raise_descriptor_limit() / 2 - 200);
    let explored = WithExplorer::start(&["echo=0"]);
    let crowd: Vec<_> = (0..count)
        .map(|_| explored.server.connect("echo"))
        .collect();
    let mut stream = explored.look();
    stream.until("tick", "everybody is accepted", |tick| {
        tick["peers"]["echo"] == count
    });
    // Now it is the one that moved last.
    let mut active = &crowd[count / 2];
    active.write_all(b"look at me").unwrap();
    let name = active.local_addr().unwrap().to_string();
    let table = stream.until("table", "everybody is counted", |table| {
        table["states"]["echo"]["echoing"] == count && super::row_of(table, &name).is_some()
    });
    assert!(
        table["total"].as_u64().unwrap() > count as u64,
        "{count} and the page's"
    );
    let rows = table["rows"].as_array().unwrap();
    let clients = rows.iter().filter(|row| row["protocol"] == "echo").count();
    assert_eq!(clients, 200);
    assert_eq!(super::row_of(&table, &name).unwrap()["in"], 10);
    let tick = stream.until("tick", "a tick", |_| true);
    assert_eq!(tick["peers"]["echo"], count);
    drop(crowd);
    stream.until("tick", "everybody is gone", |tick| {
        tick["peers"]["echo"] == 0
    });
    drop(stream);
    explored.server.stop();
}

/// Many turns and long ones: what is left out is counted, and no browser falls behind for it.
#[test]
fn a_busy_loop_is_sampled_and_says_so() {
    let _alone = alone();
    let explored = WithExplorer::start(&["echo=0"]);
    let mut stream = explored.look();
    let mut pingers = Pingers::connect(explored.server.address("echo"), 50);
    let pinging = std::thread::spawn(move || pingers.measure(10_000, Duration::from_secs(2)));
    let mut skipped = 0;
    let deadline = Instant::now() + PATIENCE;
    while !pinging.is_finished() {
        assert!(Instant::now() < deadline);
        let (name, event) = stream.event();
        match name.as_str() {
            "turns" => {
                let turns = event["turns"].as_array().unwrap();
                assert!(turns.len() <= 20);
                let short =
                    |turn: &serde_json::Value| turn["entries"].as_array().unwrap().len() <= 60;
                assert!(turns.iter().all(short));
                skipped += event["skipped"].as_u64().unwrap();
            }
            "tick" => assert_eq!(event["missed"], 0, "we read as fast as it comes"),
            _ => {}
        }
    }
    assert!(skipped > 1_000, "{skipped}");
    pinging.join().unwrap();
    drop(stream);
    explored.server.stop();
}

#[test]
fn nobody_who_looks_keeps_the_server_from_ending() {
    let explored = WithExplorer::start(&["echo=0", "--grace", "1h"]);
    let address = explored.address;
    let stuck = Stream::open(narrow(address), address);
    let mut echo = explored.server.connect("echo");
    eventually("something waits that it does not take", || {
        keep_busy(&mut echo);
        explored.metrics()["epollo_unsent_bytes"] > 32_768.0
    });
    drop(echo);
    let mut server = explored.server;
    let mut stream = Stream::open(connect(address), address);
    stream.until("tick", "a tick", |_| true);
    // Browsers open connections in advance, and ask for nothing.
    let silent = connect(address);
    let start = Instant::now();
    server.process.signal(rustix::process::Signal::TERM);
    assert_eq!(server.process.code(), 0);
    // It would be held for as long as the write timeout.
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    drop((stream, stuck, silent));
}

/// What the reactor counts at the end is of the services.
#[test]
fn the_totals_at_the_end_leave_the_page_out() {
    let explored = WithExplorer::start(&["-v", "echo=0"]);
    explored.echo(&mut explored.server.connect("echo"), "one");
    for _ in 0..3 {
        assert_eq!(explored.get("/healthz").status, 200);
    }
    let Server { mut process, .. } = explored.server;
    process.signal(rustix::process::Signal::TERM);
    assert_eq!(process.code(), 0);
    let words = process.errors();
    assert!(words.contains("accepted 1,"), "{words}");
}

/// An answer that is larger than any outbox reaches a slow reader whole.
#[test]
fn a_slow_reader_gets_the_whole_page() {
    let explored = WithExplorer::start(&["echo=0"]);
    let whole = explored.get("/").body.len();
    let mut slow = narrow(explored.address);
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", explored.address);
    slow.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let mut piece = [0; 1000];
    loop {
        let count = slow.read(&mut piece).unwrap();
        if count == 0 {
            break;
        }
        bytes.extend_from_slice(&piece[..count]);
    }
    let page = Answer::of(&String::from_utf8(bytes).unwrap());
    assert_eq!(page.body.len(), whole);
    explored.server.stop();
}
