//! The operating system besides the loop's part of it: /proc, descriptors, memory, signals, standard
//! streams, the log, the files of a trace. No byte of a peer is interpreted here.

use std::io;

pub mod connect;
pub mod descriptors;
mod lines;
pub mod log;
pub mod memory;
pub mod signals;
pub mod stdio;
mod trace_file;
pub mod trace_writer;

/// An operating system error in a few plain words, without its number.
pub fn reason(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::AddrInUse {
        return "address in use".to_owned();
    }
    if error.kind() == io::ErrorKind::AddrNotAvailable {
        return "this machine has no such address".to_owned();
    }
    crate::trace::reason(error)
}
