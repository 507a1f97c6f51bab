//! What Linux tells of bytes that it has taken and the peer has not, and what it forgets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use epollo::reactor::{Delivery, Kernel, ListenOptions, OsKernel, OsStream, bind};
use rustix::event::PollFlags;
use socket2::SockRef;

use super::endings::reset;
use super::{READABLE, Watch, await_bytes, await_state, pair};
use crate::support::{connect, eventually, fill, sockets_at};

/// A connection to a listener of ours whose client takes little; how much a write to it takes at once.
fn small_client(send_buffer: Option<u32>) -> (mio::net::TcpStream, TcpStream) {
    let options = ListenOptions {
        send_buffer,
        ..ListenOptions::default()
    };
    let listener = bind("127.0.0.1:0".parse().unwrap(), options).unwrap();
    let client = connect(listener.local_addr().unwrap());
    SockRef::from(&client).set_recv_buffer_size(4096).unwrap();
    let mut accepted = None;
    eventually("it is accepted", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    (accepted.unwrap().0, client)
}

fn delivery(stream: &OsStream) -> Delivery {
    OsKernel::new().unwrap().delivery(stream).unwrap()
}

#[test]
fn accepted_sockets_inherit_how_much_unsent_the_kernel_keeps() {
    let (ours, _theirs) = small_client(Some(70_000));
    assert_eq!(SockRef::from(&ours).tcp_notsent_lowat().unwrap(), 70_000);
    let (mut ours, _theirs) = small_client(Some(128 * 1024));
    let little = fill(&mut ours).unwrap();
    let (mut ours, _theirs) = small_client(None);
    let much = fill(&mut ours).unwrap();
    assert!(little < 256 * 1024, "{little} bytes with a limit");
    assert!(much > 2 * little, "{much} bytes without");
}

#[test]
fn what_is_acknowledged_is_told_and_our_end_is_part_of_it() {
    let (mut ours, mut theirs) = small_client(Some(128 * 1024));
    let total = fill(&mut ours).unwrap();
    let stream = OsStream::Tcp(ours);
    let early = delivery(&stream);
    assert!(
        !early.is_complete && early.acknowledged < total as u64,
        "{early:?}"
    );
    let mut some = vec![0; total / 2];
    theirs.read_exact(&mut some).unwrap();
    eventually("more of it is acknowledged", || {
        delivery(&stream).acknowledged > early.acknowledged
    });
    theirs.read_exact(&mut vec![0; total - total / 2]).unwrap();
    eventually("all of it is", || delivery(&stream).is_complete);
    assert!(delivery(&stream).acknowledged >= total as u64);
}

#[test]
fn the_last_acknowledgement_of_a_connection_that_both_have_ended_is_an_event() {
    let (mut ours, mut theirs) = small_client(Some(128 * 1024));
    let total = fill(&mut ours).unwrap();
    theirs.shutdown(Shutdown::Write).unwrap();
    await_state(&ours, PollFlags::RDHUP);
    ours.shutdown(Shutdown::Write).unwrap();
    let mut watch = Watch::new();
    watch.add(&mut ours, 7, READABLE);
    watch.one();
    assert_eq!(watch.at_once(), [], "nothing has changed");
    theirs.read_exact(&mut vec![0; total]).unwrap();
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
    watch.one();
    assert!(delivery(&OsStream::Tcp(ours)).is_complete);
}

#[test]
fn a_reset_is_told_while_unread_bytes_wait_and_they_can_still_be_read() {
    let (ours, mut theirs) = pair();
    theirs.write_all(b"last words").unwrap();
    await_bytes(&ours, 10);
    reset(theirs);
    await_state(&ours, PollFlags::ERR);
    let mut stream = OsStream::Tcp(ours);
    let mut kernel = OsKernel::new().unwrap();
    let error = kernel.take_error(&stream).unwrap().expect("it was reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(
        kernel.take_error(&stream).unwrap().is_none(),
        "it is told once"
    );
    assert_eq!(kernel.read(&mut stream, &mut [0; 64]).unwrap(), 10);
}

#[test]
fn what_is_closed_by_a_reset_is_not_delivered_and_forgotten() {
    let (mut ours, mut theirs) = small_client(Some(128 * 1024));
    fill(&mut ours).unwrap();
    let local = ours.local_addr().unwrap();
    OsKernel::new().unwrap().reset(OsStream::Tcp(ours));
    let error = theirs.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let left = sockets_at(local);
    assert!(left.is_empty(), "the kernel forgets it at once: {left:?}");
}
