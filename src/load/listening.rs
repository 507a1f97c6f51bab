//! Which processes of this machine listen at an address: that the process whose cost is measured is the
//! one under load. It sees what this user may see, and guesses nothing.

use std::net::SocketAddr;

use procfs::net::{TcpNetEntry, TcpState, tcp, tcp6};
use procfs::process::{FDTarget, Process, all_processes};

/// The processes that listen there, by id; none if the server is elsewhere or may not be looked at. Reads
/// the socket table and all descriptors of all processes: some ms, so not while something is measured.
pub(super) fn listening(address: SocketAddr) -> Vec<u32> {
    let table = [tcp(), tcp6()];
    let entries = table.into_iter().flatten().flatten();
    let listeners = entries.filter(|entry| listens(entry, address));
    let inodes: Vec<u64> = listeners.map(|entry| entry.inode).collect();
    if inodes.is_empty() {
        return Vec::new();
    }
    let processes = all_processes().into_iter().flatten().flatten();
    let listeners = processes.filter(|process| has_one(process, &inodes));
    listeners
        .map(|process| process.pid.unsigned_abs())
        .collect()
}

fn listens(entry: &TcpNetEntry, address: SocketAddr) -> bool {
    let ip = entry.local_address.ip().to_canonical();
    entry.state == TcpState::Listen
        && entry.local_address.port() == address.port()
        && (ip.is_unspecified() || ip == address.ip().to_canonical())
}

fn has_one(process: &Process, inodes: &[u64]) -> bool {
    let mut descriptors = process.fd().into_iter().flatten().flatten();
    descriptors.any(|descriptor| {
        matches!(descriptor.target, FDTarget::Socket(inode) if inodes.contains(&inode))
    })
}
