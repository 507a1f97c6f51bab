//! Load generators and an attacker from elsewhere. Those that speak HTTP or Redis to an echo server send what is an
//! answer in their own protocol. How fast they are served is for docs/BENCHMARKS.md.

use super::judge::{Judge, run};
use super::{matrix, page, script};
use crate::support::Server;

const REQUESTS: &str = "2000";

/// What stands before this in the line in which it stands.
fn before(text: &str, end: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains(end))?;
    let word = line.split(end).next()?.split_whitespace().last()?;
    word.parse().ok()
}

/// What stands after this in its line.
fn after<'a>(text: &'a str, begin: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.split_once(begin));
    line.map(|(_, rest)| rest.trim())
}

fn holds(judge: &Judge, against: &str, verdict: &str) {
    matrix::holds(
        "judge",
        judge,
        &[("against", against), ("verdict", verdict)],
    );
}

#[test]
fn wrk_takes_its_answers_from_an_echo_server() {
    let Some(judge) = Judge::find("wrk", &["wrk", "-v"], "Debian package wrk") else {
        return;
    };
    let server = Server::start(&["echo=0"]);
    let target = format!("http://{}/", server.address("echo"));
    let answers = script("answers.lua");
    let words = ["wrk", "-t2", "-c16", "-d1s", "-s", &answers, &target];
    let said = run(&words, b"");
    let text = said.text();
    let is_served =
        said.code == 0 && before(&text, " requests in ").is_some_and(|count| count > 100);
    let trouble = ["Socket errors", "Non-2xx", "wrong answer"];
    let is_clean = !trouble.iter().any(|words| text.contains(words));
    assert!(is_served && is_clean, "{}", said.all());
    holds(
        &judge,
        "echo, 16 connections",
        "every body is the one that was sent, no socket error",
    );
    server.stop();
}

#[test]
fn redis_benchmark_takes_its_answers_from_an_echo_server() {
    let asked = ["redis-benchmark", "--version"];
    let Some(judge) = Judge::find("redis-benchmark", &asked, "Debian package redis-tools") else {
        return;
    };
    let server = Server::start(&["echo=0"]);
    let port = server.port("echo");
    for pipelined in ["1", "16"] {
        let words = [
            "redis-benchmark",
            "-p",
            &port,
            "-t",
            "ping_mbulk",
            "-n",
            REQUESTS,
            "-P",
            pipelined,
        ];
        let said = run(&[&words[..], &["-c", "16", "--csv"]].concat(), b"");
        let text = said.text();
        let rate = after(&text, "\"PING_MBULK\",\"").and_then(|rest| rest.split('"').next());
        let is_served = rate.is_some_and(|rate| rate.parse::<f64>().is_ok_and(|rate| rate > 0.0));
        assert!(said.code == 0 && is_served, "{}", said.all());
    }
    holds(
        &judge,
        "echo, 16 connections, also 16 requests at a time",
        "every answer is a whole array",
    );
    server.stop();
}

#[test]
fn h2load_finds_no_failure() {
    let asked = ["h2load", "--version"];
    let Some(judge) = Judge::find("h2load", &asked, "Debian package nghttp2-client") else {
        return;
    };
    let server = Server::start(&["echo=0", "--explore=127.0.0.1:0"]);
    let target = format!("http://{}/healthz", server.address("explore"));
    let said = run(&["h2load", "--h1", "-n", REQUESTS, "-c", "8", &target], b"");
    let expected = format!("{REQUESTS} done, {REQUESTS} succeeded, 0 failed, 0 errored, 0 timeout");
    let is_served =
        said.text().contains(&expected) && said.text().contains(&format!("{REQUESTS} 2xx,"));
    assert!(is_served, "{}", said.all());
    holds(
        &judge,
        "`/healthz`, 8 connections",
        "every request succeeds",
    );
    server.stop();
}

#[test]
fn ab_finds_no_failure() {
    let Some(judge) = Judge::find("ab", &["ab", "-V"], "Debian package apache2-utils") else {
        return;
    };
    let server = Server::start(&["echo=0", "--explore=127.0.0.1:0"]);
    let target = format!("http://{}/", server.address("explore"));
    let said = run(&["ab", "-q", "-n", REQUESTS, "-c", "8", &target], b"");
    let text = said.text();
    let bytes = page(&server, "/").len().to_string() + " bytes";
    assert_eq!(
        after(&text, "Complete requests:"),
        Some(REQUESTS),
        "{}",
        said.all()
    );
    assert_eq!(
        after(&text, "Failed requests:"),
        Some("0"),
        "{}",
        said.all()
    );
    assert_eq!(
        after(&text, "Document Length:"),
        Some(&*bytes),
        "{}",
        said.all()
    );
    holds(
        &judge,
        "the page, 8 connections",
        "every request succeeds, every page is whole",
    );
    server.stop();
}

/// Its clients send a head that never ends. The page gives a request five seconds; it must be there for
/// others meanwhile, which slowhttptest looks at, and have left all of the slow ones in the end.
#[test]
fn slowhttptest_holds_no_connection_and_keeps_nobody_out() {
    let asked = ["slowhttptest", "-h"];
    let Some(judge) = Judge::find("slowhttptest", &asked, "Debian package slowhttptest") else {
        return;
    };
    let server = Server::start(&["echo=0", "--explore=127.0.0.1:0"]);
    let target = format!("http://{}/", server.address("explore"));
    let words = [
        "slowhttptest",
        "-H",
        "-c",
        "100",
        "-r",
        "100",
        "-i",
        "1",
        "-l",
        "9",
        "-p",
        "3",
        "-u",
        &target,
    ];
    let said = run(&words, b"");
    let text = said.text();
    let availability: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once("service available:"))
        .map(|(_, rest)| rest)
        .collect();
    let is_there = !availability.is_empty() && availability.iter().all(|rest| rest.contains("YES"));
    assert!(is_there, "{}", said.all());
    assert!(text.contains("No open connections left"), "{}", said.all());
    holds(
        &judge,
        "the page, 100 slow heads",
        "available all the time, all are left after 5 s",
    );
    server.stop();
}

#[test]
fn expect_has_the_conversations_that_a_person_has_at_a_terminal() {
    let Some(judge) = Judge::find("expect", &["expect", "-v"], "Debian package expect") else {
        return;
    };
    let server = Server::start(&["hello=0", "echo=0", "chat=0", "--chat-with", "echo"]);
    let ports = ["hello", "echo", "chat"].map(|service| server.port(service));
    let words = [
        "expect",
        &script("terminal.exp"),
        env!("CARGO_BIN_EXE_epollo"),
    ];
    let ports = ports.each_ref().map(String::as_str);
    let said = run(&[&words[..], &ports].concat(), b"");
    assert_eq!((said.code, &*said.errors), (0, ""), "{}", said.all());
    holds(
        &judge,
        "our three clients on a terminal",
        "prompts, answers and exit codes are as expected",
    );
    server.stop();
}
