//! The page, `/healthz` and `/metrics`: what they say, and what a browser is told to make of them.

use std::io::Write;

use super::WithExplorer;
use crate::support::{eventually, read_to_end};

#[test]
fn the_page_comes_whole_and_may_do_nothing_but_ask_its_own_server() {
    let explored = WithExplorer::start(&["echo=0"]);
    let page = explored.get("/");
    assert_eq!(page.status, 200);
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    let length = page.body.len().to_string();
    assert_eq!(page.field("content-length"), Some(&*length));
    for part in [
        "NONCE",
        "TOKEN",
        "/*STYLE*/",
        "/*SCRIPT*/",
        "src=",
        "@import",
    ] {
        assert!(!page.body.contains(part), "{part} is left in the page");
    }
    assert!(page.body.contains("<html") && page.body.contains("</html>"));

    let policy = page.field("content-security-policy").unwrap();
    for rule in [
        "default-src 'none'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(rule), "{rule} in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let nonce = nonce(policy);
    let marked = page.body.matches("<script ").count() + page.body.matches("<style ").count();
    let allowed = page.body.matches(&format!("nonce=\"{nonce}\"")).count();
    assert_eq!(
        (marked, allowed),
        (2, 2),
        "one style, one script, both allowed"
    );
    let again = explored.get("/");
    let again = again.field("content-security-policy").unwrap();
    assert_ne!(nonce, self::nonce(again), "a nonce is used once");
    assert_eq!(explored.token().len(), 32, "128 bits in hexadecimal");
    assert_ne!(explored.token(), WithExplorer::start(&["echo=0"]).token());
    explored.server.stop();
}

fn nonce(policy: &str) -> String {
    let (_, rest) = policy.split_once("script-src 'nonce-").unwrap();
    let nonce = rest.split('\'').next().unwrap();
    assert!(nonce.len() >= 22, "128 bits: {nonce}");
    nonce.to_owned()
}

#[test]
fn every_answer_is_kept_nowhere_and_guessed_about_by_nobody() {
    let explored = WithExplorer::start(&["echo=0"]);
    for path in ["/", "/healthz", "/metrics", "/no-such-page"] {
        let answer = explored.get(path);
        assert_eq!(answer.field("cache-control"), Some("no-store"), "{path}");
        let sniffing = answer.field("x-content-type-options");
        assert_eq!(sniffing, Some("nosniff"), "{path}");
        assert_eq!(
            answer.field("referrer-policy"),
            Some("no-referrer"),
            "{path}"
        );
        assert_eq!(answer.field("connection"), Some("close"), "{path}");
        // Nobody else may read it from a browser.
        assert!(
            !answer.head.to_lowercase().contains("access-control"),
            "{path}"
        );
    }
}

#[test]
fn health_is_told_to_all_kinds_of_clients() {
    let explored = WithExplorer::start(&["echo=0"]);
    let answer = explored.get("/healthz");
    assert_eq!((answer.status, &*answer.body), (200, "ok\n"));
    let with_query = explored.get("/healthz?verbose=1");
    assert_eq!((with_query.status, &*with_query.body), (200, "ok\n"));
    let head = explored.ask("HEAD /healthz", "", "");
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(head.field("content-length"), Some("3"));
    let old = explored.says(format!(
        "GET /healthz HTTP/1.0\r\nHost: {}\r\n\r\n",
        explored.address
    ));
    assert_eq!((old.status, &*old.body), (200, "ok\n"));
    for path in ["/", "/metrics", "/events"] {
        let head = explored.ask(&format!("HEAD {path}"), "", "");
        assert_eq!((head.status, &*head.body), (200, ""), "{path}");
    }
    explored.server.stop();
}

#[test]
fn the_metrics_agree_with_what_was_done() {
    let explored = WithExplorer::start(&["hello=0", "echo=0", "chat=0", "--chat-with", "echo"]);
    let mut echo = [(); 3].map(|()| explored.server.connect("echo"));
    for client in &mut echo {
        explored.echo(client, "hello\n");
    }
    let greeting = read_to_end(&mut explored.server.connect("hello"));
    assert_eq!(greeting.len(), 13);
    eventually("the greeted one is gone", || {
        value(&explored, "epollo_connections{service=\"hello\"}") == 0.0
            && total(&explored, "epollo_closed_total{") >= 1.0
    });
    assert_eq!(
        value(&explored, "epollo_connections{service=\"echo\"}"),
        3.0
    );
    assert_eq!(
        value(&explored, "epollo_connections{service=\"chat\"}"),
        0.0
    );
    assert_eq!(value(&explored, "epollo_accepted_total"), 4.0);
    assert_eq!(total(&explored, "epollo_received_bytes_total"), 18.0);
    assert_eq!(total(&explored, "epollo_sent_bytes_total"), 31.0);
    drop(echo);
    eventually("everybody is gone", || {
        value(&explored, "epollo_connections{service=\"echo\"}") == 0.0
    });
    assert_eq!(
        value(&explored, "epollo_closed_total{reason=\"finished\"}"),
        4.0
    );
    assert!(value(&explored, "epollo_turns_total") > 8.0);
    explored.server.stop();
}

/// Every line parses already; beyond that, what the format demands of types and histograms.
#[test]
fn the_metrics_are_in_the_format_that_prometheus_reads() {
    let explored = WithExplorer::start(&["echo=0"]);
    explored.echo(&mut explored.server.connect("echo"), "x");
    let answer = explored.get("/metrics");
    let kind = answer.field("content-type");
    assert_eq!(kind, Some("text/plain; version=0.0.4; charset=utf-8"));
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    let open = explored.ask("GET /metrics", accept, "");
    let kind = open.field("content-type");
    assert_eq!(
        kind,
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let families: Vec<&str> = answer
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    assert!(families.len() >= 10, "{families:?}");
    for line in answer.body.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(name.starts_with("epollo_"), "{line}");
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        assert!(
            families.contains(&family.unwrap_or(name)),
            "{line} is of no type"
        );
    }
    for (text, name) in [
        (&answer.body, "epollo_accepted_total"),
        (&open.body, "epollo_accepted"),
    ] {
        assert!(text.contains(&format!("# TYPE {name} counter\n")), "{text}");
        assert!(text.ends_with("\n# EOF\n"), "{text}");
    }
    let metrics = explored.metrics();
    let turns = metrics["epollo_turn_seconds_count"];
    let all = metrics["epollo_turn_seconds_bucket{le=\"+Inf\"}"];
    assert!(turns > 0.0 && (turns - all).abs() < f64::EPSILON);
    explored.server.stop();
}

fn value(explored: &WithExplorer, name: &str) -> f64 {
    let metrics = explored.metrics();
    *metrics
        .get(name)
        .unwrap_or_else(|| panic!("no {name} in {metrics:#?}"))
}

/// The sum over all labels of what begins so.
fn total(explored: &WithExplorer, name: &str) -> f64 {
    let metrics = explored.metrics();
    let found = metrics.iter().filter(|(other, _)| other.starts_with(name));
    found.map(|(_, value)| value).sum()
}

#[test]
fn what_a_peer_says_is_nowhere_as_html() {
    let explored = WithExplorer::start(&["echo=0", "chat=0", "--chat-with", "echo"]);
    let mut stream = explored.look();
    let attack = "<script>alert(1)</script>\n";
    let mut echo = explored.server.connect("echo");
    explored.echo(&mut echo, attack);
    let mut chat = explored.server.connect("chat");
    chat.write_all(attack.as_bytes()).unwrap();
    let name = chat.local_addr().unwrap().to_string();
    stream.row(&name, "the attack arrived", |row| row["in"] == 26);
    for path in ["/", "/metrics"] {
        let body = explored.get(path).body;
        assert!(!body.contains("alert(1)"), "{path}");
    }
    // The stream does tell of it, as JSON in what no browser takes for a page.
    assert!(stream.raw.contains("alert(1)"));
    let events = explored.ask("HEAD /events", "", "");
    assert_eq!(events.field("content-type"), Some("text/event-stream"));
    assert_eq!(events.field("x-content-type-options"), Some("nosniff"));
    explored.server.stop();
}
