//! Tools that count exactly, strace(1) and callgrind(1): how they are asked, and what they write. What
//! a count should be is not decided here.

use std::ffi::OsString;
use std::fs::{read_to_string, remove_file};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Result;
use super::load::{Length, Load};
use super::machine::is_installed;
use super::programs::Program;
use super::server::Server;

/// How long a tool may take to write what it counted, once its program has ended.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);
/// Fails without it.
pub(crate) fn needs(tool: &str) -> Result<()> {
    if is_installed(tool) {
        return Ok(());
    }
    Err(format!("{tool} is not installed (Debian package {tool})").into())
}

/// A file of this process for what a tool writes.
pub(crate) fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()))
}

/// What a tool writes at its end, once it holds this.
pub(crate) fn written(path: &Path, last: &str) -> Result<String> {
    let began = Instant::now();
    loop {
        let text = read_to_string(path).unwrap_or_default();
        if text.contains(last) && text.ends_with('\n') {
            return Ok(text);
        }
        if began.elapsed() > WRITTEN_WITHIN {
            return Err(format!("{} is not written", path.display()).into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// So many echoes, as fast as they go.
pub(crate) fn requests(connections: usize, count: usize) -> Load {
    Load {
        length: Length::Requests(count),
        ..Load::echo(connections, Duration::ZERO)
    }
}

/// Instructions in user space for one echo: the slope between `count` of them and twice as many.
pub(crate) fn instructions_per_echo(
    program: &Program,
    connections: usize,
    count: usize,
) -> Result<f64> {
    let few = instructions_of(program, &requests(connections, count))?;
    let many = instructions_of(program, &requests(connections, 2 * count))?;
    Ok((many as f64 - few as f64) / count as f64)
}

fn instructions_of(program: &Program, load: &Load) -> Result<u64> {
    let out = scratch("callgrind");
    let mut server = Server::start_under(&callgrind(&out), program)?;
    load.run(&mut server)?;
    server.stop()?;
    counted(&out)
}

/// `valgrind --tool=callgrind`, writing there.
pub(crate) fn callgrind(out: &Path) -> Vec<OsString> {
    let mut file = OsString::from("--callgrind-out-file=");
    file.push(out);
    vec![
        "valgrind".into(),
        "--quiet".into(),
        "--tool=callgrind".into(),
        file,
    ]
}

/// The instructions that callgrind counted.
pub(crate) fn counted(out: &Path) -> Result<u64> {
    let text = written(out, "totals: ")?;
    remove_file(out)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.split(' ').next());
    Ok(total.ok_or("callgrind tells no total")?.parse()?)
}
