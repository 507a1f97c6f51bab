//! `epollo sim` as its users run it: what it prints, that a seed is a whole run, and that it fails
//! when it should. That it finds bugs is shown by the mutants beside these tests.

use crate::support::Epollo;

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
    let (code, shown) = ran(&["--seeds", "0..60", "--clients", "60"]);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(figure(&shown, "seeds"), 60.0);
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
fn faults_that_never_happened_fail_where_all_are_asked_for() {
    let arguments = ["sim", "--seeds", "0..2", "--clients", "1", "--all-faults"];
    let mut process = Epollo::run(&arguments);
    assert_eq!(process.code(), 1);
    let words = process.errors();
    assert!(words.contains("faults never happened"), "{words}");
    assert_eq!(words.lines().count(), 1, "{words}");
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
