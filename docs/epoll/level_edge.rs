//! One socket watched twice, by a level-triggered and by an edge-triggered epoll, and asked after
//! each thing that happens to it.
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::io::{Read, Result, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

/// Asks at once, without sleeping.
const AT_ONCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

fn main() -> Result<()> {
    let (mut theirs, mut ours) = UnixStream::pair()?;
    let level = watching(&ours, EventFlags::IN)?;
    let edge = watching(&ours, EventFlags::IN | EventFlags::ET)?;
    let ask = |what: &str| -> Result<()> {
        println!(
            "{what:20} level: {:9} edge: {}",
            told(&level)?,
            told(&edge)?
        );
        Ok(())
    };
    let mut buffer = [0; 100];

    ask("nothing yet")?;
    theirs.write_all(b"abcdef")?;
    ask("6 bytes came")?;
    ask("asked again")?;
    let count = ours.read(&mut buffer[..2])?;
    ask(&format!("read {count} of them"))?;
    theirs.write_all(b"g")?;
    ask("1 more byte came")?;
    let count = ours.read(&mut buffer)?;
    ask(&format!("read the other {count}"))?;
    drop(theirs);
    ask("the peer is gone")?;
    ask("asked again")
}

fn watching(socket: impl AsFd, flags: EventFlags) -> Result<OwnedFd> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, socket, EventData::new_u64(0), flags)?;
    Ok(epoll)
}

fn told(epoll: &OwnedFd) -> Result<&'static str> {
    let mut events = Vec::with_capacity(1);
    let count = epoll::wait(
        epoll,
        rustix::buffer::spare_capacity(&mut events),
        Some(&AT_ONCE),
    )?;
    Ok(if count == 1 { "ready" } else { "asleep" })
}
