//! The experiments of docs/EPOLL.md, run as a reader would run them: each chapter in a bash of its own,
//! whose output must be what the chapter shows. How to read a block stands in the tutorial's
//! introduction; a block called `trace` is part of what the servers say on standard error.

use std::fmt::Write as _;
use std::path::Path;

pub use shell::free_port;
use shell::{INDENT, Shell, ports, sources};

use crate::docs::readme::commands;

mod shell;

const TOP: &str = env!("CARGO_MANIFEST_DIR");
const CHAPTERS: usize = 14;
/// A program of the tutorial fits on a screen.
const PROGRAM_LINES_MAX: usize = 80;
/// So much of what was said is shown when it was wrong.
const TOLD_LINES_MAX: usize = 200;
/// Stands for any text in a line, and alone in a line for any lines.
const ANYTHING: &str = "…";
fn tutorial() -> String {
    std::fs::read_to_string(format!("{TOP}/docs/EPOLL.md")).unwrap()
}

/// The text of a chapter, from its headline to the next.
fn chapter(tutorial: &str, number: usize) -> String {
    let headline = format!("## {number}. ");
    let lines = tutorial
        .lines()
        .skip_while(|line| !line.starts_with(&headline));
    let is_next = |(nth, line): &(usize, &str)| *nth > 0 && line.starts_with("## ");
    let lines = lines.enumerate().take_while(|line| !is_next(line));
    lines.map(|(_, line)| format!("{line}\n")).collect()
}

/// A line of a trace without what differs each time: when it was, in which turn, a client's port.
fn timeless(line: &str) -> String {
    let words = line.split_whitespace().skip(2);
    let client = format!("{}:", std::net::Ipv4Addr::LOCALHOST);
    let words = words.map(|word| {
        if word.starts_with(&client) {
            &client
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The lines of the blocks called `trace`.
fn traces(chapter: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut is_trace = false;
    for line in chapter.lines() {
        if line.starts_with("```") {
            is_trace = line == "```trace";
        } else if is_trace {
            // What comes between the lines that are shown does not matter.
            lines.push(ANYTHING.to_owned());
            lines.push(timeless(line));
        }
    }
    lines.push(ANYTHING.to_owned());
    lines
}

/// Whether a line is as expected, however wide its gaps are.
fn is_as(expected: &str, line: &str) -> bool {
    let even = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (expected, line) = (even(expected), even(line));
    let parts: Vec<&str> = expected.split(ANYTHING).collect();
    let [first, middle @ .., last] = parts.as_slice() else {
        return expected == line;
    };
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

fn are_as(expected: &[String], lines: &[String]) -> bool {
    let (mut next, mut line) = (0, 0);
    // The last line for anything, and how far that reaches.
    let mut anything = None;
    while line < lines.len() {
        match (expected.get(next), anything) {
            (Some(pattern), _) if pattern.trim() == ANYTHING => {
                anything = Some((next, line));
                next += 1;
            }
            (Some(pattern), _) if is_as(pattern, &lines[line]) => {
                next += 1;
                line += 1;
            }
            (_, Some((pattern, reach))) => {
                anything = Some((pattern, reach + 1));
                next = pattern + 1;
                line = reach + 1;
            }
            (_, None) => return false,
        }
    }
    expected[next..].iter().all(|line| line.trim() == ANYTHING)
}

fn is_traced(expected: &[String], shell: &Shell) -> bool {
    let lines: Vec<String> = shell.said[2].iter().map(|line| timeless(line)).collect();
    are_as(expected, &lines)
}

fn told(expected: &[Vec<String>; 3], shell: &Shell) -> String {
    let mut text = String::new();
    let names = ["said", "said by the loops", "said on standard error"];
    for (name, (expected, said)) in names.iter().zip(expected.iter().zip(&shell.said)) {
        let said = &said[said.len().saturating_sub(TOLD_LINES_MAX)..];
        let (expected, said) = (expected.join("\n"), said.join("\n"));
        let _ = write!(
            text,
            "\n--- to be {name}:\n{expected}\n--- {name}:\n{said}\n"
        );
    }
    text
}

/// Runs the experiment of a chapter.
fn run(number: usize) {
    let chapter = chapter(&tutorial(), number);
    let experiment = commands(&chapter);
    assert!(!experiment.is_empty(), "chapter {number} has an experiment");
    let Some(mut shell) = Shell::start(ports(&chapter)) else {
        eprintln!("SKIPPED chapter {number} of the tutorial: bash is not installed");
        return;
    };
    let mut expected: [Vec<String>; 3] = [Vec::new(), Vec::new(), traces(&chapter)];
    for (nth, (command, shown)) in experiment.iter().enumerate() {
        for line in shown.lines() {
            expected[usize::from(line.starts_with(INDENT))].push(line.to_owned());
        }
        shell.run(command);
        let is_so = shell.listen_until(|shell| {
            let is_as_told = |kind: usize| are_as(&expected[kind], &shell.said[kind]);
            shell.ended > nth && is_as_told(0) && is_as_told(1)
        });
        assert!(
            is_so,
            "chapter {number}: {command}{}",
            told(&expected, &shell)
        );
    }
    let is_so = shell.listen_until(|shell| is_traced(&expected[2], shell));
    assert!(is_so, "chapter {number}{}", told(&expected, &shell));
    // And nothing follows: whoever is told to sleep sleeps.
    shell.kill();
    shell.listen_until(|_| false);
    let is_so = (0..2).all(|kind| are_as(&expected[kind], &shell.said[kind]));
    assert!(
        is_so,
        "chapter {number}, at its end{}",
        told(&expected, &shell)
    );
}

#[test]
fn chapter_1_addresses() {
    run(1);
}

#[test]
fn chapter_2_blocking() {
    run(2);
}

#[test]
fn chapter_3_the_second_client_waits() {
    run(3);
}

#[test]
fn chapter_4_threads() {
    run(4);
}

#[test]
fn chapter_5_poll() {
    run(5);
}

#[test]
fn chapter_6_level_and_edge() {
    run(6);
}

#[test]
fn chapter_7_the_lost_wake_up() {
    run(7);
}

#[test]
fn chapter_8_the_drain() {
    run(8);
}

#[test]
fn chapter_9_partial_writes() {
    run(9);
}

#[test]
fn chapter_10_the_end() {
    run(10);
}

#[test]
fn chapter_11_descriptors() {
    run(11);
}

#[test]
fn chapter_12_back_pressure() {
    run(12);
}

#[test]
fn chapter_13_fairness() {
    run(13);
}

#[test]
fn chapter_14_a_protocol() {
    run(14);
}

#[test]
fn every_chapter_is_run_and_every_program_is_named_and_short() {
    let tutorial = tutorial();
    let headlines = tutorial.lines().filter_map(|line| line.strip_prefix("## "));
    let is_numbered = |line: &&str| line.starts_with(|c: char| c.is_ascii_digit());
    assert_eq!(headlines.filter(is_numbered).count(), CHAPTERS);
    let links = tutorial
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next());
    for link in links.filter(|link| !link.is_empty() && !link.contains("://")) {
        assert!(
            Path::new(TOP).join("docs").join(link).exists(),
            "{link} is nowhere"
        );
    }
    for source in sources() {
        let lines = std::fs::read_to_string(&source).unwrap().lines().count();
        assert!(lines <= PROGRAM_LINES_MAX, "{source} has {lines} lines");
        let name = Path::new(&source).file_name().unwrap().to_str().unwrap();
        let link = format!("(epoll/{name})");
        assert!(
            tutorial.contains(&link),
            "{name} has no link in the tutorial"
        );
    }
}

#[test]
fn a_line_is_compared_as_the_tutorial_says() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (expected, shown) in [
        ("a … c", "a  b c"),
        ("a\n…\nd", "a\nb\nc\nd"),
        ("…\na", "a"),
        ("x…", "x"),
    ] {
        assert!(
            are_as(&lines(expected), &lines(shown)),
            "{expected} is {shown}"
        );
    }
    for (expected, shown) in [
        ("a", "a\nb"),
        ("a … c", "a b"),
        ("a\n…\nd", "a\nb"),
        ("a\nb", "a"),
        ("x…x", "x"),
    ] {
        assert!(
            !are_as(&lines(expected), &lines(shown)),
            "{expected} is not {shown}"
        );
    }
}
