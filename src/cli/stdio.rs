//! The user's standard streams, opened so that they never block the loop and so that no flag of
//! ours stays on what the user's shell shares with us.
//!
//! `O_NONBLOCK` belongs to the open file description (open(2)), which the shell has too. A terminal
//! or pipe is therefore opened anew, through `/proc/self/fd`; what cannot be (a socket, another
//! user's terminal) is used as it is, and asked before each call whether it is ready.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};

use crate::reactor::{Manner, Side};

/// What a blocking pipe that polls writable takes at once (`PIPE_BUF`, pipe(7)).
const PIPE_SURE_BYTES: usize = 4096;
/// The same of a socket; the smallest send buffer (socket(7)) has room for it.
const SOCKET_SURE_BYTES: usize = 1024;
/// The same of a terminal, which polls writable as long as there is room for anything.
const TERMINAL_SURE_BYTES: usize = 1;
/// How long the end of the program waits for room to say that lines were dropped.
const LAST_WORDS_PATIENCE: Duration = Duration::from_millis(500);

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

/// Standard error for a log that must never wait: a line for which there is no room is dropped, and
/// counted in the next line that finds room. Clones are one and the same.
#[derive(Clone, Debug)]
pub(super) struct StuckProofStderr(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    file: Option<(File, Manner)>,
    dropped: u64,
}

impl StuckProofStderr {
    pub(super) fn new() -> StuckProofStderr {
        let path = "/proc/self/fd/2";
        StuckProofStderr(Arc::new(Mutex::new(Lines {
            file: open_apart(io::stderr().as_fd(), path, OFlags::WRONLY).ok(),
            dropped: 0,
        })))
    }

    /// Says how many lines were dropped since that was last said; waits a while for room.
    pub(super) fn end(&self) {
        let mut lines = self.lines();
        if let Some((file, _)) = lines.file.as_ref().filter(|_| lines.dropped > 0) {
            takes_bytes(file, LAST_WORDS_PATIENCE);
        }
        lines.report_dropped();
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().expect("nobody panics with it")
    }
}

impl Lines {
    fn report_dropped(&mut self) {
        if self.dropped > 0 {
            let report = format!("epollo: log lines dropped: {}\n", self.dropped);
            if self.try_write(report.as_bytes()) {
                self.dropped = 0;
            }
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
        line.chunks(step).all(|piece| {
            (!can_block || takes_bytes(file, Duration::ZERO)) && file.write_all(piece).is_ok()
        })
    }
}

/// Whether there is room for at least one byte, or will be within this time.
fn takes_bytes(file: &File, patience: Duration) -> bool {
    let mut fds = [PollFd::new(file, PollFlags::OUT)];
    let timeout = Timespec::try_from(patience).ok();
    poll(&mut fds, timeout.as_ref()).is_ok_and(|count| count > 0)
}

impl Write for StuckProofStderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.lines();
        lines.report_dropped();
        if lines.dropped > 0 || !lines.try_write(line) {
            lines.dropped += 1;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
