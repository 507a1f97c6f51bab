//! Sentences that were hard to read, and that must not come back: in the help, in the sources of the
//! messages, on the page. Whether a new sentence is a good one is for its reader to say.

use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

use crate::support::Epollo;

/// What each of them alone has said, in the order in which they were listed.
const RETIRED: [&str; 64] = [
    "Say more: -v",
    "-vv each connection that comes",
    "Say only what failed",
    "goes before -v",
    "Open connections; one more is turned away",
    "Connections that the kernel keeps until",
    "Nothing received and nothing sent for this long",
    "Bytes wait and the peer takes none",
    "beyond it the worst slow reader goes first",
    "how long to answer what was read",
    "Look again without sleeping",
    "How chat messages are cut",
    "How messages are cut",
    "Write down what the loop does",
    "Bytes that are shown of each",
    "and tell how fast it was",
    "Connections that ask; hello",
    "Instead: how many requests",
    "answers may take 5 s",
    "Requests under way on one connection",
    "Requests a second, all together, whether",
    "whether answers come or not",
    "as independent clients come",
    "Connections that stay silent beside",
    "Load before it is measured",
    "From which addresses of ours",
    "The local process that serves",
    "tell what the load cost it",
    "Write second by second",
    "Tell what differs between",
    "The seeds to run, B not among them",
    "without end if there are",
    "No further seed once so many",
    "This seed alone; with",
    "every step is told\"",
    "Fail also if a fault",
    "Instead: so many echo clients",
    "to see what each costs",
    "what shall it do",
    "is no trace (",
    "nothing to measure in no time",
    "for the terminal were dropped",
    "did not come to be within",
    "answer faithfully",
    "\"until the connection stood",
    "from due to answered",
    "{forced} forced",
    "such as the generator",
    "are the least that tell anything",
    "no difference can be told",
    "\"As told\"",
    "\"Armed\"",
    "\"Halves\"",
    "Looks without sleeping\"",
    "\"Read 0:",
    "who has no partner or not the turn",
    "connection go without a goodbye",
    "The stream broke",
    "Trying again",
    "{} idle ones",
    "came once, in order and unchanged",
    "throughput is its limit, and latency holds",
    "is not ours to look at",
    "nobody knows how to do that",
];

const COMMANDS: [&[&str]; 8] = [
    &[],
    &["serve"],
    &["hello"],
    &["echo"],
    &["chat"],
    &["bench"],
    &["bench", "compare"],
    &["sim"],
];

/// The text as its reader gets it: lines that only the width of a source or a window broke are whole.
fn unbroken(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("///").unwrap_or(line);
        line.strip_suffix('\\').unwrap_or(line)
    });
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    words.join(" ")
}

/// Those that this text holds, wherever its lines break.
fn retired_in(text: &str) -> Vec<&'static str> {
    let text = unbroken(text);
    let mut retired = RETIRED.to_vec();
    retired.retain(|sentence| text.contains(sentence));
    retired
}

/// All that users read comes from these.
fn sources() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 100, "{files:?}");
    files
}

#[test]
fn no_sentence_that_was_hard_to_read_is_back_in_the_sources() {
    for path in sources() {
        let found = retired_in(&read_to_string(&path).unwrap());
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
}

#[test]
fn no_sentence_that_was_hard_to_read_is_back_in_the_help() {
    for command in COMMANDS {
        let mut process = Epollo::run(&[command, &["--help"]].concat());
        let help = String::from_utf8(process.rest()).unwrap();
        assert!(help.contains("Usage: epollo"), "{command:?}: {help}");
        let found = retired_in(&help);
        assert!(found.is_empty(), "{command:?}: {found:?}");
    }
}

#[test]
fn a_sentence_is_found_wherever_its_line_breaks() {
    let comment = "    /// Load before it\n    /// is measured\n";
    assert_eq!(retired_in(comment), ["Load before it is measured"]);
    let literal = "        \"echoes, no difference \\\n         can be told\"\n";
    assert_eq!(retired_in(literal), ["no difference can be told"]);
    assert_eq!(retired_in("Warm-up before measuring"), [""; 0]);
}
