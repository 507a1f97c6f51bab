//! The user's standard streams, opened so that they never block the loop and so that no flag of
//! ours stays on what the user's shell shares with us.
//!
//! `O_NONBLOCK` belongs to the open file description (open(2)), which the shell has too. A terminal
//! or pipe is therefore opened anew, through `/proc/self/fd`; what cannot be (a socket, another
//! user's terminal) is used as it is, and asked before each call whether it is ready.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::fs::{FileType, Mode, OFlags, fstat, open, stat};
use rustix::termios::tcgetwinsize;

use super::lines::Lines;
use crate::reactor::{Direction, IoMode};

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
pub fn input() -> io::Result<Direction> {
    side(io::stdin().as_fd(), "/proc/self/fd/0", OFlags::RDONLY)
}

/// Standard output.
///
/// # Errors
/// Those of dup(2).
pub fn output() -> io::Result<Direction> {
    side(io::stdout().as_fd(), "/proc/self/fd/1", OFlags::WRONLY)
}

/// What standard input holds now, up to so many bytes; nothing that would have to be waited for.
pub fn unread(bytes_max: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok((file, mode)) = open_apart(io::stdin().as_fd(), "/proc/self/fd/0", OFlags::RDONLY) {
        match mode {
            IoMode::Nonblocking | IoMode::Always => {
                // Where it fails there is no more now.
                let _ = file.take(bytes_max).read_to_end(&mut bytes);
            }
            IoMode::Blocking { .. } => {}
        }
    }
    bytes
}

/// Which of our streams this file is, if it is one: to make it anew would destroy what they hold.
pub fn stream_in(path: &Path) -> Option<&'static str> {
    let file = stat(path).ok()?;
    let is_file = FileType::from_raw_mode(file.st_mode) == FileType::RegularFile;
    let is_it = |fd: BorrowedFd<'_>| {
        fstat(fd).is_ok_and(|stream| (stream.st_dev, stream.st_ino) == (file.st_dev, file.st_ino))
    };
    if is_file && is_it(io::stdin().as_fd()) {
        Some("standard input")
    } else if is_file && is_it(io::stdout().as_fd()) {
        Some("standard output")
    } else {
        None
    }
}

/// How many columns the window has that shows standard output; `None` if it is no terminal, or one
/// that does not know. To be asked when something is drawn: people change their windows.
pub fn columns() -> Option<usize> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Whether a person sits there: input and output are a terminal.
pub fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

fn side(fd: BorrowedFd<'_>, path: &str, access: OFlags) -> io::Result<Direction> {
    let (file, mode) = open_apart(fd, path, access)?;
    Ok(Direction::new(file, mode))
}

fn open_apart(fd: BorrowedFd<'_>, path: &str, access: OFlags) -> io::Result<(File, IoMode)> {
    let duplicate = || fd.try_clone_to_owned().map(File::from);
    let sure_bytes = match FileType::from_raw_mode(fstat(fd)?.st_mode) {
        FileType::RegularFile | FileType::Directory | FileType::BlockDevice => {
            return Ok((duplicate()?, IoMode::Always));
        }
        FileType::Fifo => PIPE_SURE_BYTES,
        FileType::CharacterDevice => TERMINAL_SURE_BYTES,
        FileType::Socket | FileType::Symlink | FileType::Unknown => SOCKET_SURE_BYTES,
    };
    // It fails for a socket, and for what belongs to another user.
    let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match open(path, flags, Mode::empty()) {
        Ok(opened) => Ok((File::from(opened), IoMode::Nonblocking)),
        Err(_) => Ok((duplicate()?, IoMode::Blocking { sure_bytes })),
    }
}

/// Standard error for lines that must never wait. Clones are one and the same.
#[derive(Clone, Debug)]
pub struct StuckProofStderr(Arc<Mutex<Lines>>);

impl StuckProofStderr {
    /// Standard error, if there is one.
    pub(super) fn new() -> StuckProofStderr {
        let out = open_apart(io::stderr().as_fd(), "/proc/self/fd/2", OFlags::WRONLY);
        let lines = Lines::new(out.ok(), |dropped| {
            format!("epollo: log lines dropped: {dropped}\n")
        });
        StuckProofStderr(Arc::new(Mutex::new(lines)))
    }

    /// From now on a trace goes there, too.
    pub fn carries_trace(&self) {
        self.lines()
            .report_as(|dropped| format!("epollo: log and trace lines dropped: {dropped}\n"));
    }

    /// Says how many lines were dropped since that was last said; waits a while for room.
    pub fn end(&self) {
        // There is nobody left to tell.
        let _ = self.lines().end(&[]);
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().expect("nobody panics with it")
    }
}

/// Never fails: what finds no room, or no standard error, is counted.
impl Write for StuckProofStderr {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let _ = self.lines().write(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
