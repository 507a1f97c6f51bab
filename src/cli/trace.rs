//! The options of a trace, the same for every command that has a loop. What they lead to is in
//! `system/trace_writer.rs`.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::values::parse_size;
use crate::system::log::Log;
use crate::system::stdio;
use crate::system::trace_writer::{Destination, TraceWriter};

#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Trace")]
pub(super) struct TraceArguments {
    /// Record what the event loop does: `-` as text on standard error, FILE.jsonl for tools, FILE.json
    /// for Perfetto
    #[arg(long, value_name = "FILE", value_parser = parse_destination, env = "EPOLLO_TRACE")]
    pub(super) trace: Option<Destination>,
    /// Show this many bytes of each read and write, escaped
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = parse_size, env = "EPOLLO_TRACE_PAYLOAD")]
    pub(super) trace_payload: usize,
}

impl TraceArguments {
    /// The trace that was asked for, if one was: see [`TraceWriter::open`].
    pub(super) fn open(&self, log: &Log, program: &str) -> Result<Option<TraceWriter>, Failure> {
        if self.trace.is_none() && self.trace_payload > 0 {
            log::warn!("--trace-payload has no effect without --trace");
        }
        let path = self.trace.as_ref().and_then(Destination::path);
        if let Some((path, stream)) = path.and_then(|path| Some((path, stdio::stream_in(path)?))) {
            return Err(Failure::asked_wrongly(format_args!(
                "--trace would overwrite {}, which is {stream} (give it a file of its own)",
                path.display()
            )));
        }
        let open = |destination| TraceWriter::open(destination, self.trace_payload, log, program);
        self.trace
            .as_ref()
            .map(open)
            .transpose()
            .map_err(Failure::at_work)
    }
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
