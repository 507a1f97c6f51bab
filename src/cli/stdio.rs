//! The user's standard streams, opened so that they never block the loop and so that no flag of
//! ours stays on what the user's shell shares with us.
//!
//! `O_NONBLOCK` belongs to the open file description (open(2)), which the shell has too. A terminal
//! or pipe is therefore opened anew, through `/proc/self/fd`; what cannot be (a socket, another
//! user's terminal) is used as it is, and asked before each call whether it is ready.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};

use crate::reactor::{Manner, Side};

/// What a blocking pipe that polls writable takes at once (`PIPE_BUF`, pipe(7)).
const PIPE_SURE_BYTES: usize = 4096;
/// The same of a socket; the smallest send buffer (socket(7)) has room for it.
const SOCKET_SURE_BYTES: usize = 1024;
/// The same of a terminal, which polls writable as long as there is room for anything.
const TERMINAL_SURE_BYTES: usize = 1;

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
    let sure_bytes = match FileType::from_raw_mode(fstat(fd)?.st_mode) {
        FileType::RegularFile | FileType::Directory | FileType::BlockDevice => {
            return Ok((duplicate()?, Manner::Always));
        }
        FileType::Fifo => PIPE_SURE_BYTES,
        FileType::CharacterDevice => TERMINAL_SURE_BYTES,
        FileType::Socket | FileType::Symlink | FileType::Unknown => SOCKET_SURE_BYTES,
    };
    // It fails for a socket, and for what belongs to another user.
    let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match open(path, flags, Mode::empty()) {
        Ok(opened) => Ok((File::from(opened), Manner::Nonblocking)),
        Err(_) => Ok((duplicate()?, Manner::Blocking { sure_bytes })),
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
        let step = match *manner {
            Manner::Always | Manner::Nonblocking => line.len().max(1),
            Manner::Blocking { sure_bytes } => sure_bytes,
        };
        let can_block = matches!(manner, Manner::Blocking { .. });
        line.chunks(step)
            .all(|piece| (!can_block || takes_bytes(file)) && file.write_all(piece).is_ok())
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
