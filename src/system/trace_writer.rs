//! An observer that writes every event, in the format that was asked for. Where it is written,
//! and what if that takes no more, is in `file.rs`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::log::Log;
use super::reason;
use super::trace_file::Out;
use crate::protocol::Time;
use crate::trace::chrome::{self, Chrome};
use crate::trace::text::Text;
use crate::trace::{Directory, Observer, TraceEvent, json};

/// So much is written at once when the loop does not sleep.
const BATCH_BYTES: usize = 32 * 1024;

/// A trace; see the module. It ends with its value.
#[derive(Debug)]
pub struct TraceWriter {
    format: Format,
    payload: usize,
    /// Lines that are not written yet, and of how many events.
    batch: Vec<u8>,
    batched: u64,
    /// Events that were not written because writing had failed.
    missed: u64,
    /// `None` once the disk is full, or the like.
    out: Option<Out>,
    path: PathBuf,
}

/// Where a trace goes, and with that its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Text on standard error.
    Stderr,
    /// A JSON object a line.
    Lines(PathBuf),
    /// Chrome trace events, one JSON array.
    Chrome(PathBuf),
}

impl Destination {
    /// The file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Destination::Stderr => None,
            Destination::Lines(path) | Destination::Chrome(path) => Some(path),
        }
    }
}

#[derive(Debug)]
enum Format {
    Text(Text),
    Lines,
    Chrome(Chrome),
}

impl TraceWriter {
    /// A trace that shows `payload` bytes of each read and write. `program` is what is traced.
    ///
    /// # Errors
    /// Why it cannot be written, in words for our user.
    pub fn open(
        destination: &Destination,
        payload: usize,
        log: &Log,
        program: &str,
    ) -> Result<TraceWriter, String> {
        let no_path = PathBuf::new();
        let (out, format, path) = match destination {
            Destination::Stderr => {
                let text = Text {
                    is_coloured: log.is_coloured(),
                    payload,
                    error_word: json::error_word,
                };
                (Out::Stderr(log.carry_trace()), Format::Text(text), &no_path)
            }
            Destination::Lines(path) => (open(path, dropped)?, Format::Lines, path),
            Destination::Chrome(path) => (
                open(path, chrome::dropped)?,
                Format::Chrome(Chrome::default()),
                path,
            ),
        };
        let mut writer = TraceWriter {
            format,
            payload,
            batch: Vec::new(),
            batched: 0,
            missed: 0,
            out: Some(out),
            path: path.clone(),
        };
        if let Format::Chrome(chrome) = &mut writer.format {
            chrome.begin(&mut writer.batch, program);
        }
        writer.flush();
        Ok(writer)
    }

    fn flush(&mut self) {
        let Some(out) = &mut self.out else {
            return;
        };
        let last = self.format.last();
        if let Err(error) = out.write(&self.batch, last) {
            let (path, reason) = (self.path.display(), reason(&error));
            log::warn!("the trace ends here: cannot write {path}: {reason}");
            self.out = None;
            self.missed += self.batched;
        }
        self.batch.clear();
        self.batched = 0;
    }
}

impl Observer for TraceWriter {
    fn observe(&mut self, at: Time, directory: &Directory, event: &TraceEvent<'_>) {
        if self.out.is_none() {
            self.missed += 1;
            return;
        }
        self.batched += 1;
        let batch = &mut self.batch;
        match &mut self.format {
            Format::Text(text) => {
                write!(batch, "{}", text.line(at, directory, event))
                    .expect("a Vec takes everything");
            }
            Format::Lines => {
                json::object(batch, at, directory, event, self.payload);
                batch.push(b'\n');
            }
            Format::Chrome(chrome) => chrome.event(batch, at, directory, event, self.payload),
        }
        let sleeps =
            matches!(event, TraceEvent::Waiting { timeout } if *timeout != Some(Duration::ZERO));
        if sleeps || self.batch.len() >= BATCH_BYTES {
            self.flush();
        }
    }
}

impl Drop for TraceWriter {
    fn drop(&mut self) {
        self.flush();
        if let Some(out) = &mut self.out {
            // What was whole before is whole.
            let _ = out.end(self.format.last());
        }
        if self.missed > 0 {
            log::info!("trace events lost: {}", self.missed);
        }
    }
}

impl Format {
    /// What closes the file.
    fn last(&self) -> &'static str {
        match self {
            Format::Text(_) | Format::Lines => "",
            Format::Chrome(_) => chrome::LAST,
        }
    }
}

fn open(path: &Path, dropped: fn(u64) -> String) -> Result<Out, String> {
    Out::open(path, dropped).map_err(|error| {
        let (path, reason) = (path.display(), reason(&error));
        format!("cannot write the trace to {path}: {reason}")
    })
}

/// The line of a `.jsonl` that says how many are missing before it.
fn dropped(lines: u64) -> String {
    let line = serde_json::json!({ "kind": "dropped", "lines": lines });
    format!("{line}\n")
}
