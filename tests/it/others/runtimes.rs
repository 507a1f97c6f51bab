//! Clients on the event loops of other languages. Each is a script that tries one service after another and says
//! what came of it; whether a reset reached the server is seen there.

use super::judge::{Judge, run};
use super::{figure, matrix, script};
use crate::support::{Server, eventually};

const SERVICES: [&str; 6] = [
    "hello=0",
    "echo=0",
    "chat=0",
    "--chat-with",
    "echo",
    "--explore=127.0.0.1:0",
];
const TRIALS: [&str; 5] = ["hello", "echo", "half-close", "reset", "chat"];
const BROKEN: &str = "epollo_closed_total{reason=\"broken\"}";
/// Debian's own, for which its packages are.
const PYTHON: &str = "/usr/bin/python3";

/// Runs the script with the ports of all services behind its arguments.
fn judged(judge: &Judge, words: &[&str]) {
    let server = Server::start(&SERVICES);
    let ports = ["hello", "echo", "chat"].map(|service| server.port(service));
    let mut words = words.to_vec();
    words.extend(ports.iter().map(String::as_str));
    let said = run(&words, b"");
    let text = said.text();
    let verdicts = TRIALS.map(|trial| {
        let is_right = text.lines().any(|line| line == format!("{trial} yes"));
        (trial, if is_right { "yes" } else { "no" })
    });
    let is_all = said.code == 0 && verdicts.iter().all(|(_, verdict)| *verdict == "yes");
    assert!(is_all, "{}", said.all());
    eventually("the reset has arrived", || figure(&server, BROKEN) == 1);
    let verdicts = verdicts.map(|(trial, verdict)| match trial {
        "echo" => (trial, "1 MB, any bytes"),
        _ => (trial, verdict),
    });
    matrix::holds("client", judge, &verdicts);
    server.stop();
}

#[test]
fn asyncio_is_served() {
    let Some(judge) = Judge::find("asyncio", &[PYTHON, "-V"], "Debian package python3") else {
        return;
    };
    judged(&judge, &[PYTHON, &script("streams.py"), "asyncio"]);
}

#[test]
fn uvloop_is_served() {
    let asked = [PYTHON, "-c", "import uvloop; print(uvloop.__version__)"];
    let Some(judge) = Judge::find("uvloop", &asked, "Debian package python3-uvloop") else {
        return;
    };
    judged(&judge, &[PYTHON, &script("streams.py"), "uvloop"]);
}

#[test]
fn twisted_is_served() {
    let asked = [PYTHON, "-c", "import twisted; print(twisted.__version__)"];
    let Some(judge) = Judge::find("twisted", &asked, "Debian package python3-twisted") else {
        return;
    };
    judged(&judge, &[PYTHON, &script("protocols.py")]);
}

#[test]
fn node_is_served() {
    let asked = ["node", "--version"];
    let Some(judge) = Judge::find("node net", &asked, "Debian package nodejs") else {
        return;
    };
    judged(&judge, &["node", &script("net.js")]);
}
