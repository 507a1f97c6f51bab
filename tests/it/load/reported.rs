//! What `epollo bench` leaves behind: its words, its files, and the conditions under which a run has
//! failed. That the load itself is right is looked at elsewhere.

use std::fs;
use std::path::PathBuf;

use crate::support::{Epollo, Server};

/// A file name that goes with the test.
struct Written(PathBuf);

impl Written {
    fn new(name: &str) -> Written {
        let name = format!("epollo-reported-{}-{name}", std::process::id());
        Written(std::env::temp_dir().join(name))
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap()
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A short run against a server of its own: the exit code and both streams.
fn bench(more: &[&str]) -> (i32, String, String) {
    let server = Server::start(&["echo=0"]);
    let address = server.address("echo").to_string();
    let usual = [
        "bench", "echo", &address, "-c", "3", "-n", "500", "--warmup", "0",
    ];
    let mut process = Epollo::run(&[&usual, more].concat());
    let shown = String::from_utf8(process.rest()).unwrap();
    let said = (process.code(), shown, process.errors());
    server.stop();
    said
}

#[test]
fn the_report_says_what_came_of_it() {
    let (code, shown, errors) = bench(&[]);
    assert_eq!((code, &*errors), (0, ""), "{shown}");
    for part in [
        "3 connections, 64 bytes",
        "closed loop",
        "500 echoes",
        "p99.9",
        "all echoes arrived once",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    // Doubts take a line each, and a busy machine gives many.
    let before_doubts = shown
        .lines()
        .take_while(|line| !line.starts_with("warnings"));
    assert!(before_doubts.count() <= 20, "{shown}");
}

#[test]
fn the_percentile_file_is_as_its_plotters_read_it() {
    let file = Written::new("hdr");
    let (code, _, errors) = bench(&["--hdr", file.name()]);
    assert_eq!(code, 0, "{errors}");
    let text = file.text();
    let mut lines = text.lines();
    let heading: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(
        heading,
        ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    );
    assert_eq!(lines.next(), Some(""));
    let (comments, steps): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with('#'));
    let steps = steps.iter().map(|line| {
        let cells = line.split_whitespace().map(|cell| cell.parse().unwrap());
        cells.collect::<Vec<f64>>()
    });
    let steps: Vec<_> = steps.collect();
    for pair in steps.windows(2) {
        let grows = |column: usize| pair[0][column] <= pair[1][column];
        assert!(grows(0) && grows(1) && grows(2), "{pair:?}");
    }
    for step in steps.iter().filter(|step| step[1] < 1.0) {
        let inverse = 1.0 / (1.0 - step[1]);
        assert!((step[3] - inverse).abs() <= 0.01 * inverse, "{step:?}");
    }
    let last = steps.last().unwrap();
    assert_eq!((last[1], last[2], last.len()), (1.0, 500.0, 3));
    for (comment, begin) in comments
        .iter()
        .zip(["#[Mean    =", "#[Max     =", "#[Buckets ="])
    {
        assert!(comment.starts_with(begin), "{comment}");
    }
    assert!(
        comments[1].contains("Total count    =          500]"),
        "{}",
        comments[1]
    );
}

#[test]
fn the_seconds_are_lines_of_csv() {
    let file = Written::new("csv");
    let (code, _, errors) = bench(&["--csv", file.name()]);
    assert_eq!(code, 0, "{errors}");
    let text = file.text();
    let mut lines = text.lines();
    let heading = "seconds,echoes,p50_ns,p99_ns,max_ns,server_cpu_ns";
    assert_eq!(lines.next(), Some(heading));
    let count = |line: &str| line.split(',').nth(1).unwrap().parse::<u64>().unwrap();
    assert_eq!(lines.map(count).sum::<u64>(), 500);
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let file = Written::new("html");
    let (code, _, errors) = bench(&["--html", file.name()]);
    assert_eq!(code, 0, "{errors}");
    let page = file.text();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
    for part in [
        "role=\"img\" aria-label=\"Percentile curve",
        "<svg",
        "500",
        "default-src 'none'",
    ] {
        assert!(page.contains(part), "no {part:?}");
    }
    let foreign = page.replace("http://www.w3.org/2000/svg", "");
    for part in [
        "http:", "https:", "<script", "<link", "<img", "src=", "url(", "@import",
    ] {
        assert!(!foreign.contains(part), "{part:?} in the page");
    }
}

#[test]
fn a_condition_that_holds_fails_the_run_in_its_words() {
    let conditions = [
        "p99>1ns",
        "per_second < 1e12",
        "echoes<=500",
        "service.max >= 1ns",
        "lag.p99>1h",
    ];
    let arguments: Vec<&str> = conditions
        .iter()
        .flat_map(|text| ["--fail-if", text])
        .collect();
    let (code, shown, errors) = bench(&arguments);
    assert_eq!(code, 1, "{errors}");
    assert!(
        shown.contains("500 echoes"),
        "the report comes all the same: {shown}"
    );
    for part in [
        "p99 is ",
        ", more than 1ns",
        "per_second is ",
        ", less than 1e12",
        "echoes is 500, at most 500",
        "service.max is ",
        ", at least 1ns",
        "lag.p99 is unknown",
    ] {
        assert!(errors.contains(part), "no {part:?} in {errors}");
    }
    let arguments = [
        "--fail-if",
        "p99>1h",
        "--fail-if",
        "lost>0",
        "--fail-if",
        "echoes<500",
    ];
    let (code, _, errors) = bench(&arguments);
    assert_eq!((code, &*errors), (0, ""));
}

#[test]
fn a_condition_that_makes_no_sense_gets_one_line_and_code_2() {
    for (condition, part) in [
        ("p99", "'p99' is not a condition (try 'p99>2ms'"),
        ("p98>1ms", "unknown figure 'p98' (known: mean, p50"),
        ("p99>2", "'2' is not a duration (try 200us"),
        ("p99>", "'' is not a duration"),
        ("p99>>2ms", "'>2ms' is not a duration"),
        ("lost>-1", "'-1' is not a number of at least 0"),
        ("lost>inf", "'inf' is not a number of at least 0"),
        ("lag.lost>1", "unknown figure 'lag.lost'"),
        (">1", "unknown figure ''"),
    ] {
        let mut process = Epollo::run(&["bench", "echo", "1", "--fail-if", condition]);
        let errors = process.errors();
        assert_eq!(process.code(), 2, "{condition}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(errors.contains(part), "{condition}: {errors}");
    }
}
