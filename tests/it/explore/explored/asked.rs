//! How the explorer is asked for: with an address or without, by the environment, beside a trace.

use std::net::TcpListener;
use std::process::Command;

use super::WithExplorer;
use crate::support::{Epollo, Server};

fn serve(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
    command.arg("serve").args(arguments);
    command
}

#[test]
fn an_address_may_follow_in_any_way() {
    for explore in [
        &["--explore", "0"][..],
        &["--explore=0"],
        &["--explore", "127.0.0.1:0"],
        &["--explore=127.0.0.1:0"],
    ] {
        let arguments = [explore, &["echo=0"]].concat();
        let explored = WithExplorer::of(&mut serve(&arguments), &["echo=0"]);
        assert_eq!(explored.get("/healthz").body, "ok\n", "{explore:?}");
        explored.server.stop();
        let arguments = [&["echo=0"], explore].concat();
        let explored = WithExplorer::of(&mut serve(&arguments), &["echo=0"]);
        assert_eq!(explored.get("/healthz").body, "ok\n", "{explore:?}");
    }
    let mut command = serve(&["echo=0"]);
    command.env("EPOLLO_EXPLORE", "0");
    let explored = WithExplorer::of(&mut command, &["echo=0"]);
    assert_eq!(explored.get("/healthz").body, "ok\n");
}

/// What follows `--explore` is a service if it looks like one.
#[test]
fn without_an_address_it_is_port_7070_and_swallows_nothing() {
    // If we cannot have the port, somebody else has it: taken it is.
    let _taken = TcpListener::bind("127.0.0.1:7070");
    for arguments in [
        &["--explore", "echo=0"][..],
        &["--explore", "echo=127.0.0.1:0"],
        &["echo=0", "--explore"],
        &["--explore", "--print", "echo=0"],
    ] {
        let mut process = Epollo::spawn(&mut serve(arguments));
        assert_eq!(process.code(), 1, "{arguments:?}");
        let words = process.errors();
        let expected = "cannot listen on 127.0.0.1:7070 for explore: address in use";
        assert!(words.contains(expected), "{words}");
        assert!(
            words.contains("(try --explore=0 for any free port)"),
            "{words}"
        );
    }
}

#[test]
fn an_address_that_is_taken_or_is_none_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let cases = [
        (&["--explore", &*address, "echo=0"][..], 1, &*address),
        (&["--explore=nonsense", "echo=0"], 2, "nonsense"),
        (&["--explore", "65536", "echo=0"], 2, "65536"),
        (
            &["--explore", "nonsense", "echo=0"],
            2,
            "no service 'nonsense'",
        ),
    ];
    for (arguments, code, part) in cases {
        let mut process = Epollo::spawn(&mut serve(arguments));
        assert_eq!(process.code(), code, "{arguments:?}");
        let words = process.errors();
        assert_eq!(words.lines().count(), 1, "{words}");
        assert!(words.contains(part), "{words}");
        assert!(process.rest().is_empty(), "nothing listened");
    }
}

#[test]
fn without_the_option_there_is_no_page() {
    let mut server = Server::start(&["echo=0"]);
    server.process.signal(rustix::process::Signal::TERM);
    assert_eq!(server.process.code(), 0);
    assert!(server.process.rest().is_empty(), "one line for one service");
}

#[test]
fn a_trace_is_written_beside_it() {
    let folder = std::env::temp_dir().join(format!("epollo-explored-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("trace.jsonl");
    let explored = WithExplorer::start(&["echo=0", "--trace", file.to_str().unwrap()]);
    let mut stream = explored.look();
    let mut echo = explored.server.connect("echo");
    explored.echo(&mut echo, "both");
    let name = echo.local_addr().unwrap().to_string();
    let seen = stream.moment("the page is told", |moment| {
        moment["kind"] == "read" && moment["result"] == 4
    });
    assert_eq!(seen["name"], *name);
    drop((stream, echo));
    explored.server.stop();
    let trace = std::fs::read_to_string(&file).unwrap();
    let same = trace.lines().any(|line| {
        let moment: serde_json::Value = serde_json::from_str(line).unwrap();
        ["t", "turn", "kind", "peer", "name", "result"]
            .iter()
            .all(|key| moment[key] == seen[key])
    });
    assert!(same, "the same moment is in both");
    std::fs::remove_dir_all(&folder).unwrap();
}
