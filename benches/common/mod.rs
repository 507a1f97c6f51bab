//! What the bench targets share: servers that are started, identified and stopped, the load on them, and
//! files of what came out. Its tables, plots and statistics are those of `epollo::report`. Nothing here
//! judges a figure.

use std::error::Error;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

pub(crate) mod doubts;
pub(crate) mod interval;
pub(crate) mod load;
pub(crate) mod machine;
pub(crate) mod programs;
pub(crate) mod rust_peers;
pub(crate) mod saved;
pub(crate) mod server;
pub(crate) mod tools;

/// What fails here ends the bench, with words for the person who started it.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What every target can be asked for, behind `cargo bench --bench NAME --`.
#[derive(Debug, Parser)]
pub(crate) struct Asked {
    /// Run these only; all if none is named
    pub(crate) names: Vec<String>,
    /// Fewer and shorter runs, two minutes at most: to see that it works, not to believe the figures
    #[arg(long)]
    pub(crate) quick: bool,
    /// Write the JSON and SVG files to this folder too
    #[arg(long, value_name = "DIR")]
    pub(crate) save: Option<PathBuf>,
    /// Said by cargo
    #[arg(long, hide = true)]
    bench: bool,
    /// Be this server, on a free port: how a peer written in Rust is started
    #[arg(long, hide = true, value_name = "NAME")]
    peer: Option<String>,
}

impl Asked {
    /// Whether this one is to be run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|asked| asked == name)
    }

    fn check(&self, known: &[&str]) -> Result<()> {
        let stranger = self.names.iter().find(|name| !known.contains(&&***name));
        match stranger {
            Some(name) => Err(format!("there is no '{name}' (try {})", known.join(" ")).into()),
            None => Ok(()),
        }
    }
}

/// Runs a target. `known` are the names that it can be asked for.
pub(crate) fn run(
    known: &[&str],
    arguments: impl Iterator<Item = OsString>,
    bench: impl FnOnce(&Asked) -> Result<()>,
) -> ExitCode {
    let asked = Asked::parse_from(arguments);
    let result = match &asked.peer {
        Some(name) => rust_peers::run(name),
        None => asked.check(known).and_then(|()| {
            machine::warn();
            bench(&asked)
        }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("FAILED: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// What cannot be measured is told, and the others are measured all the same.
pub(crate) fn attempt<T>(result: Result<T>, failed: &mut Vec<String>) -> Option<T> {
    result
        .map_err(|error| {
            tell(&format!("cannot be measured: {error}"));
            failed.push(error.to_string());
        })
        .ok()
}

/// Fails where something could not be measured.
pub(crate) fn all_measured(failed: &[String]) -> Result<()> {
    match failed {
        [] => Ok(()),
        failed => Err(format!("not everything was measured: {}", failed.join("; ")).into()),
    }
}

/// A figure, or that there is none.
pub(crate) fn or_dash(figure: Option<f64>, show: impl Fn(f64) -> String) -> String {
    figure.map_or_else(|| "-".to_owned(), show)
}

/// Prints a line. Where nobody listens any more, there is nobody to tell.
pub(crate) fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}
