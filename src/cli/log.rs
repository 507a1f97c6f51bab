//! The log: which lines, in which colours, and what becomes of them if standard error is stuck. What
//! is worth a line is not decided here.

use std::io::IsTerminal;

use env_logger::{Builder, Target, WriteStyle};

use super::args::{LogArguments, When};
use super::stdio::StuckProofStderr;

/// What becomes of a line for which standard error has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// It is dropped and counted: a server must go on.
    Drop,
    /// It waits: the lines are the result.
    Wait,
}

/// A log that was started.
#[derive(Debug)]
pub(super) struct Log {
    stderr: Option<StuckProofStderr>,
    is_coloured: bool,
}

impl Log {
    /// Says how many lines were dropped, if that was not said yet.
    pub(super) fn end(&self) {
        if let Some(stderr) = &self.stderr {
            stderr.end();
        }
    }

    /// Whether what is said on standard error has colours.
    pub(super) fn is_coloured(&self) -> bool {
        self.is_coloured
    }

    /// Standard error for a trace beside the log.
    pub(super) fn carry_trace(&self) -> StuckProofStderr {
        let stderr = self.stderr.clone().unwrap_or_else(StuckProofStderr::new);
        stderr.carries_trace();
        stderr
    }
}

/// Starts logging as asked: `--log-level` first, then `-v` and `-q`, then `RUST_LOG`, else `default`.
pub(super) fn start(arguments: &LogArguments, default: &str, no_room: NoRoom) -> Log {
    let mut builder = Builder::new();
    match arguments.level() {
        // Other crates' details are for RUST_LOG.
        Some(level) => builder
            .filter_level(level.min(log::LevelFilter::Warn))
            .filter_module("epollo", level),
        None => {
            builder.parse_filters(&std::env::var("RUST_LOG").unwrap_or_else(|_| default.to_owned()))
        }
    };
    let is_coloured = match arguments.color {
        When::Always => true,
        When::Never => false,
        When::Auto => {
            let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
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
