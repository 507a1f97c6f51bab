//! Where a trace is written: a file that is whole after every write, or a stream of lines that may be
//! stuck. What the lines say is not decided here.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::Errno;

use super::lines::Lines;
use super::stdio::StuckProofStderr;
use crate::reactor::IoMode;

/// An open trace.
#[derive(Debug)]
pub(crate) enum Out {
    /// Shared with the log.
    Stderr(StuckProofStderr),
    /// A file. It is written at once, since a file never waits for a reader.
    File(Growing),
    /// A FIFO, a device: something that may have no room.
    Stream(Lines),
}

/// A file with some last bytes that stay last.
#[derive(Debug)]
pub(crate) struct Growing {
    file: File,
    /// Where the last bytes begin.
    end: u64,
}

impl Out {
    /// Makes the file, or opens what there is. `report` is the line that says how many lines found no
    /// room.
    ///
    /// # Errors
    /// Those of open(2); of a FIFO that nobody reads, too.
    pub(crate) fn open(path: &Path, report: fn(u64) -> String) -> io::Result<Out> {
        let flags = OFlags::WRONLY
            | OFlags::CREATE
            | OFlags::TRUNC
            | OFlags::NONBLOCK
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        let file = open(path, flags, Mode::from_raw_mode(0o666)).map_err(|errno| match errno {
            Errno::NXIO => io::Error::other("no process reads this FIFO yet"),
            errno => errno.into(),
        })?;
        let is_file = FileType::from_raw_mode(fstat(&file)?.st_mode) == FileType::RegularFile;
        let (file, end) = (File::from(file), 0);
        Ok(match is_file {
            true => Out::File(Growing { file, end }),
            false => Out::Stream(Lines::new(Some((file, IoMode::Nonblocking)), report)),
        })
    }

    /// Writes whole lines. Where they can be overwritten, `last` follows them until the next ones do.
    ///
    /// # Errors
    /// Those of write(2), where no room will come.
    pub(crate) fn write(&mut self, lines: &[u8], last: &str) -> io::Result<()> {
        match self {
            Out::Stderr(stderr) => stderr.write_all(lines),
            Out::File(file) => file.write(lines, last),
            Out::Stream(stream) => stream.write(lines),
        }
    }

    /// Writes what is last for good.
    pub(crate) fn end(&mut self, last: &str) -> io::Result<()> {
        match self {
            // The log has the last word there.
            Out::Stderr(_) | Out::File(_) => Ok(()),
            Out::Stream(stream) => stream.end(last.as_bytes()),
        }
    }
}

impl Growing {
    fn write(&mut self, lines: &[u8], last: &str) -> io::Result<()> {
        let bytes = [lines, last.as_bytes()].concat();
        match self.file.write_all_at(&bytes, self.end) {
            Ok(()) => {
                self.end += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                // What was whole before stays whole, if the disk allows that much.
                let whole = self.file.set_len(self.end);
                let _ = whole.and_then(|()| self.file.write_all_at(last.as_bytes(), self.end));
                Err(error)
            }
        }
    }
}
