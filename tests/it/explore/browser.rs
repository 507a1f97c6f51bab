//! The explorer page in a real browser: what a reader sees and presses while clients come and go.
//! Skipped, and said so, where Chromium is missing.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::{Server, connect, read_exactly, read_to_end};
use chromium::Chromium;

pub mod chromium;
mod readable;
mod truthful;

const SERVICES: [&str; 3] = ["hello=127.0.0.1:0", "echo=127.0.0.1:0", "chat=127.0.0.1:0"];
const PAIR: [&str; 2] = ["--chat-with", "pair"];
/// More than the page is told of.
const CROWD: usize = 230;
/// Of 1 MiB each; the kernel keeps less (tcp_wmem and tcp_rmem of tcp(7)).
const FLOODS_MAX: u32 = 20;
const ROWS_MAX: u64 = 200;

/// A server that is looked at, and where.
fn explored(explore: &str) -> (Server, SocketAddr) {
    let arguments = [&["--explore", explore][..], &PAIR, &SERVICES].concat();
    let mut server = Server::start(&arguments);
    let line = server.process.line();
    let address = line
        .strip_prefix("listening explore ")
        .unwrap_or_else(|| panic!("{line:?}"));
    let address = address.parse().unwrap();
    (server, address)
}

/// A browser that shows the page of this server, and hears from it.
fn looking(test: &str, address: SocketAddr) -> Option<Chromium> {
    let mut chromium = Chromium::start(test)?;
    chromium.open(&format!("http://{address}/"));
    chromium.until("document.querySelector('#status')?.dataset.state === 'live'");
    Some(chromium)
}

/// Nothing went wrong on the page, and it asked nobody but the server that it came from.
fn assert_clean(chromium: &Chromium, address: SocketAddr) {
    assert!(
        chromium.complaints().is_empty(),
        "{:#?}",
        chromium.complaints()
    );
    let home = format!("http://{address}/");
    let is_ours = |url: &&String| url.starts_with(&home) || url.starts_with("data:");
    let strangers: Vec<_> = chromium
        .requests()
        .iter()
        .filter(|url| !is_ours(url))
        .collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

/// The row of the connection that we know by our end.
fn row(stream: &TcpStream) -> String {
    let name = stream.local_addr().unwrap();
    format!(
        "[...document.querySelectorAll('#peer-table tbody tr')]
             .find((row) => row.querySelector('button').textContent === '{name}')"
    )
}

fn cell(stream: &TcpStream, column: &str) -> String {
    format!(
        "{}?.querySelector('.col-{column}').textContent",
        row(stream)
    )
}

/// How many connections a diagram shows in a state.
fn count(protocol: &str, state: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-protocol={protocol}] .state')]
             .find((node) => node.querySelector('.name').textContent === '{state}')
             ?.querySelector('.count').textContent"
    )
}

/// The turn in words.
const TURN: &str = "document.querySelector('#entries').innerText";

#[test]
fn the_page_shows_the_connections_and_where_they_stand() {
    let (server, address) = explored("127.0.0.1:0");
    let Some(mut chromium) = looking("page_shows", address) else {
        return;
    };
    let mut echo = server.connect("echo");
    echo.write_all(b"hello").unwrap();
    assert_eq!(read_exactly(&mut echo, 5), b"hello");
    chromium.until(&format!("{} === '5 B'", cell(&echo, "in")));
    chromium.until(&format!("{} === '5 B'", cell(&echo, "out")));
    assert_eq!(chromium.text(&cell(&echo, "protocol")), "echo");
    assert_eq!(chromium.text(&cell(&echo, "state")), "echoing");
    assert_eq!(chromium.text(&cell(&echo, "interest")), "read");
    chromium.until(&format!("{} === '1'", count("echo", "echoing")));

    let clients = [(); 2].map(|()| server.connect("chat"));
    chromium.until(&format!("{} === '1'", count("chat", "speaking")));
    chromium.until(&format!("{} === '1'", count("chat", "listening")));
    assert!(!read_to_end(&mut server.connect("hello")).is_empty());

    drop((echo.try_clone().unwrap(), clients));
    chromium.until(&format!("{} === '0'", count("chat", "listening")));
    chromium.until(&format!("{} === '1'", count("echo", "echoing")));
    let gone = format!("!{}", row(&echo));
    drop(echo);
    chromium.until(&gone);
    assert_clean(&chromium, address);
    server.stop();
}

#[test]
fn the_page_shows_a_sample_of_a_crowd_and_says_so() {
    let (server, address) = explored("127.0.0.1:0");
    let Some(mut chromium) = looking("page_samples", address) else {
        return;
    };
    let crowd: Vec<_> = (0..CROWD).map(|_| server.connect("echo")).collect();
    chromium.until(&format!("{} === '{CROWD}'", count("echo", "echoing")));
    // Of all that the page is told of, a few may be the server's own.
    let words = "document.querySelector('#peers-count').textContent";
    chromium.until(&format!("/^[0-9]+ of {CROWD} shown/.test({words})"));
    let rows = chromium.value("document.querySelectorAll('#peer-table tbody tr').length");
    let rows = rows.as_u64().unwrap();
    assert!((ROWS_MAX - 10..=ROWS_MAX).contains(&rows), "{rows} rows");
    drop(crowd);
    assert_clean(&chromium, address);
    server.stop();
}

#[test]
fn what_is_pressed_happens_and_is_seen_in_the_turn_that_follows() {
    let (server, address) = explored("127.0.0.1:0");
    let Some(mut chromium) = looking("page_presses", address) else {
        return;
    };
    let rows = "document.querySelectorAll('#peer-table tbody tr').length";
    chromium.click("[data-connect=echo]");
    chromium.until(&format!("{rows} === 1"));
    chromium.until(&format!("{TURN}.includes('Opened: echo')"));
    chromium.click("#try-send");
    chromium.until(&format!("{TURN}.includes('Read 6 B')"));
    chromium.until(&format!("{TURN}.includes('Wrote 6 B: all of it')"));

    chromium.click("[data-act=stop-reading]");
    let outbox = "document.querySelector('#peer-table .col-outbox').textContent";
    let is_full = format!("/[KM]iB/.test({outbox})");
    // The kernel takes a few MiB before anything waits in the outbox.
    let floods = (1..=FLOODS_MAX).find(|_| {
        chromium.click("[data-act=flood]");
        chromium.comes_true(&is_full, Duration::from_secs(1))
    });
    assert_ne!(floods, None, "the outbox stayed empty");
    chromium.click("[data-act=read-again]");
    chromium.until(&format!("{outbox} === '–'"));

    chromium.click("[data-act=half-close]");
    chromium.until(&format!("{TURN}.includes('RDHUP')"));
    chromium.until(&format!("{TURN}.includes('the peer sends no more')"));
    chromium.until(&format!("{rows} === 0"));
    assert!(chromium.value("document.querySelector('#try-send').disabled") == true);

    chromium.click("[data-connect=echo]");
    chromium.until(&format!("{rows} === 1"));
    // A page that comes again knows the clients that are there.
    chromium.open(&format!("http://{address}/?again"));
    chromium.until("document.querySelector('#try-clients input:checked') !== null");
    chromium.until(&format!("{rows} === 1"));
    chromium.click("[data-act=reset]");
    chromium.until(&format!("{TURN}.includes('ECONNRESET')"));
    chromium.until(&format!("{rows} === 0"));
    assert_clean(&chromium, address);
    server.stop();
}

#[test]
fn a_reader_stops_steps_filters_and_changes_language_and_theme() {
    let (server, address) = explored("127.0.0.1:0");
    let Some(mut chromium) = looking("page_reads", address) else {
        return;
    };
    let mut clients = [(); 3].map(|()| server.connect("echo"));
    for client in &mut clients {
        say(client, 20);
    }
    let strip = "document.querySelector('#strip').textContent";
    let title = "document.querySelector('#turn-title').textContent";
    chromium.until(&format!("{TURN}.includes('Read 1 B')"));
    chromium.click("#pause");
    chromium.until("document.querySelector('#status').dataset.state === 'paused'");
    let (stood, chosen) = (chromium.text(title), drawn(&mut chromium));
    say(&mut clients[0], 5);
    // The next turns are recorded, but the picture stands.
    let before = chromium.text(strip);
    chromium.until(&format!("{strip} !== {before:?}"));
    assert_eq!(
        (chromium.text(title), drawn(&mut chromium)),
        (stood.clone(), chosen)
    );
    chromium.press("ArrowLeft");
    chromium.until(&format!("{title} !== {stood:?}"));
    chromium.press("ArrowRight");
    chromium.until(&format!("{title} === {stood:?}"));
    chromium.click("#pause");
    chromium.until("document.querySelector('#status').dataset.state === 'live'");

    let name = clients[1].local_addr().unwrap().to_string();
    chromium.until(&row(&clients[1]));
    chromium.value(&format!(
        "{}.querySelector('button').click()",
        row(&clients[1])
    ));
    assert_eq!(
        chromium.text("document.querySelector('#filter').value"),
        name
    );
    chromium.until("document.querySelectorAll('#peer-table tbody tr').length === 1");
    let who = "[...document.querySelectorAll('#entries .who')].map((cell) => cell.textContent)";
    chromium.until(&format!(
        "{who}.every((name) => ['', 'echo', {name:?}].includes(name))"
    ));
    chromium.click("#filter-clear");
    chromium.until("document.querySelectorAll('#peer-table tbody tr').length === 3");

    chromium.choose("#language", "ko");
    chromium.until("document.documentElement.lang === 'ko'");
    assert_eq!(
        chromium.text("document.querySelector('#peers-title').textContent"),
        "연결"
    );
    let paper = "getComputedStyle(document.documentElement).backgroundColor";
    let light = chromium.text(paper);
    chromium.choose("#theme", "dark");
    chromium.until(&format!("{paper} !== {light:?}"));
    assert_clean(&chromium, address);
    server.stop();
}

/// A few bytes, each a turn or two of its own.
fn say(client: &mut TcpStream, times: usize) {
    for _ in 0..times {
        client.write_all(b"x").unwrap();
        assert_eq!(read_exactly(client, 1), b"x");
    }
}

/// The picture of the timeline.
fn drawn(chromium: &mut Chromium) -> String {
    chromium.text(
        "new Promise((answer) => requestAnimationFrame(() => requestAnimationFrame(
             () => answer(document.querySelector('#timeline').toDataURL()))))",
    )
}

#[test]
fn a_page_whose_stream_breaks_says_so_and_comes_back() {
    let (server, address) = explored("127.0.0.1:0");
    let Some(mut chromium) = looking("page_returns", address) else {
        return;
    };
    server.stop();
    chromium.until("document.querySelector('#status').dataset.state === 'broken'");
    let (server, again) = explored(&address.to_string());
    assert_eq!(again, address);
    chromium.until("document.querySelector('#status').dataset.state === 'live'");
    let echo = connect(server.address("echo"));
    chromium.until(&row(&echo));
    server.stop();
}

#[test]
fn a_korean_reader_is_spoken_to_in_korean() {
    let (server, address) = explored("127.0.0.1:0");
    let Some(mut chromium) = Chromium::start("page_korean") else {
        return;
    };
    chromium.speak("ko-KR");
    chromium.open(&format!("http://{address}/"));
    chromium.until("document.querySelector('#status-words')?.textContent === '실시간'");
    let keys = |language| format!("Object.keys(WORDS.{language}).sort().join()");
    assert_eq!(chromium.text(&keys("en")), chromium.text(&keys("ko")));
    let words = chromium.text("document.body.innerText");
    assert!(
        !words.contains("undefined") && !words.contains("{n}"),
        "{words}"
    );
    assert_clean(&chromium, address);
    server.stop();
}
