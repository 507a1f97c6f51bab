//! `epollo bench` on a machine that shows less: no /proc, or one without some lines, as in gVisor; and a
//! host name of which one address has no server. Each is made in a mount namespace of its own.

use std::io::Write;
use std::process::Command;

use serde_json::Value;

use crate::support::{Epollo, Server};

/// Runs a shell script in a mount namespace, where `$0` is the program; none, and said so, where that is
/// not allowed.
fn unshared(script: &str, arguments: &[&str]) -> Option<Epollo> {
    let works = |flags: &str| {
        let mut command = Command::new("unshare");
        let tried = command.args([flags, "sh", "-c", "mount -t tmpfs none /mnt"]);
        tried.output().is_ok_and(|output| output.status.success())
    };
    let Some(flags) = ["-m", "-rm"].into_iter().find(|flags| works(flags)) else {
        eprintln!("skipped: no mount namespace can be made here (unshare -m)");
        return None;
    };
    let mut command = Command::new("unshare");
    command.args([flags, "sh", "-c", script, env!("CARGO_BIN_EXE_epollo")]);
    Some(Epollo::spawn(command.args(arguments)))
}

/// A short load, in a namespace made by `script`: its report.
fn report(script: &str, more: &[&str]) -> Option<Value> {
    let usual = ["bench", "-c", "2", "-n", "500", "--warmup", "0s", "--json"];
    let mut process = unshared(script, &[&usual, more].concat())?;
    let shown = process.rest();
    assert_eq!(process.code(), 0, "{}", process.errors());
    Some(serde_json::from_slice(&shown).unwrap())
}

#[test]
fn without_proc_it_runs_and_says_what_is_missing() {
    let server = Server::start(&["echo=0"]);
    let address = server.address("echo").to_string();
    let pid = server.process.id().to_string();
    let script = "mount -t tmpfs none /proc && exec \"$0\" \"$@\"";
    let Some(report) = report(script, &[&address, "--pid", &pid]) else {
        return;
    };
    assert_eq!(report["echoes"], 500);
    for process in ["generator", "server"] {
        let cost = &report[process];
        assert!(cost["cpu_ns"].as_u64() > Some(0), "{process}: {cost}");
        assert_eq!(cost["rss"], Value::Null, "{process}: {cost}");
        assert_eq!(cost["context_switches_voluntary"], Value::Null);
    }
    let doubts = report["trust"].to_string();
    assert!(
        doubts.contains("there is no /proc here: memory, context switches "),
        "{doubts}"
    );
    let mut none = unshared(script, &["bench", &address, "--pid", "4194305"]).unwrap();
    assert_eq!(none.errors(), "epollo: there is no process 4194305\n");
    assert_eq!(none.code(), 1);
    server.stop();
}

#[test]
fn lines_that_proc_lacks_are_missed_and_said() {
    let server = Server::start(&["echo=0"]);
    let address = server.address("echo").to_string();
    let path = std::env::temp_dir().join(format!("epollo-status-{}", std::process::id()));
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(b"Name:\tepollo\nState:\tR (running)\nPid:\t1\n")
        .unwrap();
    let path = path.to_str().unwrap();
    let script = format!(
        "for status in /proc/$$/status /proc/$$/task/$$/status; do mount --bind {path} $status || exit 9; done; \
         exec \"$0\" \"$@\""
    );
    let report = report(&script, &[&address]);
    std::fs::remove_file(path).unwrap();
    server.stop();
    let Some(report) = report else {
        return;
    };
    let generator = &report["generator"];
    assert_eq!(generator["command"], "epollo");
    assert_eq!(generator["context_switches_voluntary"], Value::Null);
    assert!(generator["rss"].as_u64() > Some(1 << 20), "{generator}");
    let doubts = report["trust"].to_string();
    assert!(
        doubts.contains("the context switches of epollo (process "),
        "{doubts}"
    );
    assert!(doubts.contains("/status does not show it"), "{doubts}");
}

#[test]
fn of_a_name_the_address_that_has_a_server_is_loaded() {
    let server = Server::start(&["echo=127.0.0.1:0"]);
    let port = server.address("echo").port();
    let path = std::env::temp_dir().join(format!("epollo-hosts-{}", std::process::id()));
    let path = path.to_str().unwrap();
    for hosts in [
        "127.0.0.2 two.test\n127.0.0.1 two.test\n",
        "::1 two.test\n127.0.0.1 two.test\n",
    ] {
        std::fs::write(path, hosts).unwrap();
        let script = format!("mount --bind {path} /etc/hosts && exec \"$0\" \"$@\"");
        if let Some(report) = report(&script, &[&format!("two.test:{port}")]) {
            assert_eq!(report["address"], format!("127.0.0.1:{port}"));
        }
    }
    std::fs::remove_file(path).unwrap();
    server.stop();
}
