//! Standard input and output as one more stream. epoll refuses files and `/dev/null`; a terminal
//! or pipe that we could not open anew must stay blocking, since it is the user's too. A
//! [`Terminal`] hides both from the reactor. It opens nothing itself and changes no flag.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

use mio::Registry;
use mio::unix::SourceFd;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{QueueSelector, tcflush, tcgetpgrp};

use crate::protocol::screen::Lost;
use crate::reactor::{Interest, Token};

/// What an output is watched for while nothing waits to be written: whether it fails. To be told of room
/// would wake the loop after every write to a terminal, and a trace that is told on the same terminal
/// would go on for ever.
#[cfg(any(target_os = "linux", target_os = "android"))]
const IDLE: mio::Interest = mio::Interest::PRIORITY;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const IDLE: mio::Interest = mio::Interest::WRITABLE;

const NO_WAIT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// How a descriptor may be used without ever blocking the loop. Closed: will not grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoMode {
    /// `O_NONBLOCK` is set on it, and nobody but us has it.
    Nonblocking,
    /// It blocks, since it is shared with others: it is asked before each call whether it is ready,
    /// and gets no more bytes than one that polls writable is sure to take.
    Blocking {
        /// So many: 4096 for a pipe (`PIPE_BUF`, pipe(7)), 1 for a terminal.
        sure_bytes: usize,
    },
    /// epoll does not take it (EPERM): a file, `/dev/null`. It never blocks for long.
    Always,
}

/// What a failing descriptor means. Closed: will not grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The stream fails with it. For clients, whose work is this stream.
    Fail,
    /// Output is dropped, input has ended. For servers, which have other things to do.
    Ignore,
    /// The same, but the stream fails if the first so many bytes of output cannot be written. A reader
    /// that has left is no failure.
    IgnoreAfter(usize),
}

impl OnError {
    /// What a failure means once so many bytes more are written.
    fn after(self, count: usize) -> OnError {
        match self {
            OnError::IgnoreAfter(left) if left > count => OnError::IgnoreAfter(left - count),
            OnError::IgnoreAfter(_) | OnError::Ignore => OnError::Ignore,
            OnError::Fail => OnError::Fail,
        }
    }

    /// Whether the stream fails if a write fails so.
    fn is_reported(self, error: &io::Error) -> bool {
        match self {
            OnError::Fail => true,
            OnError::Ignore => false,
            OnError::IgnoreAfter(_) => error.kind() != io::ErrorKind::BrokenPipe,
        }
    }
}

/// One direction of a terminal.
#[derive(Debug)]
pub struct Direction {
    file: File,
    io_mode: IoMode,
}

impl Direction {
    /// A direction that is used in this manner.
    pub fn new(file: File, io_mode: IoMode) -> Direction {
        Direction { file, io_mode }
    }

    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: mio::Interest,
    ) -> io::Result<()> {
        let descriptor = self.file.as_raw_fd();
        let source = &mut SourceFd(&descriptor);
        match registry.register(source, token.into(), interest) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.io_mode = IoMode::Always;
                Ok(())
            }
            other => other,
        }
    }

    fn rearm(&self, registry: &Registry, token: Token, interest: mio::Interest) -> io::Result<()> {
        match self.io_mode {
            IoMode::Always => Ok(()),
            IoMode::Nonblocking | IoMode::Blocking { .. } => {
                let descriptor = self.file.as_raw_fd();
                let source = &mut SourceFd(&descriptor);
                registry.reregister(source, token.into(), interest)
            }
        }
    }

    /// Whether a call may be made now without a chance to block. If not, an event will come when
    /// it may. An event itself may be old, or about the other direction.
    fn may_call(
        &self,
        registry: &Registry,
        token: Token,
        interest: mio::Interest,
    ) -> io::Result<bool> {
        let IoMode::Blocking { .. } = self.io_mode else {
            return Ok(true);
        };
        let flags = if interest.is_writable() {
            PollFlags::OUT
        } else {
            PollFlags::IN
        };
        let is_ready = poll(&mut [PollFd::new(&self.file, flags)], Some(&NO_WAIT))? > 0;
        if !is_ready {
            self.rearm(registry, token, interest)?;
        }
        Ok(is_ready)
    }
}

/// Standard input and output, or either of them.
#[derive(Debug)]
pub struct Terminal {
    input: Option<Direction>,
    output: Option<Direction>,
    failure: OnError,
    token: Token,
    lines_lost: usize,
    /// Why the latest of them were.
    lost_to: Option<io::Error>,
}

impl Terminal {
    /// A stream that reads from `input` and writes to `output`. Without an input it gives nothing
    /// and never ends.
    pub fn new(input: Option<Direction>, output: Option<Direction>, failure: OnError) -> Terminal {
        Terminal {
            input,
            output,
            failure,
            token: Token::listener(0),
            lines_lost: 0,
            lost_to: None,
        }
    }

    pub(super) fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.token = token;
        if let Some(input) = &mut self.input {
            input.register(registry, token, mio::Interest::READABLE)?;
        }
        if let Some(output) = &mut self.output {
            output.register(registry, token, of_output(interest))?;
        }
        Ok(())
    }

    pub(super) fn rearm(&mut self, registry: &Registry, interest: Interest) -> io::Result<()> {
        self.output.as_ref().map_or(Ok(()), |output| {
            output.rearm(registry, self.token, of_output(interest))
        })
    }

    pub(super) fn deregister(&mut self, registry: &Registry) {
        if let Some(error) = self.lost_to.take().filter(|_| self.lines_lost > 0) {
            // A reader that has left (`| head`) wanted no more.
            let level = if error.kind() == io::ErrorKind::BrokenPipe {
                log::Level::Info
            } else {
                log::Level::Warn
            };
            let lines = Lost(self.lines_lost);
            log::log!(level, "{lines}: {}", reason(&error));
        }
        for side in [&self.input, &self.output].into_iter().flatten() {
            if side.io_mode != IoMode::Always {
                // It fails only if the descriptor was never registered; then all is well too.
                let _ = registry.deregister(&mut SourceFd(&side.file.as_raw_fd()));
            }
        }
    }

    pub(super) fn read(&mut self, registry: &Registry, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(input) = &mut self.input else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        if !input.may_call(registry, self.token, mio::Interest::READABLE)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match (input.file.read(buffer), self.failure) {
            (Err(error), OnError::Ignore | OnError::IgnoreAfter(_)) if !is_passing(&error) => Ok(0),
            (result, OnError::Ignore | OnError::IgnoreAfter(_) | OnError::Fail) => result,
        }
    }

    /// See [`Kernel::discard_typed`](crate::reactor::Kernel::discard_typed).
    pub(super) fn discard_typed(&self) {
        let Some(input) = &self.input else {
            return;
        };
        // What is typed while another job has the terminal is for that job; and to flush it from the
        // background would stop us (SIGTTOU). A terminal that does not control us has no such jobs.
        let belongs_to_another_job =
            tcgetpgrp(&input.file).is_ok_and(|foreground| foreground != getpgrp());
        if !belongs_to_another_job {
            // It fails for what is no terminal, and that holds no typed line.
            let _ = tcflush(&input.file, QueueSelector::IFlush);
        }
    }

    pub(super) fn write(&mut self, registry: &Registry, bytes: &[u8]) -> io::Result<usize> {
        let Some(output) = &mut self.output else {
            return Ok(bytes.len());
        };
        if !output.may_call(registry, self.token, mio::Interest::WRITABLE)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = match output.io_mode {
            IoMode::Blocking { sure_bytes } => bytes.len().min(sure_bytes),
            IoMode::Nonblocking | IoMode::Always => bytes.len(),
        };
        match output.file.write(&bytes[..count]) {
            Ok(written) => {
                self.failure = self.failure.after(written);
                Ok(written)
            }
            Err(error) if is_passing(&error) || self.failure.is_reported(&error) => Err(error),
            Err(error) => {
                let lines = bytes[..count].iter().filter(|&&byte| byte == b'\n').count();
                self.lines_lost += lines;
                log::debug!("{}: {}", Lost(lines), reason(&error));
                self.lost_to = Some(error);
                Ok(count)
            }
        }
    }
}

/// An operating system error in a few plain words, without its number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

fn of_output(interest: Interest) -> mio::Interest {
    match interest {
        Interest::Writable | Interest::Both => mio::Interest::WRITABLE,
        Interest::Readable => IDLE,
    }
}

/// Whether the same call may succeed later: EAGAIN and EINTR.
pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
