//! docs/COMPATIBILITY.md: its tables hold what the judges found. Each test compares its row, all but the version;
//! with `EPOLLO_WRITE_COMPATIBILITY=1` it writes the row anew, to be looked at.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::judge::Judge;

/// All there are. The page has a row for each of them and no other.
pub const JUDGES: &[&str] = &[
    "netcat-openbsd",
    "netcat-traditional",
    "ncat",
    "socat",
    "inetutils-telnet",
    "telnet-ssl",
    "bash /dev/tcp",
    "curl telnet://",
    "asyncio",
    "uvloop",
    "twisted",
    "node net",
    "socat TCP-LISTEN",
    "asyncio server",
    "node server",
    "haproxy",
    "nginx stream",
    "wrk",
    "redis-benchmark",
    "h2load",
    "ab",
    "slowhttptest",
    "promtool",
    "prometheus",
    "expect",
    "speedscope",
    "runsc",
];

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/COMPATIBILITY.md");

/// One test at a time writes.
static WRITING: Mutex<()> = Mutex::new(());

/// What is between the bars of a row of a table; nothing of any other line.
fn cells(line: &str) -> Vec<String> {
    let inner = line
        .strip_prefix("| ")
        .and_then(|line| line.strip_suffix(" |"));
    let cells = inner.into_iter().flat_map(|inner| inner.split(" | "));
    cells.map(|cell| cell.trim().to_owned()).collect()
}

/// A row as the page has it: the first cell and the last ones; the version is that of whoever wrote it.
fn is_same(row: &[String], found: &[String]) -> bool {
    row.len() == found.len() && row[0] == found[0] && row[2..] == found[2..]
}

/// Puts the row where its judge has one, or at the end of the table with this head.
fn written(page: &str, head: &[String], row: &[String]) -> String {
    let line = format!("| {} |", row.join(" | "));
    let mut lines: Vec<String> = page.lines().map(str::to_owned).collect();
    let begin = lines.iter().position(|line| cells(line) == head);
    let begin = begin.unwrap_or_else(|| panic!("no table of {head:?}"));
    let length = lines[begin..]
        .iter()
        .take_while(|line| line.starts_with('|'));
    let end = begin + length.count();
    let place = (begin..end).find(|&at| cells(&lines[at]).first() == row.first());
    match place {
        Some(place) => lines[place] = line,
        None => lines.insert(end, line),
    }
    lines.join("\n") + "\n"
}

/// What a judge found, a verdict for each column after its version, is what the page says.
pub fn holds(kind: &str, judge: &Judge, verdicts: &[(&str, &str)]) {
    let columns = verdicts.iter().map(|(column, _)| *column);
    let head: Vec<String> = [kind, "version"]
        .into_iter()
        .chain(columns)
        .map(str::to_owned)
        .collect();
    let found = verdicts.iter().map(|(_, verdict)| *verdict);
    let found = [judge.name, &judge.version].into_iter().chain(found);
    let found: Vec<String> = found.map(str::to_owned).collect();
    let _turn = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let page = std::fs::read_to_string(PAGE).unwrap();
    if std::env::var_os("EPOLLO_WRITE_COMPATIBILITY").is_some() {
        std::fs::write(PAGE, written(&page, &head, &found)).unwrap();
        return;
    }
    let table = page.lines().skip_while(|line| cells(line) != head);
    let mut rows = table.take_while(|line| line.starts_with('|')).map(cells);
    let row = rows.find(|row| row.first().is_some_and(|name| name == judge.name));
    let row = row.unwrap_or_else(|| panic!("the table of {head:?} has no row of {}", judge.name));
    assert!(
        is_same(&row, &found),
        "docs/COMPATIBILITY.md says {row:?} but here {found:?} was found; if that is right, run this test with \
         EPOLLO_WRITE_COMPATIBILITY=1 and look at what changed"
    );
}

#[test]
fn the_page_has_a_row_for_every_judge_and_no_other() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let rows = page.lines().map(cells).filter(|row| row.len() > 2);
    let names: BTreeSet<String> = rows
        .filter(|row| row[1] != "version" && !row[1].starts_with('-'))
        .map(|row| row[0].clone())
        .collect();
    let expected: BTreeSet<String> = JUDGES.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(names, expected);
}
