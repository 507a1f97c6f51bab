//! What the kernel tells of a TCP connection's delivery: TCP_INFO (tcp(7)). The one place with `unsafe`:
//! neither socket2 nor rustix nor nix offers this option. It reads, and judges nothing.

use std::io;

use mio::net::TcpStream;

use crate::reactor::Delivery;

/// Where Linux has `tcpi_unacked`, segments that are on their way (`struct tcp_info` of linux/tcp.h, whose
/// fields never move; newer kernels append).
const UNACKED: usize = 24;
/// Where it has `tcpi_bytes_acked`, since Linux 4.1 (RFC 4898, tcpEStatsAppHCThruOctetsAcked).
const BYTES_ACKED: usize = 120;
/// Where it has `tcpi_notsent_bytes`, since Linux 4.6: bytes that wait for a first transmission.
const NOT_SENT_BYTES: usize = 144;
/// Up to where it is read.
const INFO_BYTES: usize = NOT_SENT_BYTES + 4;

/// How much of what was written the peer has acknowledged. Never blocks.
///
/// # Errors
/// Those of getsockopt(2); `Unsupported` where the system does not tell: a Linux before 4.6.
pub(super) fn delivery(stream: &TcpStream) -> io::Result<Delivery> {
    let info = tcp_info(stream)?;
    let count =
        |at: usize| u32::from_ne_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]]);
    let mut acknowledged = [0; 8];
    acknowledged.copy_from_slice(&info[BYTES_ACKED..BYTES_ACKED + 8]);
    Ok(Delivery {
        acknowledged: u64::from_ne_bytes(acknowledged),
        is_complete: count(UNACKED) == 0 && count(NOT_SENT_BYTES) == 0,
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(
    unsafe_code,
    reason = "no maintained crate reads TCP_INFO; tcp-info-sys needs libclang to build"
)]
fn tcp_info(stream: &TcpStream) -> io::Result<[u8; INFO_BYTES]> {
    use std::os::fd::AsRawFd;

    let mut info = [0; INFO_BYTES];
    let mut length = libc::socklen_t::try_from(INFO_BYTES).expect("a small constant");
    // SAFETY: the kernel writes at most `length` bytes, which is the size of `info`, and any bytes are a
    // valid `[u8; _]`; the descriptor is open for as long as `stream` is borrowed.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    match usize::try_from(length) {
        _ if result != 0 => Err(io::Error::last_os_error()),
        Ok(INFO_BYTES) => Ok(info),
        Ok(_) | Err(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn tcp_info(_: &TcpStream) -> io::Result<[u8; INFO_BYTES]> {
    Err(io::ErrorKind::Unsupported.into())
}
