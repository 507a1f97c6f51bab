//! Descriptors that are not sockets: what epoll refuses, and whose a flag is.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use mio::unix::SourceFd;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::pipe::{PIPE_BUF, pipe};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};

use super::{READABLE, Watch, kind_of};
use crate::support::eventually;

fn blocks(fd: impl AsFd) -> bool {
    !fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
}

fn stop_blocking(fd: impl AsFd) {
    let flags = fcntl_getfl(&fd).unwrap();
    fcntl_setfl(&fd, flags | OFlags::NONBLOCK).unwrap();
}

fn opened_anew(fd: impl AsFd) -> std::io::Result<File> {
    let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    OpenOptions::new().write(true).open(path)
}

/// A terminal: the user's side, and the side that a program has.
fn terminal() -> (File, OwnedFd) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    unlockpt(&controller).unwrap();
    let path = ptsname(&controller, Vec::new()).unwrap();
    let mut options = OpenOptions::new();
    let ours = options.read(true).write(true).open(path.to_str().unwrap());
    (controller.into(), ours.unwrap().into())
}

#[test]
fn epoll_refuses_files_folders_and_dev_null() {
    let watch = Watch::new();
    for path in ["Cargo.toml", "src", "/dev/null"] {
        let file = File::open(path).unwrap();
        let descriptor = file.as_raw_fd();
        let source = &mut SourceFd(&descriptor);
        let registry = watch.poll.registry();
        let registered = registry.register(source, mio::Token(1), READABLE);
        let refusal = Some(ErrorKind::PermissionDenied);
        assert_eq!(kind_of(registered), refusal, "{path}");
    }
}

#[test]
fn a_flag_on_a_pipe_or_terminal_opened_anew_stays_there_and_one_on_a_duplicate_does_not() {
    let (_reader, pipe) = pipe().unwrap();
    let (_user, terminal) = terminal();
    for original in [pipe, terminal] {
        let anew = opened_anew(&original).unwrap();
        stop_blocking(&anew);
        assert!(blocks(&original) && !blocks(&anew));
        let duplicate = original.try_clone().unwrap();
        stop_blocking(&duplicate);
        assert!(!blocks(&original));
    }
}

#[test]
fn a_socket_cannot_be_opened_anew() {
    let (socket, _other) = UnixStream::pair().unwrap();
    let error = opened_anew(socket).unwrap_err();
    assert_eq!(Errno::from_io_error(&error), Some(Errno::NXIO));
}

/// Whether poll(2) says that a write would not wait.
fn polls_writable(fd: impl AsFd) -> bool {
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut fds = [PollFd::new(&fd, PollFlags::OUT)];
    poll(&mut fds, Some(&at_once)).unwrap() == 1
}

/// Fills what buffers there are, takes bytes out at the other end until a write would not wait, and
/// says how much of [`PIPE_BUF`] bytes is then taken.
fn taken_once_writable(mut writer: &File, reader: &mut File, piece: usize) -> usize {
    while writer.write(&vec![b'x'; piece]).is_ok() {}
    eventually("there is room", || {
        // Nothing may be there to read while the kernel moves the bytes.
        let _ = reader.read(&mut [0; 100]);
        polls_writable(writer)
    });
    writer.write(&[b'y'; PIPE_BUF]).unwrap()
}

#[test]
fn a_pipe_that_polls_writable_takes_4096_bytes() {
    assert_eq!(PIPE_BUF, 4096);
    let (reader, writer) = pipe().unwrap();
    stop_blocking(&reader);
    stop_blocking(&writer);
    let (mut reader, writer) = (File::from(reader), File::from(writer));
    for piece in [1, 1000, 4095, 4096, 5000] {
        let taken = taken_once_writable(&writer, &mut reader, piece);
        assert_eq!(taken, PIPE_BUF, "after pieces of {piece}");
    }
}

#[test]
fn a_terminal_that_polls_writable_takes_fewer() {
    let (mut user, ours) = terminal();
    stop_blocking(&user);
    stop_blocking(&ours);
    let ours = File::from(ours);
    let taken = (0..5).map(|_| taken_once_writable(&ours, &mut user, 1000));
    let least = taken.min().unwrap();
    assert!(
        (1..PIPE_BUF).contains(&least),
        "{least} of {PIPE_BUF} bytes"
    );
}
