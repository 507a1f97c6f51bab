//! Whom the explorer refuses, and with which words of HTTP: too much, too slow, not for us, not from
//! our page. After each of them it goes on as before.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Answer, WithExplorer};
use crate::support::{PATIENCE, connect, eventually};

const MIB: usize = 1024 * 1024;

#[test]
fn a_request_that_makes_no_sense_is_told_which() {
    let explored = WithExplorer::start(&["echo=0"]);
    let descriptors = explored.server.descriptors();
    for (request, status) in [
        ("GET /no-such-page", 404),
        ("GET /page.js", 404),
        ("GET /../etc/passwd", 404),
        ("GET //", 404),
        ("POST /", 405),
        ("DELETE /events", 405),
        ("GET /try", 405),
        ("HEAD /try", 405),
        ("BREW /healthz", 405),
    ] {
        let answer = explored.ask(request, "", "");
        assert_eq!(answer.status, status, "{request}");
        let allowed = match (status, request) {
            (405, "GET /try" | "HEAD /try") => Some("POST"),
            (405, _) => Some("GET, HEAD"),
            _ => None,
        };
        assert_eq!(answer.field("allow"), allowed, "{request}");
    }
    for nonsense in [
        "\r\n\r\nhow do you do\r\n\r\n",
        "GET /healthz\r\n\r\n",
        "GET /healthz HTTP/9.9\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{7f}\x03",
        "GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n\0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        assert_eq!(explored.says(nonsense).status, 400, "{nonsense:?}");
    }
    eventually("all descriptors come back", || {
        explored.server.descriptors() == descriptors
    });
    assert_eq!(explored.get("/healthz").status, 200);
    explored.server.stop();
}

#[test]
fn a_head_or_a_body_that_is_too_long_is_refused_and_not_kept() {
    let explored = WithExplorer::start(&["echo=0"]);
    let address = explored.address;
    let head = |length: usize| {
        let start = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nX-Long: ");
        let filler = "x".repeat(length - start.len() - 4);
        format!("{start}{filler}\r\n\r\n")
    };
    assert_eq!(explored.says(head(8 * 1024)).status, 200, "at the limit");
    assert_eq!(explored.says(head(8 * 1024 + 1)).status, 431);
    assert_eq!(explored.says(head(MIB)).status, 431);
    let many = "X-One: more\r\n".repeat(65);
    assert_eq!(explored.ask("GET /healthz", &many, "").status, 431);

    let body = |length: usize| {
        let lines = format!("Content-Length: {length}\r\n");
        explored
            .ask("POST /try", &lines, &"b".repeat(length))
            .status
    };
    assert_eq!(body(4 * 1024), 403, "at the limit; it lacks a token");
    assert_eq!(body(4 * 1024 + 1), 413);
    assert_eq!(body(MIB), 413);
    for (lines, status) in [
        ("Content-Length: 99999999999999999999999\r\n", 413),
        ("Content-Length: -1\r\n", 400),
        ("Content-Length: ten\r\n", 400),
        ("Content-Length: 2\r\nContent-Length: 3\r\n", 400),
        ("Transfer-Encoding: chunked\r\n", 411),
        ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", 411),
    ] {
        assert_eq!(
            explored.ask("POST /try", lines, "{}").status,
            status,
            "{lines}"
        );
    }
    explored.server.stop();
}

/// What is too long is answered although it is still being sent, and the answer survives it.
#[test]
fn a_megabyte_of_head_that_keeps_coming_is_answered_and_ended() {
    let explored = WithExplorer::start(&["echo=0"]);
    let mut stream = connect(explored.address);
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let mut writer = stream.try_clone().unwrap();
    let flood = std::thread::spawn(move || {
        let line = b"X-More: more more more more more more more\r\n".repeat(100);
        let deadline = Instant::now() + PATIENCE;
        while writer.write_all(&line).is_ok() {
            assert!(Instant::now() < deadline, "it should be cut off");
        }
    });
    let mut answer = Vec::new();
    // It ends by our sending on into a closed connection: that may be a reset.
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    let answer = Answer::of(&String::from_utf8(answer).unwrap());
    assert_eq!(answer.status, 431);
    flood.join().unwrap();
    explored.server.stop();
}

#[test]
fn a_request_that_dribbles_is_given_five_seconds() {
    let explored = WithExplorer::start(&["echo=0"]);
    let start = Instant::now();
    let mut silent = connect(explored.address);
    let mut dribbling = connect(explored.address);
    let mut writer = dribbling.try_clone().unwrap();
    let dribble = std::thread::spawn(move || {
        // Each byte comes in time; the request does not. Sending ends when we are left.
        for byte in b"GET /healthz HTTP/1.1\r\nX-Slow: ".iter().cycle() {
            std::thread::sleep(Duration::from_millis(100));
            let is_over = start.elapsed() > Duration::from_secs(8);
            if is_over || writer.write_all(&[*byte]).is_err() {
                return;
            }
        }
    });
    for stream in [&mut silent, &mut dribbling] {
        assert_eq!(Answer::read(stream).status, 408);
        let taken = start.elapsed();
        assert!(taken >= Duration::from_secs(5), "{taken:?}");
        assert!(taken < Duration::from_secs(8), "{taken:?}");
    }
    dribble.join().unwrap();
    explored.server.stop();
}

#[test]
fn what_comes_in_pieces_or_behind_a_request_changes_nothing() {
    let explored = WithExplorer::start(&["echo=0"]);
    let request = format!(
        "GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n",
        explored.address
    );
    let mut pieces = connect(explored.address);
    for byte in request.as_bytes() {
        pieces.write_all(&[*byte]).unwrap();
    }
    assert_eq!(Answer::read(&mut pieces).body, "ok\n");
    // One answer, then the end: what else is in the pipe is nobody's.
    let pipelined = explored.says([&request, &request, "\0\x01junk \r\n\r\n"].concat());
    assert_eq!((pipelined.status, &*pipelined.body), (200, "ok\n"));

    let mut half = connect(explored.address);
    half.write_all(request.as_bytes()).unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    assert_eq!(Answer::read(&mut half).body, "ok\n");
    let mut cut = connect(explored.address);
    cut.write_all(b"GET / HT").unwrap();
    cut.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    cut.read_to_end(&mut rest).unwrap();
    assert!(
        rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"),
        "{rest:?}"
    );
    explored.server.stop();
}

/// DNS rebinding: a name of another's that leads to this machine is no name of ours.
#[test]
fn only_our_own_names_are_answered_to() {
    let explored = WithExplorer::start(&["echo=0"]);
    let port = explored.address.port();
    let asked = |path: &str, host: &str| {
        let request = format!("GET {path} HTTP/1.1\r\n{host}\r\n");
        explored.says(request).status
    };
    for name in ["127.0.0.1", "localhost", "LocalHost", "[::1]"] {
        assert_eq!(asked("/healthz", &format!("Host: {name}:{port}\r\n")), 200);
    }
    let other = port ^ 1;
    for path in ["/", "/events", "/metrics", "/healthz"] {
        for host in [
            format!("Host: rebound.example:{port}\r\n"),
            format!("Host: localhost.rebound.example:{port}\r\n"),
            format!("Host: 127.0.0.1.rebound.example:{port}\r\n"),
            format!("Host: 127.0.0.1:{other}\r\n"),
            format!("Host: localhost:{port}\r\nHost: rebound.example\r\n"),
            "Host: localhost\r\n".to_owned(),
            "Host:\r\n".to_owned(),
        ] {
            let status = asked(path, &host);
            assert!([400, 403, 421].contains(&status), "{path} {host} {status}");
        }
    }
    let status = asked("/", "");
    assert!([400, 403, 421].contains(&status), "no Host: {status}");
    explored.server.stop();
}

/// A browser says no port where it is the one that HTTP has anyway (RFC 9110, section 4.2.3).
#[test]
fn on_port_80_our_names_are_without_it() {
    if let Err(error) = TcpListener::bind("127.0.0.1:80") {
        eprintln!("SKIPPED explored: port 80 is not to be had here ({error})");
        return;
    }
    let explored = WithExplorer::at("127.0.0.1:80", &["echo=0"]);
    for (host, expected) in [
        ("127.0.0.1", 200),
        ("localhost", 200),
        ("[::1]", 200),
        ("localhost:80", 200),
        ("rebound.example", 421),
        ("localhost:8080", 421),
    ] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(explored.says(request).status, expected, "{host}");
    }
    explored.server.stop();
}

/// Cross-site request forgery: what another site can make a browser send presses no button.
#[test]
fn a_button_is_pressed_by_nobody_but_the_page() {
    let explored = WithExplorer::start(&["echo=0"]);
    let token = explored.token();
    let body = json!({"do": "connect", "to": "echo"}).to_string();
    let own = format!("Origin: http://{}\r\n", explored.address);
    let with = |token: &str, kind: &str, lines: &str| {
        let length = body.len();
        let head =
            format!("{token}{kind}{lines}Content-Length: {length}\r\nUser-Agent: a browser\r\n");
        explored.ask("POST /try", &head, &body)
    };
    let token = format!("X-Epollo-Token: {token}\r\n");
    let json = "Content-Type: application/json\r\n";
    let wrong = format!("X-Epollo-Token: {}\r\n", "0".repeat(32));
    let short = token[..token.len() - 3].to_owned() + "\r\n";
    let twice = [&*token, &*wrong].concat();
    for token in ["", "X-Epollo-Token:\r\n", &wrong, &short, &twice] {
        assert_eq!(with(token, json, &own).status, 403, "{token:?}");
    }
    for lines in [
        "Origin: http://rebound.example\r\n",
        "Origin: null\r\n",
        "Origin: https://127.0.0.1\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: none\r\n",
    ] {
        assert_eq!(with(&token, json, lines).status, 403, "{lines}");
    }
    for kind in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: multipart/form-data; boundary=application/json\r\n",
    ] {
        let status = with(&token, kind, &own).status;
        assert!([403, 415].contains(&status), "{kind:?}: {status}");
    }
    assert_eq!(
        explored.metrics()["epollo_accepted_total"],
        0.0,
        "nobody came"
    );
    assert_eq!(with(&token, json, &own).status, 200);
    explored.server.stop();
}

/// Another site must not take one of the few streams, though it could not read it.
#[test]
fn no_other_site_is_told_of_the_loop() {
    let explored = WithExplorer::start(&["echo=0"]);
    let port = explored.address.port();
    for lines in [
        "Origin: http://other.example\r\n".to_owned(),
        "Origin: null\r\n".to_owned(),
        format!("Origin: https://127.0.0.1:{port}\r\n"),
        format!("Origin: http://127.0.0.1:{}\r\n", port ^ 1),
        "Sec-Fetch-Site: cross-site\r\n".to_owned(),
        "Sec-Fetch-Site: same-site\r\n".to_owned(),
        format!("Origin: http://127.0.0.1:{port}\r\nSec-Fetch-Site: cross-site\r\n"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = status_of(&explored, &format!("{method} /events"), &lines);
            assert_eq!(answer, 403, "{method} {lines}");
        }
    }
    for lines in [
        String::new(),
        "Sec-Fetch-Site: same-origin\r\n".to_owned(),
        format!("Origin: http://localhost:{port}\r\nSec-Fetch-Site: same-origin\r\n"),
    ] {
        assert_eq!(status_of(&explored, "GET /events", &lines), 200, "{lines}");
    }
    explored.server.stop();
}

/// The status alone: a stream has no end.
fn status_of(explored: &WithExplorer, request: &str, lines: &str) -> u16 {
    let address = explored.address;
    let mut stream = connect(address);
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: {address}\r\n{lines}\r\n"
    )
    .unwrap();
    let start = crate::support::read_exactly(&mut stream, 12);
    std::str::from_utf8(&start[9..]).unwrap().parse().unwrap()
}

/// What a client says to a proxy (RFC 9112, section 3.2.2): its host counts, and not the field `Host`.
#[test]
fn a_request_in_absolute_form_is_taken() {
    let explored = WithExplorer::start(&["echo=0"]);
    let address = explored.address;
    let port = address.port();
    let asked = |target: &str, host: &str| {
        explored
            .says(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .status
    };
    let own = address.to_string();
    for target in [
        format!("http://{address}/metrics"),
        format!("http://{address}/healthz?verbose=1"),
        format!("HTTP://LocalHost:{port}/healthz"),
        format!("http://[::1]:{port}/"),
        format!("http://{address}"),
        format!("http://{address}?query=1"),
    ] {
        assert_eq!(asked(&target, &own), 200, "{target}");
        assert_eq!(asked(&target, "other.example"), 200, "{target}");
    }
    for (target, status) in [
        (format!("http://other.example:{port}/healthz"), 421),
        (format!("http://127.0.0.1:{}/healthz", port ^ 1), 421),
        (format!("http://{address}.other.example/healthz"), 421),
        (format!("http://{address}@other.example/healthz"), 400),
        ("http:///healthz".to_owned(), 400),
        (format!("https://{address}/healthz"), 400),
        (format!("ftp://{address}/healthz"), 400),
        (format!("http://{address}/no-such-page"), 404),
        ("healthz".to_owned(), 400),
        ("*".to_owned(), 400),
    ] {
        assert_eq!(asked(&target, &own), status, "{target}");
    }
    explored.server.stop();
}
