//! The user's standard streams, opened so that they never block the loop and so that no flag of
//! ours stays on what the user's shell shares with us.
//!
//! `O_NONBLOCK` belongs to the open file description (open(2)), which the shell has too. A terminal
//! or pipe is therefore opened anew, through `/proc/self/fd`; what cannot be (a socket, another
//! user's terminal) is used as it is, one call after each readiness event.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};

use crate::reactor::{Manner, Side};

/// How much goes to a standard error that may block, after it polled writable.
const CAUTIOUS_WRITE_BYTES_MAX: usize = 4096;

/// Standard input.
///
/// # Errors
/// Those of dup(2).
pub(super) fn input() -> io::Result<Side> {
    side(io::stdin().as_fd(), "/proc/self/fd/0", OFlags::RDONLY)
}

/// Standard output.
///
/// # Errors
/// Those of dup(2).
pub(super) fn output() -> io::Result<Side> {
    side(io::stdout().as_fd(), "/proc/self/fd/1", OFlags::WRONLY)
}

fn side(fd: BorrowedFd<'_>, path: &str, access: OFlags) -> io::Result<Side> {
    let (file, manner) = open_apart(fd, path, access)?;
    Ok(Side::new(file, manner))
}

fn open_apart(fd: BorrowedFd<'_>, path: &str, access: OFlags) -> io::Result<(File, Manner)> {
    let duplicate = || fd.try_clone_to_owned().map(File::from);
    match FileType::from_raw_mode(fstat(fd)?.st_mode) {
        FileType::RegularFile | FileType::Directory | FileType::BlockDevice => {
            Ok((duplicate()?, Manner::Always))
        }
        FileType::Fifo | FileType::CharacterDevice => {
            let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            match open(path, flags, Mode::empty()) {
                Ok(opened) => Ok((File::from(opened), Manner::Nonblocking)),
                Err(_) => Ok((duplicate()?, Manner::Blocking)),
            }
        }
        FileType::Socket | FileType::Symlink | FileType::Unknown => {
            Ok((duplicate()?, Manner::Blocking))
        }
    }
}

/// Standard error for a log: a line for which there is no room is dropped, and counted in the next
/// line that finds room.
#[derive(Debug)]
pub(super) struct StuckProofStderr {
    file: Option<(File, Manner)>,
    lines_dropped: u64,
}

impl StuckProofStderr {
    pub(super) fn new() -> StuckProofStderr {
        let path = "/proc/self/fd/2";
        StuckProofStderr {
            file: open_apart(io::stderr().as_fd(), path, OFlags::WRONLY).ok(),
            lines_dropped: 0,
        }
    }

    fn try_write(&mut self, line: &[u8]) -> bool {
        let Some((file, manner)) = &mut self.file else {
            return false;
        };
        let line = match manner {
            Manner::Always | Manner::Nonblocking => line,
            Manner::Blocking if takes_bytes(file) => {
                &line[..line.len().min(CAUTIOUS_WRITE_BYTES_MAX)]
            }
            Manner::Blocking => return false,
        };
        file.write_all(line).is_ok()
    }
}

fn takes_bytes(file: &File) -> bool {
    let mut fds = [PollFd::new(file, PollFlags::OUT)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&at_once)).is_ok_and(|count| count > 0)
}

impl Write for StuckProofStderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines_dropped > 0 {
            let report = format!("epollo: {} log lines dropped\n", self.lines_dropped);
            if self.try_write(report.as_bytes()) {
                self.lines_dropped = 0;
            }
        }
        if self.lines_dropped > 0 || !self.try_write(line) {
            self.lines_dropped += 1;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
