//! The command line: any arguments at all make sense, or are told in one line that they do not.
//! Nothing is run. What the environment says of options is as it is.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use epollo::cli::understand;

use super::choices::{Choices, assert_one_line};

const WORDS: [&str; 48] = [
    "serve",
    "hello",
    "echo",
    "chat",
    "127.0.0.1",
    "echo=0",
    "chat=127.0.0.1:5000",
    "hello=[::1]:0",
    "echo=65536",
    "chat=",
    "=",
    "5000",
    "--max-conns",
    "-m",
    "--per-ip",
    "--backlog",
    "--idle-timeout",
    "-i",
    "--write-timeout",
    "--max-message",
    "--max-buffer",
    "--grace",
    "--greeting",
    "--quit",
    "--print",
    "--chat-with",
    "operator",
    "pair",
    "--framing",
    "auto",
    "padded:1024",
    "padded:1",
    "chunk",
    "--once",
    "--spin",
    "--reuse-port",
    "-v",
    "-vvq",
    "--log-level",
    "debug",
    "--color",
    "always",
    "none",
    "500ms",
    "4k",
    "--help",
    "--version",
    "help",
];

const VALUES: [&str; 20] = [
    "0",
    "-1",
    "1",
    "65535",
    "18446744073709551616",
    "0s",
    "99999999999h",
    "1h 5m",
    "16M",
    "17M",
    "1e9",
    "\\x00\\n",
    "\\x",
    "\\x4",
    "\\x가",
    "\\",
    "\\q",
    "[::1]:70000",
    "[::1%lo]:1",
    "255.255.255.255:1",
];

/// Parses a command line.
pub fn arguments(data: &[u8]) {
    let mut choices = Choices(data);
    let mut arguments = vec![OsString::from("epollo")];
    while !choices.is_over() && arguments.len() < 16 {
        let argument = argument(&mut choices);
        arguments.push(OsString::from_vec(argument));
    }
    if let Err((code, line)) = understand(arguments.clone().into_iter()) {
        assert_eq!(code, 2, "{arguments:?}");
        assert!(line.starts_with("epollo: ") && line.len() > 10, "{line:?}");
        assert_one_line(&line);
    }
}

fn argument(choices: &mut Choices<'_>) -> Vec<u8> {
    match choices.below(8) {
        0..=3 => choices.one_of(&WORDS).into(),
        4 => choices.one_of(&VALUES).into(),
        5 => {
            let option = choices.one_of(&WORDS);
            [option.as_bytes(), b"=", &value(choices)].concat()
        }
        6 => value(choices),
        _ => {
            let count = choices.below(12);
            choices.raw(count).to_vec()
        }
    }
}

fn value(choices: &mut Choices<'_>) -> Vec<u8> {
    if choices.once_in(2) {
        return choices.one_of(&VALUES).into();
    }
    let pieces = choices.below(4);
    choices.wire(pieces)
}
