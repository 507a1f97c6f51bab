//! The options of a trace, the same for every command that has a loop. What they lead to is in
//! `sink.rs`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::values::parse_size;

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Trace")]
pub(in crate::cli) struct TraceArguments {
    /// Record what the event loop does: `-` as text on standard error, FILE.jsonl for tools, FILE.json
    /// for Perfetto
    #[arg(long, value_name = "FILE", value_parser = parse_destination, env = "EPOLLO_TRACE")]
    pub(in crate::cli) trace: Option<Destination>,
    /// Show this many bytes of each read and write, escaped
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = parse_size, env = "EPOLLO_TRACE_PAYLOAD")]
    pub(in crate::cli) trace_payload: usize,
}

/// Where a trace goes, and with that its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Destination {
    /// Text on standard error.
    Stderr,
    /// A JSON object a line.
    Lines(PathBuf),
    /// Chrome trace events, one JSON array.
    Chrome(PathBuf),
}

fn parse_destination(text: &str) -> Result<Destination, String> {
    let path = PathBuf::from(text);
    if text == "-" {
        return Ok(Destination::Stderr);
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("jsonl") => Ok(Destination::Lines(path)),
        Some("json") => Ok(Destination::Chrome(path)),
        Some(_) | None => Err(format!(
            "unknown trace format '{text}' (try - for text, FILE.jsonl for tools or FILE.json for Perfetto)"
        )),
    }
}
