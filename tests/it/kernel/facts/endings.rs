//! How connections end and how they come: the FIN, the reset, and what accept(2) makes of both.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::time::Duration;

use mio::Interest;
use mio::net::TcpListener;
use rustix::event::PollFlags;
use socket2::{Domain, SockRef, Socket, Type};

use super::{READABLE, Watch, await_bytes, await_state, kind_of, pair, unread};
use crate::support::{connect, eventually};

/// Closes with a reset instead of a FIN.
pub fn reset(stream: std::net::TcpStream) {
    let socket = SockRef::from(&stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// A listener of mio's, with or without TCP_NODELAY.
pub fn listener(is_nodelay: bool) -> (TcpListener, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
    socket.set_tcp_nodelay(is_nodelay).unwrap();
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any_port.into()).unwrap();
    socket.listen(16).unwrap();
    let listener = TcpListener::from_std(socket.into());
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn data_and_the_end_come_in_one_event_and_a_short_read_is_not_the_end() {
    let (mut ours, mut theirs) = pair();
    let mut watch = Watch::new();
    watch.add(&mut ours, 7, READABLE);
    theirs.write_all(b"last words").unwrap();
    theirs.shutdown(Shutdown::Write).unwrap();
    await_state(&ours, PollFlags::RDHUP);
    let told = watch.one();
    assert!(told.readable && told.read_closed, "{told:?}");
    assert_eq!(ours.read(&mut [0; 64]).unwrap(), 10, "a short read");
    assert_eq!(watch.at_once(), [], "the end is not told a second time");
    assert_eq!(ours.read(&mut [0; 64]).unwrap(), 0, "and yet it was there");
    assert_eq!(ours.read(&mut [0; 64]).unwrap(), 0, "and it stays there");
}

#[test]
fn only_who_wants_to_read_is_told_of_the_end() {
    let (mut ours, theirs) = pair();
    let mut watch = Watch::new();
    watch.add(&mut ours, 7, Interest::WRITABLE);
    assert!(watch.one().writable);
    theirs.shutdown(Shutdown::Write).unwrap();
    await_state(&ours, PollFlags::RDHUP);
    let told = watch.at_once();
    assert!(told.iter().all(|told| !told.read_closed), "{told:?}");
    reset(theirs);
    eventually("a reset is told to everybody", || {
        watch.at_once().iter().any(|told| told.read_closed)
    });
}

#[test]
fn a_peek_at_an_end_sees_what_is_before_it() {
    let (mut ours, mut theirs) = pair();
    theirs.write_all(b"x").unwrap();
    theirs.shutdown(Shutdown::Write).unwrap();
    await_state(&ours, PollFlags::RDHUP);
    for _ in 0..2 {
        assert_eq!(ours.peek(&mut [0; 8]).unwrap(), 1, "data comes first");
    }
    assert_eq!(ours.read(&mut [0; 8]).unwrap(), 1);
    for _ in 0..2 {
        assert_eq!(ours.peek(&mut [0; 8]).unwrap(), 0, "nothing but the end");
    }
    assert_eq!(ours.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn what_came_before_a_reset_can_be_read_then_the_reset_once_then_an_end() {
    let (mut ours, mut theirs) = pair();
    theirs.write_all(b"last words").unwrap();
    await_bytes(&ours, 10);
    reset(theirs);
    await_state(&ours, PollFlags::ERR);
    let mut watch = Watch::new();
    watch.add(&mut ours, 7, READABLE);
    let told = watch.one();
    assert!(told.readable && told.read_closed && told.error, "{told:?}");
    assert_eq!(ours.peek(&mut [0; 64]).unwrap(), 10);
    assert_eq!(ours.read(&mut [0; 4]).unwrap(), 4);
    assert_eq!(ours.read(&mut [0; 64]).unwrap(), 6);
    let read = ours.read(&mut [0; 64]);
    assert_eq!(kind_of(read), Some(ErrorKind::ConnectionReset));
    assert_eq!(ours.read(&mut [0; 64]).unwrap(), 0, "said once");
}

#[test]
fn a_write_after_a_reset_takes_the_error_and_leaves_what_came_before_it() {
    let (mut ours, mut theirs) = pair();
    theirs.write_all(b"last words").unwrap();
    await_bytes(&ours, 10);
    reset(theirs);
    await_state(&ours, PollFlags::ERR);
    let wrote = ours.write(b"answer");
    assert_eq!(kind_of(wrote), Some(ErrorKind::ConnectionReset));
    let wrote = ours.write(b"answer");
    assert_eq!(kind_of(wrote), Some(ErrorKind::BrokenPipe));
    assert_eq!(ours.read(&mut [0; 64]).unwrap(), 10);
    assert_eq!(
        ours.read(&mut [0; 64]).unwrap(),
        0,
        "as if it had been a FIN"
    );
}

fn await_waiting(listener: SocketAddr, count: u32) {
    eventually("they wait to be accepted", || {
        unread(listener, 0) == Some(count)
    });
}

#[test]
fn a_listener_tells_of_several_waiting_connections_once() {
    let (mut listener, address) = listener(true);
    let _clients = [connect(address), connect(address)];
    await_waiting(address, 2);
    let mut watch = Watch::new();
    let registry = watch.poll.registry();
    registry
        .register(&mut listener, mio::Token(1), READABLE)
        .unwrap();
    assert!(watch.one().readable);
    listener.accept().unwrap();
    assert_eq!(watch.at_once(), [], "the second one is ours to remember");
    listener.accept().unwrap();
    assert_eq!(kind_of(listener.accept()), Some(ErrorKind::WouldBlock));
}

#[test]
fn a_connection_reset_before_its_accept_is_accepted_without_a_peer_address() {
    let (listener, address) = listener(true);
    for _ in 0..20 {
        let client = connect(address);
        let client_address = client.local_addr().unwrap();
        await_waiting(address, 1);
        reset(client);
        eventually("the reset has come", || {
            unread(address, client_address.port()).is_none()
        });
        let next = connect(address);
        await_waiting(address, 2);
        match listener.accept() {
            Ok((mut stream, peer)) => {
                assert_eq!(peer, client_address, "accept itself does know it");
                assert_eq!(kind_of(stream.peer_addr()), Some(ErrorKind::NotConnected));
                let mut watch = Watch::new();
                watch.add(&mut stream, 7, READABLE);
                assert!(watch.one().read_closed, "it can be watched, and is told of");
                let read = stream.read(&mut [0; 8]);
                assert_eq!(kind_of(read), Some(ErrorKind::ConnectionReset));
            }
            // What accept(2) documents, and Linux does not do now.
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionAborted),
        }
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(peer, next.local_addr().unwrap(), "the next one is unharmed");
    }
}

#[test]
fn accepted_sockets_have_the_nodelay_of_their_listener() {
    for is_nodelay in [true, false] {
        let (listener, address) = listener(is_nodelay);
        let _client = connect(address);
        await_waiting(address, 1);
        let (stream, _) = listener.accept().unwrap();
        assert_eq!(stream.nodelay().unwrap(), is_nodelay);
    }
}
