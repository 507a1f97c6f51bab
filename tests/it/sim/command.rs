//! `epollo sim` as its users run it: what it prints, that a seed is a whole run, and that it fails
//! when it should. That it finds bugs is shown by the mutants beside these tests.

use std::process::{Command, Stdio};

use rustix::io::ioctl_fionread;

use crate::support::{Epollo, eventually, read_to_end};

/// What it prints, and its exit code.
fn ran(arguments: &[&str]) -> (i32, String) {
    let mut process = Epollo::run(&[&["sim"], arguments].concat());
    let shown = String::from_utf8(process.rest()).unwrap();
    (process.code(), shown)
}

/// The first number of the line that begins with this word.
fn figure(shown: &str, name: &str) -> f64 {
    let line = shown.lines().find(|line| line.starts_with(name));
    let words = line.expect("a line of this name").split_whitespace();
    words.skip(1).find_map(|word| word.parse().ok()).unwrap()
}

#[test]
fn every_promise_holds_over_some_seeds() {
    let (code, shown) = ran(&["--seeds", "0..30", "--clients", "60"]);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(figure(&shown, "seeds"), 30.0);
    assert_eq!(figure(&shown, "violations"), 0.0);
    assert!(figure(&shown, "connections") > 1_000.0, "{shown}");
    assert!(figure(&shown, "faults") > 1_000.0, "{shown}");
    for kind in ["Spurious", "Duplicate", "Stale", "Crowded"] {
        let row = format!("  Wait       {kind} ");
        assert!(shown.contains(&row), "no event was {kind}: {shown}");
    }
}

#[test]
fn steps_end_it_between_two_seeds() {
    let (code, shown) = ran(&["--steps", "50k", "--clients", "20"]);
    assert_eq!(code, 0, "{shown}");
    let steps = figure(&shown, "steps");
    assert!((50_000.0..500_000.0).contains(&steps), "{shown}");
}

#[test]
fn the_last_seeds_of_all_are_run_and_there_it_ends() {
    let last = u64::MAX;
    let seeds = format!("{}..{last}", last - 3);
    let (code, shown) = ran(&["--seeds", &seeds, "--clients", "5"]);
    assert_eq!((code, figure(&shown, "seeds")), (0, 3.0), "{shown}");
    let (code, shown) = ran(&["--seed", &last.to_string(), "--clients", "5"]);
    assert_eq!((code, figure(&shown, "seeds")), (0, 1.0), "{shown}");
    assert!(figure(&shown, "steps") > 0.0, "{shown}");
}

#[test]
fn a_seed_is_the_same_run_every_time_and_tells_every_step() {
    let steps = || {
        let mut process = Epollo::run(&["sim", "--seed", "3", "--clients", "40", "-v"]);
        let told = process.errors();
        assert_eq!(process.code(), 0, "{told}");
        // Each line begins with when it was written.
        let lines = told.lines().filter_map(|line| line.split_once("] "));
        lines.map(|(_, step)| step.to_owned()).collect::<Vec<_>>()
    };
    let first = steps();
    assert!(first.len() > 100, "{} steps", first.len());
    for part in ["accepted", "read", "wrote", "closed", "fault"] {
        assert!(first.iter().any(|step| step.contains(part)), "no {part}");
    }
    assert_eq!(first, steps());
}

#[test]
fn a_slow_reader_gets_every_line_of_a_replay() {
    let trace = |slowly: bool| {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_epollo"));
        command.args(["sim", "--seed", "3", "--clients", "40", "-v"]);
        let streams = [Stdio::null(), Stdio::null(), writer.into()];
        let mut process = Epollo::spawn_with(&mut command, streams);
        drop(command);
        if slowly {
            let is_full = || ioctl_fionread(&reader).unwrap() > 60_000;
            eventually("it waits for room", || is_full() && is_done(process.id()));
        }
        let told = read_to_end(&mut reader);
        assert_eq!(process.code(), 0);
        told.iter().filter(|&&byte| byte == b'\n').count()
    };
    let lines = trace(false);
    assert!(lines > 1_000, "{lines} lines are more than a pipe holds");
    assert_eq!(trace(true), lines);
}

/// Whether a process has nothing to do, or has ended (proc_pid_stat(5)).
fn is_done(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let (_, state) = stat.rsplit_once(") ").unwrap();
    state.starts_with(['S', 'Z'])
}

#[test]
fn faults_that_never_happened_fail_where_all_are_asked_for() {
    let arguments = ["sim", "--seeds", "0..2", "--clients", "1", "--all-faults"];
    let mut process = Epollo::run(&arguments);
    assert_eq!(process.code(), 1);
    let words = process.errors();
    assert!(words.contains("faults never injected"), "{words}");
    assert_eq!(words.lines().count(), 1, "{words}");
}

#[test]
fn what_is_asked_to_be_quiet_says_nothing_if_nothing_is_wrong() {
    for asked in [
        &["-q", "--seed", "1", "--clients", "5"][..],
        &["-q", "--open", "1k"],
    ] {
        assert_eq!(ran(asked), (0, String::new()), "{asked:?}");
    }
    let (code, shown) = ran(&["--open", "1k"]);
    assert_eq!((code, figure(&shown, "connections")), (0, 1_000.0));
}

#[test]
fn a_herd_costs_a_little_each_and_leaves_nothing() {
    let (code, shown) = ran(&["--open", "50000"]);
    assert_eq!(code, 0, "{shown}");
    let bytes = figure(&shown, "memory") / 50_000.0;
    assert!((1.0..400.0).contains(&bytes), "{shown}");
    assert!(shown.contains("0 wrong"), "{shown}");
    assert!(shown.contains("(0, 0, 0)"), "{shown}");
}
