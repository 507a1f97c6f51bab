//! What may become of a trace: a full disk, a reader that reads nothing, a file that cannot be made.
//! The server serves on, and says once what it has to say.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use rustix::process::Signal;
use serde_json::Value;

use super::files::{Written, objects};
use crate::support::{Epollo, Server, read_exactly};

/// Many echoes: each is a dozen lines of the trace.
const ECHOES: usize = 2_000;

fn assert_serves(server: &Server) {
    assert_serves_all(server, b"ping");
}

fn assert_serves_all(server: &Server, message: &[u8]) {
    let mut client = server.connect("echo");
    for _ in 0..ECHOES {
        client.write_all(message).unwrap();
        assert!(read_exactly(&mut client, message.len()) == message);
    }
}

/// Ends it; what it said on standard error, line by line.
fn end(mut server: Server) -> Vec<String> {
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    let said = server.process.errors();
    said.lines().map(str::to_owned).collect()
}

#[test]
fn a_full_disk_ends_the_trace_with_one_warning_and_not_the_server() {
    for ending in ["jsonl", "json"] {
        let link = Written::new(&format!("full.{ending}"));
        std::os::unix::fs::symlink("/dev/full", link.path()).unwrap();
        let server = Server::start(&["echo=0", "--trace", link.name(), "-v"]);
        assert_serves(&server);
        let said = end(server);
        let warnings: Vec<_> = said.iter().filter(|line| line.contains("WARN")).collect();
        let [warning] = warnings.as_slice() else {
            panic!("{said:?}");
        };
        assert!(
            warning.contains("the trace ends here: cannot write"),
            "{warning}"
        );
        assert!(warning.ends_with("no space left on device"), "{warning}");
        // Besides the echoes there are turns.
        let missed = said
            .iter()
            .find_map(|line| line.split_once("trace events lost: "));
        let missed: usize = missed.unwrap().1.parse().unwrap();
        assert!(missed > 5 * ECHOES, "{missed}");
    }
}

#[test]
fn a_file_that_may_not_grow_holds_whole_lines() {
    if Command::new("prlimit").arg("--version").output().is_err() {
        eprintln!("SKIPPED traced: prlimit is not installed (Debian package util-linux)");
        return;
    }
    for ending in ["jsonl", "json"] {
        let file = Written::new(&format!("small.{ending}"));
        let mut command = Command::new("prlimit");
        command.arg("--fsize=100000");
        command.args([env!("CARGO_BIN_EXE_epollo"), "serve", "echo=0"]);
        command.args(["--trace", file.name()]);
        let server = Server::of(Epollo::spawn(&mut command), &["echo=0"]);
        assert_serves(&server);
        let said = end(server);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].ends_with("file too large"), "{said:?}");
        let events = if ending == "json" {
            file.array()
        } else {
            file.objects()
        };
        assert!(events.len() > 300, "{}", events.len());
    }
}

#[test]
fn a_log_that_may_not_grow_ends_the_trace_in_it_and_not_the_server() {
    let file = Written::new("small.log");
    let script = format!(
        "ulimit -f 64; exec {} serve echo=0 --trace - 2>{}",
        env!("CARGO_BIN_EXE_epollo"),
        file.name()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let server = Server::of(Epollo::spawn(&mut command), &["echo=0"]);
    assert_serves(&server);
    server.stop();
    assert!(file.text().len() > 20_000, "{}", file.text().len());
}

/// The reader of a FIFO that has not read anything yet.
fn fifo(written: &Written) -> File {
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, written.path(), FileType::Fifo, mode, 0).unwrap();
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    File::from(open(written.path(), flags, Mode::empty()).unwrap())
}

/// Reads what is there.
fn taken(reader: &mut File) -> String {
    let mut bytes = Vec::new();
    let end = reader.read_to_end(&mut bytes);
    assert!(end.is_ok() || end.unwrap_err().kind() == std::io::ErrorKind::WouldBlock);
    String::from_utf8(bytes).unwrap()
}

/// What a FIFO gives that is emptied only now and then, while such messages are echoed and shown.
fn told_through_a_fifo(message: &[u8]) -> Vec<Value> {
    let size = message.len().to_string();
    let written = Written::new(&format!("fifo-{size}.jsonl"));
    let mut reader = fifo(&written);
    let options = [
        "echo=0",
        "--trace",
        written.name(),
        "--trace-payload",
        &size,
    ];
    let mut server = Server::start(&options);
    assert_serves_all(&server, message);
    let mut told = taken(&mut reader);
    // There is room again: the next lines say how many are missing before them.
    assert_serves_all(&server, message);
    told += &taken(&mut reader);
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.code(), 0);
    told += &taken(&mut reader);
    objects(&told)
}

fn dropped(objects: &[Value]) -> usize {
    let dropped = objects.iter().filter(|object| object["kind"] == "dropped");
    let lines = dropped.map(|object| object["lines"].as_u64().unwrap());
    usize::try_from(lines.sum::<u64>()).unwrap()
}

#[test]
fn a_fifo_that_nobody_empties_costs_lines_which_are_counted() {
    let objects = told_through_a_fifo(b"ping");
    let dropped = dropped(&objects);
    let echoes = objects
        .iter()
        .filter(|object| object["effect"] == "SendBack 4")
        .count();
    let what = format!("{dropped} dropped, {echoes} echoes told");
    assert!(dropped > 1_000 && echoes > 100, "{what}");
    // wait, wake, ready, read, event, effect, write, end.
    assert!(dropped + objects.len() > 2 * ECHOES * 8, "{what}");
}

#[test]
fn a_line_for_which_a_fifo_has_room_in_part_is_ended_when_there_is_more() {
    // More than a pipe takes as a whole or not at all (PIPE_BUF).
    let objects = told_through_a_fifo(&[b'x'; 9_000]);
    let dropped = dropped(&objects);
    assert!(dropped > 1_000, "{dropped} dropped");
    let shown = objects.iter().filter_map(|object| object["data"].as_str());
    assert!(shown.filter(|data| data.len() == 9_000).count() > 5);
}

#[test]
fn standard_error_that_takes_nothing_costs_lines_which_are_counted() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
    command.args(["serve", "echo=0", "--trace", "-"]);
    let streams = [Stdio::null(), Stdio::piped(), writer.into()];
    let process = Epollo::spawn_with(&mut command, streams);
    drop(command);
    let mut server = Server::of(process, &["echo=0"]);
    assert_serves(&server);
    server.process.signal(Signal::TERM);
    let mut told = String::new();
    reader.read_to_string(&mut told).unwrap();
    assert_eq!(server.process.code(), 0);
    let report = "epollo: log and trace lines dropped: ";
    let counts = told.lines().filter_map(|line| line.strip_prefix(report));
    let dropped: usize = counts.map(|count| count.parse::<usize>().unwrap()).sum();
    assert!(dropped + told.lines().count() > ECHOES * 9, "{dropped}");
    let whole = told
        .lines()
        .filter(|line| line.contains("read      recvfrom = 4 of 65536"));
    assert!(whole.count() > 100);
}

/// What it says and how it exits when asked for this trace.
fn refused(trace: &str) -> (i32, String) {
    let mut process = Epollo::run(&["serve", "echo=0", "--trace", trace]);
    let code = process.code();
    assert_eq!(process.rest(), b"", "it does not serve");
    (code, process.errors())
}

#[test]
fn what_is_no_trace_is_refused_in_one_line() {
    for name in ["x", "x.txt", "x.JSONL", "json", ".json", ""] {
        let (code, said) = refused(name);
        assert_eq!((code, said.lines().count()), (2, 1), "{name}: {said}");
        assert!(said.contains("(try - for text"), "{name}: {said}");
    }
    let (code, said) = refused("/no/such/folder/x.json");
    let expected =
        "epollo: cannot write the trace to /no/such/folder/x.json: no such file or directory\n";
    assert_eq!((code, &*said), (1, expected));
    let fifo = Written::new("nobody.jsonl");
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, fifo.path(), FileType::Fifo, mode, 0).unwrap();
    let (code, said) = refused(fifo.name());
    assert_eq!((code, said.lines().count()), (1, 1), "{said}");
    assert!(said.ends_with("no process reads this FIFO yet\n"), "{said}");
}

#[test]
fn a_duel_is_not_traced() {
    let arguments = [
        "bench",
        "--ab",
        "127.0.0.1:1",
        "127.0.0.1:2",
        "--trace",
        "-",
    ];
    let mut process = Epollo::run(&arguments);
    assert_eq!(process.code(), 2);
    let said = process.errors();
    let expected = "epollo: --trace cannot be used with --ab; usage: ";
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn a_trace_does_not_overwrite_what_standard_input_or_output_is() {
    for is_input in [true, false] {
        let file = Written::new(&format!("same-{is_input}.jsonl"));
        std::fs::write(file.path(), "precious\n").unwrap();
        let mut command = crate::support::program();
        command.args(["serve", "chat=0", "--trace", file.name()]);
        let shared = || File::options().append(true).read(true).open(file.path());
        let streams = match is_input {
            true => [shared().unwrap().into(), Stdio::piped(), Stdio::piped()],
            false => [Stdio::null(), shared().unwrap().into(), Stdio::piped()],
        };
        let mut server = Epollo::spawn_with(&mut command, streams);
        assert_eq!(server.code(), 2);
        let said = server.errors();
        assert!(
            said.contains("would overwrite") && said.lines().count() == 1,
            "{said}"
        );
        assert_eq!(file.text(), "precious\n");
    }
}

#[test]
fn a_trace_that_is_cut_while_it_grows_has_no_hole() {
    let file = Written::new("cut.jsonl");
    let server = Server::start(&["echo=0", "--trace", file.name()]);
    assert_serves(&server);
    // As logrotate's copytruncate does.
    File::options()
        .write(true)
        .open(file.path())
        .unwrap()
        .set_len(0)
        .unwrap();
    assert_serves(&server);
    end(server);
    let text = file.text();
    assert!(!text.contains('\0'), "{}", text.escape_debug());
    // It may be cut within a line.
    let whole = text.split_once('\n').unwrap().1;
    assert!(objects(whole).len() > ECHOES);
}
