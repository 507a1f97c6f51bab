//! The page beside the other options: it takes no client's place, and where everybody could reach it,
//! it only shows.

use std::io::Write;

use serde_json::json;

use super::{Stream, WithExplorer};
use crate::support::{connect, read_to_end};

#[test]
fn the_page_takes_no_place_of_a_client() {
    let explored = WithExplorer::start(&["echo=0", "--max-conns", "1", "--per-ip", "1"]);
    let mut stream = explored.look();
    let second = explored.look();
    let mut echo = explored.server.connect("echo");
    explored.echo(&mut echo, "the only place");
    // It is taken by the client alone; whoever looks still comes in.
    let mut one_more = explored.server.connect("echo");
    assert!(read_to_end(&mut one_more).is_empty());
    assert_eq!(explored.get("/healthz").status, 200);
    let metrics = explored.metrics();
    assert_eq!(metrics["epollo_accepted_total"], 2.0);
    assert_eq!(metrics["epollo_turned_away_total"], 1.0);
    drop(echo);
    stream.until("tick", "the client is gone", |tick| {
        tick["peers"]["echo"] == 0
    });
    explored.echo(&mut explored.server.connect("echo"), "free again");
    drop((stream, second));
    explored.server.stop();
}

#[test]
fn once_means_one_client_of_a_service() {
    let explored = WithExplorer::start(&["echo=0", "--once"]);
    let mut stream = explored.look();
    assert_eq!(explored.get("/").status, 200);
    let mut echo = explored.server.connect("echo");
    explored.echo(&mut echo, "once");
    let name = echo.local_addr().unwrap().to_string();
    stream.row(&name, "the client is shown", |row| row["in"] == 4);
    assert_eq!(explored.get("/healthz").status, 200, "while it is there");
    drop(explored.look());
    drop(echo);
    let WithExplorer { mut server, .. } = explored;
    assert_eq!(server.process.code(), 0);
    drop(stream);
}

#[test]
fn a_stream_is_alive_however_short_the_idle_timeout_of_clients() {
    let explored = WithExplorer::start(&["echo=0", "--idle-timeout", "300ms"]);
    let mut stream = explored.look();
    let idle = explored.server.connect("echo");
    let mut seen = 0;
    stream.until("tick", "many idle timeouts have passed", |_| {
        seen += 1;
        seen == 10
    });
    assert_eq!(
        explored.metrics()["epollo_closed_total{reason=\"idle\"}"],
        1.0
    );
    drop((idle, stream));
    explored.server.stop();
}

#[test]
fn where_others_could_reach_it_the_page_has_no_buttons() {
    let mut explored = WithExplorer::at("0.0.0.0:0", &["echo=0"]);
    let warning = explored.server.process.error_line();
    assert!(warning.contains("open to anyone"), "{warning}");
    assert_eq!(explored.token(), "");
    let mut stream = explored.look();
    assert_eq!(stream.meta["try"], false);
    explored.echo(&mut explored.server.connect("echo"), "secret");
    let read = stream.moment("that it was read, and not what", |moment| {
        moment["kind"] == "read" && moment["result"] == 6
    });
    assert!(read["data"].is_null() && !stream.raw.contains("secret"));
    for token in ["", "0123456789abcdef0123456789abcdef"] {
        let body = json!({"do": "connect", "to": "echo"});
        assert_eq!(explored.press(token, &body).status, 403);
    }
    // Nobody knows by which name it is reached there.
    let request = "GET /healthz HTTP/1.1\r\nHost: epollo.example\r\n\r\n";
    assert_eq!(explored.says(request).status, 200);
}

#[test]
fn an_ipv6_loopback_address_is_as_private() {
    let explored = WithExplorer::at("[::1]:0", &["echo=0"]);
    let address = (std::net::Ipv6Addr::LOCALHOST, explored.address.port()).into();
    let mut stream = Stream::open(connect(address), address);
    assert_eq!(stream.meta["try"], true);
    stream.until("tick", "a tick", |_| true);
    let mut rebound = connect(address);
    rebound
        .write_all(b"GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n")
        .unwrap();
    assert_eq!(super::Answer::read(&mut rebound).status, 421);
    drop(stream);
    explored.server.stop();
}
