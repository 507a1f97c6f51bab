//! gVisor as a second kernel: its sockets, its epoll and its /proc are programs of their own. Server, clients and
//! load run in one sandbox, which has no network but its loopback.

use super::judge::{Judge, run};
use super::matrix;

const SANDBOX: [&str; 7] = [
    "runsc",
    "--rootless",
    "--platform=ptrace",
    "--network=none",
    "do",
    "sh",
    "-c",
];

/// Says a line for each thing that holds; it ends with the first that does not.
const SCRIPT: &str = r#"
set -eu
cd "$(mktemp -d)"
epollo() { "$EPOLLO" "$@"; }
"$EPOLLO" serve hello=0 echo=0 chat=0 --chat-with echo >listening </dev/null & server=$!
until [ "$(wc -l <listening)" = 3 ]; do sleep 0.02; done
port() { sed -n "s/^listening $1 .*://p" listening; }
epollo hello 127.0.0.1 "$(port hello)"
head -c 1000000 /dev/urandom >in
epollo echo 127.0.0.1 "$(port echo)" <in >out
cmp in out
echo 'echo: the same bytes'
printf 'one\nQUIT\n' | epollo chat 127.0.0.1 "$(port chat)"
epollo bench echo "127.0.0.1:$(port echo)" -n 1000 -c 8 >report
grep ^wrong report
kill -TERM "$server"
wait "$server"
echo 'serve: exit code 0'
"#;

const LINES: [&str; 6] = [
    "Message from server: Hello World!",
    "echo: the same bytes",
    "Connected\nserver : one\nDisconnected",
    "wrong       nothing: all echoes arrived once, in order and unchanged",
    "serve: exit code 0",
    "",
];

#[test]
fn another_kernel_serves_and_asks_as_linux_does() {
    let asked = ["runsc", "--version"];
    let Some(judge) = Judge::find("runsc", &asked, "Debian package runsc") else {
        return;
    };
    if run(&[&SANDBOX[..], &["true"]].concat(), b"").code != 0 {
        eprintln!("SKIPPED others: runsc may not make a sandbox here (it needs user namespaces)");
        return;
    }
    let script = SCRIPT.replace("$EPOLLO", env!("CARGO_BIN_EXE_epollo"));
    let said = run(&[&SANDBOX[..], &[&script]].concat(), b"");
    assert_eq!(said.text(), LINES.join("\n"), "{}", said.all());
    assert_eq!(said.code, 0, "{}", said.all());
    let verdict = "greets, echoes 1 MB, chats, is loaded without an error, ends with 0";
    matrix::holds(
        "judge",
        &judge,
        &[
            (
                "against",
                "`serve`, the clients and `bench` on its own kernel",
            ),
            ("verdict", verdict),
        ],
    );
}
