//! The log: which lines, in which colours, to a standard error that may be stuck.

use std::io::IsTerminal;

use env_logger::{Builder, Target, WriteStyle};

use super::args::{LogArguments, When};
use super::stdio::StuckProofStderr;

/// Starts logging as asked: `--log-level` first, then `-v` and `-q`, then `RUST_LOG`, else `default`.
pub(super) fn start(arguments: &LogArguments, default: &str) {
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
            std::io::stderr().is_terminal() && !refused
        }
    };
    let style = if is_coloured {
        WriteStyle::Always
    } else {
        WriteStyle::Never
    };
    builder
        .write_style(style)
        .format_target(false)
        .target(Target::Pipe(Box::new(StuckProofStderr::new())))
        .init();
}
