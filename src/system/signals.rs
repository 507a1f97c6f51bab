//! SIGINT, SIGTERM and SIGHUP, and two that end nothing: SIGCONT and SIGXFSZ. For a server the first one is
//! a byte in a pipe that the loop watches, the second one ends the process from within the signal handler,
//! wedged loop or not. A client ends at once, unless it has counts to print.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::low_level::pipe;

use crate::reactor::{Direction, IoMode, OnError, OsStream, Terminal};

/// The signals that end the program, with the exit code when they are obeyed at once.
fn ending() -> impl Iterator<Item = (i32, i32)> {
    let hangup = (!is_hangup_ignored()).then_some((SIGHUP, 129));
    [(SIGINT, 130), (SIGTERM, 143)].into_iter().chain(hangup)
}

/// The exit code of the signal that asked for the end.
#[derive(Debug)]
pub struct SignalCode(Arc<AtomicUsize>);

impl SignalCode {
    /// 0 until a signal asked.
    pub fn exit_code(&self) -> u8 {
        u8::try_from(self.0.load(Ordering::Relaxed)).expect("exit codes are small")
    }
}

/// From now on the first signal makes the returned stream readable; a second one, of any kind,
/// exits at once.
pub fn first_asks_second_exits() -> io::Result<File> {
    let (reader, writer) = io::pipe()?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    let was_asked = Arc::new(AtomicBool::new(false));
    for (signal, code) in ending() {
        // Handlers run in the order of registration: the exit must not see its own signal's mark.
        flag::register_conditional_shutdown(signal, code, Arc::clone(&was_asked))?;
        flag::register(signal, Arc::clone(&was_asked))?;
        pipe::register(signal, writer.try_clone()?)?;
    }
    Ok(File::from(OwnedFd::from(reader)))
}

/// Whether somebody wants this process to outlive its terminal: nohup(1).
fn is_hangup_ignored() -> bool {
    let status = procfs::process::Process::myself().and_then(|process| process.status());
    status.is_ok_and(|status| status.sigign & (1 << (SIGHUP - 1)) != 0)
}

/// Such a stream as a peer.
pub fn stream(signals: File) -> OsStream {
    let signals = Direction::new(signals, IoMode::Nonblocking);
    let terminal = Terminal::new(Some(signals), None, OnError::Ignore);
    OsStream::Terminal(Box::new(terminal))
}

/// From now on the returned stream becomes readable whenever the program was stopped and goes on.
pub fn continued() -> io::Result<File> {
    let (reader, writer) = io::pipe()?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    pipe::register(SIGCONT, writer)?;
    Ok(File::from(OwnedFd::from(reader)))
}

/// From now on a file at the limit of its size (RLIMIT_FSIZE), be it a trace, a log or standard
/// output, fails a write and does not end the program.
pub fn outlive_full_files() -> io::Result<()> {
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(())
}

/// The signals that ask us to end.
#[derive(Debug)]
pub struct Interrupts {
    /// Gives a byte for the first one.
    pub stream: File,
    /// Which it was.
    pub code: SignalCode,
}

/// As [`first_asks_second_exits`], with the exit code of the signal that asked.
pub fn first_records_second_exits() -> io::Result<Interrupts> {
    let signal_code = Arc::new(AtomicUsize::new(0));
    for (signal, code) in ending() {
        let code = usize::try_from(code).expect("exit codes are small");
        flag::register_usize(signal, Arc::clone(&signal_code), code)?;
    }
    Ok(Interrupts {
        stream: first_asks_second_exits()?,
        code: SignalCode(signal_code),
    })
}

/// From now on the first signal exits at once, until the returned flag is cleared.
pub fn first_exits() -> io::Result<Arc<AtomicBool>> {
    let at_once = Arc::new(AtomicBool::new(true));
    for (signal, code) in ending() {
        flag::register_conditional_shutdown(signal, code, Arc::clone(&at_once))?;
    }
    Ok(at_once)
}
