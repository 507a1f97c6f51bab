//! Lines for a pipe or terminal that may be stuck and must never block us: a line for which there is
//! no room is dropped and counted, and the next line that finds room says how many. What the
//! lines say is not decided here.

use std::fs::File;
use std::io::{self, Write};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::reactor::IoMode;

/// How long the end waits for room to say that lines were dropped.
const LAST_WORDS_PATIENCE: Duration = Duration::from_millis(500);

/// A stream of lines; see the module.
#[derive(Debug)]
pub(crate) struct Lines {
    /// `None`: there never was one, and every line is dropped.
    out: Option<(File, IoMode)>,
    /// The line that says how many lines were dropped.
    report: fn(u64) -> String,
    /// The rest of a line that was begun.
    begun: Vec<u8>,
    dropped: u64,
}

impl Lines {
    pub(crate) fn new(out: Option<(File, IoMode)>, report: fn(u64) -> String) -> Lines {
        Lines {
            out,
            report,
            begun: Vec::new(),
            dropped: 0,
        }
    }

    /// From now on dropped lines are reported with this line.
    pub(crate) fn report_as(&mut self, report: fn(u64) -> String) {
        self.report = report;
    }

    /// Writes whole lines, as many as there is room for; the others are dropped.
    ///
    /// # Errors
    /// Those of write(2), where waiting for room would not help. The lines are dropped then, too, but
    /// the next ones may find it better.
    pub(crate) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let prepared = self.prepare();
        match prepared {
            Ok(true) => self.send(lines),
            Ok(false) | Err(_) => {
                self.dropped += count(lines);
                prepared.map(|_| ())
            }
        }
    }

    /// Writes the last lines, or says how many were dropped; waits a while for room.
    pub(crate) fn end(&mut self, lines: &[u8]) -> io::Result<()> {
        let is_behind = self.dropped > 0 || !self.begun.is_empty();
        if let Some((file, _)) = self.out.as_ref().filter(|_| is_behind) {
            takes_bytes(file, LAST_WORDS_PATIENCE);
        }
        self.write(lines)
    }

    /// Finishes the line at hand and reports what was dropped; whether there was room for both.
    fn prepare(&mut self) -> io::Result<bool> {
        let begun = std::mem::take(&mut self.begun);
        self.send_rest(&begun)?;
        if self.begun.is_empty() && self.dropped > 0 {
            let report = (self.report)(self.dropped);
            let sent = self.write_some(report.as_bytes())?;
            if sent == 0 {
                return Ok(false);
            }
            self.dropped = 0;
            self.begun = report.as_bytes()[sent..].to_vec();
        }
        Ok(self.begun.is_empty())
    }

    /// Goes on with a line that was begun before.
    fn send_rest(&mut self, rest: &[u8]) -> io::Result<()> {
        let sent = self.write_some(rest);
        self.begun = rest[sent.as_ref().copied().unwrap_or(0)..].to_vec();
        sent.map(|_| ())
    }

    fn send(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        let mut result = Ok(());
        while sent < lines.len() {
            match self.write_some(&lines[sent..]) {
                Ok(0) => break,
                Ok(count) => sent += count,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        let mut rest = &lines[sent..];
        if sent > 0 && lines[sent - 1] != b'\n' {
            let end = rest.iter().position(|&byte| byte == b'\n');
            let (begun, others) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            self.begun = begun.to_vec();
            rest = others;
        }
        self.dropped += count(rest);
        result
    }

    /// One write, if that cannot block; 0 if there is no room or nothing to write.
    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some((file, mode)) = &mut self.out else {
            return Ok(0);
        };
        let bytes = match *mode {
            IoMode::Always | IoMode::Nonblocking => bytes,
            IoMode::Blocking { .. } if !takes_bytes(file, Duration::ZERO) => return Ok(0),
            IoMode::Blocking { sure_bytes } => &bytes[..bytes.len().min(sure_bytes)],
        };
        match file.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.write_some(bytes),
            written => written,
        }
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// Whether there is room for at least one byte, or will be within this time.
fn takes_bytes(file: &File, patience: Duration) -> bool {
    let mut fds = [PollFd::new(file, PollFlags::OUT)];
    let timeout = Timespec::try_from(patience).ok();
    poll(&mut fds, timeout.as_ref()).is_ok_and(|count| count > 0)
}
