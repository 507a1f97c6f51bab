//! A run that ends, and who comes while it does or after it.

use std::net::{TcpListener, TcpStream};

use epollo::protocol::{CloseReason, Context, Event, Peer, Service};
use epollo::reactor::{
    ConnectOptions, Limits, ListenOptions, OsKernel, OsStream, Policy, Reactor, bind,
};

use super::contract::{Puppet, listen, real, run, turn_until};

#[test]
fn who_comes_while_the_run_stops_is_told_so_and_nobody_is_listened_for() {
    let limits = Limits {
        grace: None,
        ..Limits::default()
    };
    let mut reactor = real(Puppet::new(|_, _| {}), limits);
    let address = listen(&mut reactor, Policy::default());
    let _client = TcpStream::connect(address).unwrap();
    turn_until(&mut reactor, "accepted open Some(127.0.0.1)");
    reactor.handle().unwrap().stop().unwrap();
    turn_until(&mut reactor, "accepted Stopping");

    let remote = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = remote.local_addr().unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nonblocking(true).unwrap();
    let stream = OsStream::Tcp(mio::net::TcpStream::from_std(stream));
    let name = format_args!("late");
    reactor
        .attach(stream, "attached", Policy::default(), name)
        .unwrap();
    reactor
        .connect(address, "dialled", ConnectOptions::default())
        .unwrap();
    let listener = bind("127.0.0.1:0".parse().unwrap(), ListenOptions::default()).unwrap();
    let refused = listener.local_addr().unwrap();
    reactor
        .listen(listener, "late", Policy::default())
        .expect_err("nobody is let in any more");
    TcpStream::connect(refused).expect_err("it is closed");

    let reactor = run(reactor);
    for line in ["attached Stopping", "dialled Stopping"] {
        assert!(reactor.service().has(line), "{:?}", reactor.service().lines);
    }
}

#[test]
fn a_stopped_reactor_stays_stopped() {
    let limits = Limits {
        grace: None,
        ..Limits::default()
    };
    let mut reactor = real(Puppet::new(|_, _| {}), limits);
    let address = listen(&mut reactor, Policy::default());
    reactor.handle().unwrap().stop().unwrap();
    let mut reactor = run(reactor);
    TcpStream::connect(address).expect_err("it is closed");
    let listener = bind("127.0.0.1:0".parse().unwrap(), ListenOptions::default()).unwrap();
    reactor
        .listen(listener, "late", Policy::default())
        .expect_err("nobody is let in any more");
    let remote = TcpListener::bind("127.0.0.1:0").unwrap();
    reactor
        .connect(
            remote.local_addr().unwrap(),
            "dialled",
            ConnectOptions::default(),
        )
        .unwrap();
    let reactor = run(reactor);
    assert!(reactor.service().has("dialled Stopping"));
}

#[test]
fn a_stop_that_the_last_peer_asks_for_as_it_goes_closes_the_listeners_too() {
    struct Last;
    impl Service for Last {
        type Session = ();
        type Origin = ();
        fn open(&mut self, cx: &mut Context<'_>, (): (), _: &Peer<'_>) {
            // It goes in the last phase of the turn.
            cx.close();
        }
        fn step(&mut self, _: &mut Context<'_>, (): &mut (), _: Event<'_>) {}
        fn close(&mut self, cx: &mut Context<'_>, (): (), _: CloseReason) {
            cx.stop();
        }
    }
    let mut reactor = Reactor::new(OsKernel::new().unwrap(), Last, Limits::default());
    let listener = bind("127.0.0.1:0".parse().unwrap(), ListenOptions::default()).unwrap();
    let address = listener.local_addr().unwrap();
    let none = Policy {
        linger: None,
        ..Policy::default()
    };
    reactor.listen(listener, (), none).unwrap();
    let _client = TcpStream::connect(address).unwrap();
    reactor.run().unwrap();
    TcpStream::connect(address).expect_err("it is closed");
}
