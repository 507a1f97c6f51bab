//! What `epollo` refuses to do, or warns of, and the words it has for it: one line that says what, and what to do.

use std::process::Command;

use crate::support::{Epollo, program};

/// Runs it to its end: the exit code and what it said.
fn said(command: &mut Command) -> (i32, String) {
    let mut process = Epollo::spawn(command);
    (process.code(), process.errors())
}

#[test]
fn one_address_for_two_services_is_refused_with_and_without_reuse_port() {
    for arguments in [
        &["echo=34567", "hello=34567"][..],
        &["echo=34567", "hello=127.0.0.1:34567", "--reuse-port"],
        &["echo=34567", "--explore=34567"],
        &["echo=localhost:34567", "echo=localhost:34567"],
    ] {
        let (code, words) = said(program().arg("serve").args(arguments));
        assert_eq!(code, 2, "{words}");
        assert!(words.contains(" cannot both listen on "), "{words}");
        assert_eq!(words.lines().count(), 1, "{words}");
    }
}
