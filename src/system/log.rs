//! The log: which lines, in which colours, and what becomes of them if standard error is stuck. What
//! is worth a line is not decided here.

use std::io::IsTerminal;

use env_logger::{Builder, Target, WriteStyle};
use log::LevelFilter;

use super::stdio::StuckProofStderr;

/// What becomes of a line for which standard error has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// It is dropped and counted: a server must go on.
    Drop,
    /// It waits: the lines are the result.
    Wait,
}

/// A log that was started.
#[derive(Debug)]
pub struct Log {
    stderr: Option<StuckProofStderr>,
    is_coloured: bool,
}

impl Log {
    /// Says how many lines were dropped, if that was not said yet.
    pub fn end(&self) {
        if let Some(stderr) = &self.stderr {
            stderr.end();
        }
    }

    /// Whether what is said on standard error has colours.
    pub fn is_coloured(&self) -> bool {
        self.is_coloured
    }

    /// Standard error for a trace beside the log.
    pub fn carry_trace(&self) -> StuckProofStderr {
        let stderr = self.stderr.clone().unwrap_or_else(StuckProofStderr::new);
        stderr.carries_trace();
        stderr
    }
}

/// When what is said on standard error has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum When {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb.
    Auto,
    /// Always, also into a file or a pipe.
    Always,
    /// Never.
    Never,
}

/// Starts logging: at `level`, or as `RUST_LOG` says, or else at `default`.
pub fn start(level: Option<LevelFilter>, color: When, default: &str, no_room: NoRoom) -> Log {
    let mut builder = Builder::new();
    match level {
        // Other crates' details are for RUST_LOG.
        Some(level) => builder
            .filter_level(level.min(LevelFilter::Warn))
            .filter_module("epollo", level),
        None => {
            builder.parse_filters(&std::env::var("RUST_LOG").unwrap_or_else(|_| default.to_owned()))
        }
    };
    let is_coloured = match color {
        When::Always => true,
        When::Never => false,
        When::Auto => {
            let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let is_dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
            std::io::stderr().is_terminal() && !refused && !is_dumb
        }
    };
    let style = if is_coloured {
        WriteStyle::Always
    } else {
        WriteStyle::Never
    };
    let stderr = match no_room {
        NoRoom::Drop => Some(StuckProofStderr::new()),
        NoRoom::Wait => None,
    };
    let target = match stderr.clone() {
        Some(stderr) => Target::Pipe(Box::new(stderr)),
        None => Target::Stderr,
    };
    builder
        .write_style(style)
        .format_target(false)
        .target(target)
        .init();
    Log {
        stderr,
        is_coloured,
    }
}
