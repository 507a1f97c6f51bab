//! The command line: any arguments at all make sense, or are told in one line that they do not.
//! Nothing is run. What the environment says of options is as it is.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use epollo::cli::understand;

use super::choices::{Choices, assert_one_line};

const COMMANDS: [&str; 8] = [
    "serve", "serve", "serve", "hello", "echo", "chat", "help", "dance",
];

const PLAIN: [&str; 16] = [
    "127.0.0.1",
    "5000",
    "echo=0",
    "chat=127.0.0.1:5000",
    "hello=[::1]:0",
    "echo=65536",
    "chat=",
    "=",
    "--print",
    "--once",
    "--reuse-port",
    "-v",
    "-vvq",
    "--help",
    "--version",
    "--",
];

/// Options with a value that each of them takes.
const OPTIONS: [(&str, &str); 20] = [
    ("--greeting", "Hello\\x00\\n"),
    ("--greeting", "가"),
    ("--quit", "exit"),
    ("--framing", "padded:1024"),
    ("--framing", "chunk"),
    ("--chat-with", "pair"),
    ("--max-conns", "1"),
    ("-m", "65535"),
    ("--per-ip", "1"),
    ("--backlog", "0"),
    ("--idle-timeout", "none"),
    ("-i", "500ms"),
    ("--write-timeout", "1h"),
    ("--max-message", "4k"),
    ("--max-buffer", "0"),
    ("--grace", "5s"),
    ("--spin", "0"),
    ("--log-level", "debug"),
    ("--color", "always"),
    ("--nonsense", ""),
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
    let mut choices = Choices::new(data);
    let mut arguments = vec![b"epollo".to_vec()];
    if !choices.once_in(8) {
        arguments.push(choices.one_of(&COMMANDS).into());
    }
    while !choices.is_over() && arguments.len() < 16 {
        argument(&mut choices, &mut arguments);
    }
    let arguments: Vec<OsString> = arguments.into_iter().map(OsString::from_vec).collect();
    if let Err((code, line)) = understand(arguments.clone().into_iter()) {
        assert_eq!(code, 2, "{arguments:?}");
        assert!(line.starts_with("epollo: ") && line.len() > 10, "{line:?}");
        assert_one_line(&line);
    }
}

/// One more argument or option. Most are right: the first that is wrong ends the parsing.
fn argument(choices: &mut Choices<'_>, arguments: &mut Vec<Vec<u8>>) {
    match choices.below(16) {
        0..=4 => arguments.push(choices.one_of(&PLAIN).into()),
        5..=14 => {
            let (option, usual) = choices.one_of(&OPTIONS);
            let value = if choices.once_in(3) {
                value(choices)
            } else {
                usual.into()
            };
            if choices.once_in(2) {
                arguments.push([option.as_bytes(), b"=", &value].concat());
            } else {
                arguments.extend([option.into(), value]);
            }
        }
        _ => arguments.push(value(choices)),
    }
}

fn value(choices: &mut Choices<'_>) -> Vec<u8> {
    match choices.below(4) {
        0 | 1 => choices.one_of(&VALUES).into(),
        2 => {
            let pieces = choices.below(4);
            choices.wire(pieces)
        }
        _ => {
            let count = choices.below(12);
            choices.raw(count).to_vec()
        }
    }
}
