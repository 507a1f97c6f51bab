//! `epollo bench compare` as its users run it: two files in, a table and a verdict out. The figures
//! in the files are made here, so that what must be told from them is known.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::Epollo;

/// A directory of files that goes with the test.
struct Files(PathBuf);

impl Files {
    fn new() -> Files {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("epollo-compared-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Files(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a server did in the seconds of a run.
#[derive(Clone, Copy)]
struct Run {
    seed: u64,
    seconds: u64,
    rate: f64,
    p50_ns: f64,
    p99_ns: f64,
    cpu_ns_per_echo: Option<f64>,
}

const USUAL: Run = Run {
    seed: 1,
    seconds: 30,
    rate: 40_000.0,
    p50_ns: 1e6,
    p99_ns: 3e6,
    cpu_ns_per_echo: Some(3_400.0),
};

impl Run {
    /// The report of it: seconds that resemble their neighbours, as they do on a machine.
    fn report(self) -> String {
        let mut state = self.seed;
        let mut drift = 0.0;
        let mut noise = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let uniform = (state >> 40) as f64 / (1_u64 << 24) as f64 - 0.5;
            drift = 0.7 * drift + uniform * 0.04;
            1.0 + drift
        };
        let seconds = (1..=self.seconds).map(|at| {
            let noise = noise();
            let echoes = (self.rate * noise).round();
            let (p50, p99) = ((self.p50_ns / noise).round(), (self.p99_ns / noise).round());
            let cpu = self.cpu_ns_per_echo.map(|cpu| (cpu * echoes).round());
            let cpu = cpu.map_or("null".to_owned(), |cpu| cpu.to_string());
            let max = p99 * 2.0;
            format!(
                r#"{{"at":{at}.0,"echoes":{echoes},"p50":{p50},"p99":{p99},"max":{max},"server_cpu_ns":{cpu}}}"#
            )
        });
        let seconds = seconds.collect::<Vec<_>>().join(",");
        let none = r#"{"min":0,"mean":0.0,"p50":0,"p90":0,"p99":0,"p999":0,"max":0,"count":0}"#;
        let version = env!("CARGO_PKG_VERSION");
        format!(
            r#"{{"epollo":"{version}","service":"echo","address":"127.0.0.1:7","asked":{{
            "connections":50,"idle":0,"size":64,"pipeline":1,"rate":null,"arrivals":null,
            "duration":30.0,"warmup":2.0,"framing":null,"seed":1}},"seconds":30.0,"echoes":1,
            "per_second":1.0,"bytes_per_second":64.0,"lost":0,"changed":0,"duplicated":0,
            "crossed":0,"reordered":0,"broken":0,"wrong":[],"response_ns":{none},
            "service_ns":{none},"send_lag_ns":{none},"connect_ns":{none},"generator":{{"pid":1,
            "command":"epollo","cpu_ns":1,"cpu_ns_per_echo":1.0,"cpu_share":0.5,"syscalls":null,
            "syscalls_per_echo":null,"context_switches_voluntary":0,"context_switches_forced":0,
            "rss_before":0,"rss":0}},"turn_ns":{none},"server":null,"trust":[],
            "timeline":[{seconds}],"curve":[]}}"#
        )
    }
}

/// The exit code, and all that it says on both streams.
fn compare(a: &str, b: &str, more: &[&str]) -> (i32, String, String) {
    let mut process = Epollo::run(&[&["bench", "compare", a, b], more].concat());
    let shown = String::from_utf8(process.rest()).unwrap();
    (process.code(), shown, process.errors())
}

/// What is shown of two reports.
fn compared(a: &str, b: &str) -> String {
    let files = Files::new();
    let (a, b) = (files.write("a.json", a), files.write("b.json", b));
    let (code, shown, errors) = compare(&a, &b, &[]);
    assert_eq!((code, &*errors), (0, ""));
    shown
}

/// The one line of complaint about two files.
fn complaint(a: &str, b: &str) -> String {
    let files = Files::new();
    let (a, b) = (files.write("a.json", a), files.write("b.json", b));
    let (code, shown, errors) = compare(&a, &b, &[]);
    assert_eq!((code, &*shown), (1, ""), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    errors
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let shown = compared(&USUAL.report(), &USUAL.report());
    assert!(shown.contains("\nno significant difference\n"), "{shown}");
    assert!(!shown.contains("note:"), "{shown}");
}

#[test]
fn equal_servers_are_hardly_ever_told_apart() {
    let of_seed = |seed| Run { seed, ..USUAL }.report();
    let differs = |seed: &u64| {
        let shown = compared(&of_seed(2 * seed), &of_seed(2 * seed + 1));
        !shown.contains("\nno significant difference\n")
    };
    let count = (1..=20).filter(differs).count();
    assert!(count <= 1, "{count} of 20 pairs of equal servers differ");
}

#[test]
fn what_differs_is_told_with_its_interval() {
    let faster = Run {
        seed: 2,
        rate: USUAL.rate * 2.0,
        p99_ns: USUAL.p99_ns / 2.0,
        ..USUAL
    };
    let files = Files::new();
    let a = files.write("a.json", &USUAL.report());
    let b = files.write("b.json", &faster.report());
    let (_, shown, _) = compare(&a, &b, &[]);
    for part in [
        "\nB answers ",
        " % more per second than A (95 %: ",
        "\np99 of B is ",
        " % lower than that of A (95 %: ",
        "\nno significant difference in server CPU per answer, p50\n",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    let (_, json, _) = compare(&a, &b, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let throughput = &json["differences"][0];
    assert_eq!(throughput["figure"], "per_second");
    let figure = |name: &str| throughput[name].as_f64().unwrap();
    let (low, ratio, high) = (figure("low"), figure("b_to_a"), figure("high"));
    assert!(low < ratio && ratio < high, "{low} {ratio} {high}");
    assert!(
        low > 1.9 && high < 2.1 && low < 2.0 && 2.0 < high,
        "{low} to {high}"
    );
    // The other way round it is the inverse.
    let (_, shown, _) = compare(&b, &a, &[]);
    assert!(shown.contains(" % fewer per second than A"), "{shown}");
    assert!(shown.contains(" % higher than that of A"), "{shown}");
}

#[test]
fn what_one_server_shows_against_itself_is_no_difference() {
    let of_rate = |rate| {
        Run {
            seed: 2,
            rate,
            ..USUAL
        }
        .report()
    };
    let shown = compared(&USUAL.report(), &of_rate(USUAL.rate * 1.03));
    assert!(shown.contains("\nno significant difference\n"), "{shown}");
    let shown = compared(&USUAL.report(), &of_rate(USUAL.rate * 1.15));
    assert!(shown.contains("\nB answers 1"), "{shown}");
}

#[test]
fn the_same_files_always_give_the_same_words() {
    let other = Run { seed: 9, ..USUAL }.report();
    let files = Files::new();
    let (a, b) = (files.write("a", &USUAL.report()), files.write("b", &other));
    assert_eq!(compare(&a, &b, &[]), compare(&a, &b, &[]));
}

#[test]
fn short_runs_tell_nothing() {
    let short = |rate| {
        Run {
            seconds: 7,
            rate,
            ..USUAL
        }
        .report()
    };
    let shown = compared(&short(10_000.0), &short(40_000.0));
    assert!(
        shown.contains("\ntoo short to show a difference\n"),
        "{shown}"
    );
    let shown = compared(
        &Run {
            seconds: 0,
            ..USUAL
        }
        .report(),
        &USUAL.report(),
    );
    assert!(
        shown.contains("\ntoo short to show a difference\n"),
        "{shown}"
    );
}

#[test]
fn a_figure_that_one_run_lacks_is_left_out() {
    let cheap = Run {
        cpu_ns_per_echo: None,
        ..USUAL
    };
    let shown = compared(&cheap.report(), &USUAL.report());
    assert!(!shown.contains("CPU"), "{shown}");
    let silent = Run { rate: 0.0, ..USUAL };
    let shown = compared(&silent.report(), &USUAL.report());
    assert!(!shown.contains("NaN") && !shown.contains("inf"), "{shown}");
}

#[test]
fn what_speaks_against_comparing_is_said() {
    let other = USUAL
        .report()
        .replace("\"connections\":50", "\"connections\":10")
        .replace("\"rate\":null", "\"rate\":5000.0")
        .replace("\"lost\":0", "\"lost\":3")
        .replace(
            "\"trust\":[]",
            "\"trust\":[\"the \\u001b[2J clock jumped\"]",
        )
        .replace(env!("CARGO_PKG_VERSION"), "0.0.7");
    let shown = compared(&USUAL.report(), &other);
    for part in [
        "note: measured by different versions of epollo: A ",
        "note: measured with different connections: A 50, B 10\n",
        "note: measured with different rate: A none, B 5000\n",
        "note: B had errors: 3 lost\n",
        "note: B: the \\x1b[2J clock jumped\n",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
}

#[test]
fn what_cannot_be_compared_gets_one_line() {
    let good = USUAL.report();
    let old = good.replace(env!("CARGO_PKG_VERSION"), "0.0.7");
    for (bad, part) in [
        (String::new(), "b.json is not JSON"),
        ("\u{1b}[2J\n".to_owned(), "b.json is not JSON"),
        (good[..good.len() / 2].to_owned(), "b.json is not JSON"),
        (
            "[]".to_owned(),
            "b.json is not a report of epollo bench --json",
        ),
        (
            "{\"epollo\":7}".to_owned(),
            "b.json is not a report of epollo bench --json",
        ),
        (
            r#"{"a":"1","b":"2","ratios":[],"runs":[]}"#.to_owned(),
            "b.json is a report of bench --ab",
        ),
        (
            good.replace("\"lost\":0,", ""),
            "it is damaged: missing field `lost`",
        ),
        (good.replace("\"lost\":0", "\"lost\":-1"), "it is damaged"),
        (
            old.replace("\"lost\":0,", ""),
            "of version 0.0.7, and this is",
        ),
        (
            good.replace("\"service\":\"echo\"", "\"service\":\"chat\""),
            "they cannot be compared",
        ),
    ] {
        let errors = complaint(&good, &bad);
        assert!(errors.contains(part), "{errors}");
    }
    let (code, _, errors) = compare("/nowhere/a.json", "/nowhere/b.json", &[]);
    assert_eq!(code, 1);
    assert!(
        errors.contains("cannot read /nowhere/a.json: no such file"),
        "{errors}"
    );
    let (code, _, errors) = compare("/", "/", &[]);
    assert_eq!(code, 1);
    assert!(errors.contains("cannot read /: is a directory"), "{errors}");
}
