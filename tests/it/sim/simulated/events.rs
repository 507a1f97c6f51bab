//! Of what epoll tells and in which order, on both kernels: backlogs, batches, interests, and what
//! was gone before anybody asked.

use epollo::reactor::{Interest, Kernel};
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

use super::machine::token;
use super::script::{Act, Both, Call, Outcome, Step};
use super::simulation;
use crate::kernel::facts::{Watch, await_bytes, pair};
use crate::support::Random;

#[test]
fn a_backlog_is_told_of_once_for_all_who_came_and_accepted_in_order() {
    let mut both = Both::new("a backlog");
    for _ in 0..5 {
        both.take(Step::Connect);
    }
    assert_eq!(both.wait(), "listener:r");
    assert_eq!(both.take(Step::Accept), Outcome::Accepted(0));
    assert_eq!(both.wait(), "", "others wait, and that is known");
    both.take(Step::Connect);
    assert_eq!(both.wait(), "listener:r", "another one is told of");
    for number in 1..6 {
        assert_eq!(both.take(Step::Accept), Outcome::Accepted(number));
    }
    both.take(Step::Connect);
    both.take(Step::Accept);
    assert_eq!(both.wait(), "", "it came, and was accepted unasked");
}

#[test]
fn one_more_than_the_backlog_may_wait_and_the_next_is_left_without_an_answer() {
    let mut both = Both::new("a full backlog");
    for _ in 0..=simulation::BACKLOG {
        both.take(Step::Connect);
    }
    let address = ([127, 0, 0, 1], 1).into();
    let net = &mut both.simulated.kernel.net;
    assert_eq!(net.connect(0, 0, address, (1, 1)), Ok(None));
    let client = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
    let error = client
        .connect(&both.real.remote.listener.into())
        .unwrap_err();
    assert_eq!(Errno::from_io_error(&error), Some(Errno::INPROGRESS));
    assert!(client.peer_addr().is_err(), "unlike all before it");
    for number in 0..=simulation::BACKLOG {
        assert_eq!(both.take(Step::Accept), Outcome::Accepted(number));
    }
    assert_eq!(both.take(Step::Accept), Outcome::Errno(11));
}

#[test]
fn a_batch_is_in_the_order_in_which_each_became_ready_first() {
    let mut both = Both::new("the order of a batch");
    for _ in 0..4 {
        both.open(Interest::Readable);
    }
    both.remote(2, Act::Send(1));
    both.remote(0, Act::Send(1));
    both.take(Step::Connect);
    both.remote(3, Act::Reset);
    both.remote(2, Act::Finish);
    both.our(1, Call::Reregister(Interest::Writable));
    both.our(0, Call::Reregister(Interest::Both));
    assert_eq!(both.wait(), "2:r+ 0:rw listener:r 3:r+ 1:w");
    assert_eq!(both.wait(), "");
}

#[test]
fn the_place_of_one_that_closed_in_the_batch_is_not_the_next_ones() {
    let mut both = Both::new("a number used again");
    both.open(Interest::Both);
    both.open(Interest::Both);
    both.remote(0, Act::Send(1));
    both.remote(1, Act::Send(1));
    both.our(0, Call::Read(1));
    both.remote(0, Act::Close);
    both.our(0, Call::Close);
    both.take(Step::Connect);
    both.take(Step::Accept);
    both.our(2, Call::Register(Interest::Both));
    assert_eq!(both.wait(), "1:rw 2:w");
}

#[test]
fn new_bytes_are_told_though_old_ones_wait_and_nothing_else_is_told_twice() {
    let mut both = Both::new("edges");
    both.open(Interest::Readable);
    both.remote(0, Act::Send(10));
    assert_eq!(both.wait(), "0:r");
    assert_eq!(both.wait(), "");
    both.our(0, Call::Read(4));
    assert_eq!(both.wait(), "");
    both.remote(0, Act::Send(1));
    assert_eq!(both.wait(), "0:r");
    for interest in [Interest::Readable, Interest::Both, Interest::Writable] {
        both.our(0, Call::Reregister(interest));
        assert_ne!(both.wait(), "");
        assert_eq!(both.wait(), "");
    }
}

#[test]
fn what_has_gone_before_the_wait_is_not_told() {
    let mut both = Both::new("readiness that vanished");
    both.open(Interest::Readable);
    both.open(Interest::Readable);
    both.remote(0, Act::Send(10));
    both.remote(1, Act::Send(10));
    both.our(0, Call::Read(10));
    both.our(1, Call::Reregister(Interest::Writable));
    both.our(1, Call::Reregister(Interest::Readable));
    both.our(1, Call::Read(9));
    assert_eq!(both.wait(), "1:r");
    both.remote(0, Act::Send(10));
    both.remote(1, Act::Finish);
    both.our(0, Call::Close);
    both.our(1, Call::Close);
    assert_eq!(both.wait(), "");
}

#[test]
fn who_waits_to_write_is_woken_by_an_end_and_not_by_bytes() {
    let mut both = Both::new("interest in room alone");
    both.open(Interest::Writable);
    both.remote(0, Act::Send(10));
    assert_eq!(both.wait(), "");
    both.remote(0, Act::Finish);
    assert_eq!(both.wait(), "0:w", "told of what it did not ask for");
    both.our(0, Call::Reregister(Interest::Readable));
    assert_eq!(both.wait(), "0:r+");
    both.remote(0, Act::Reset);
    both.our(0, Call::Reregister(Interest::Writable));
    assert_eq!(both.wait(), "0:w+");
}

/// Real events are here those of mio, since the real kernel has one size of batch.
#[test]
fn a_batch_too_small_for_all_goes_on_where_it_stopped() {
    const COUNT: usize = 7;
    for batch in 1..=COUNT + 1 {
        let mut random = Random::new(batch as u64);
        let mut watch = Watch::with_capacity(batch);
        let mut kernel = simulation::kernel(100, batch);
        let mut listener = kernel.listener(COUNT);
        let mut real = Vec::new();
        let mut simulated = Vec::new();
        for number in 0..COUNT {
            let (mut ours, theirs) = pair();
            watch.add(&mut ours, number, mio::Interest::READABLE);
            real.push((ours, theirs, 0));
            let address = ([127, 0, 0, 1], 1).into();
            let connected = kernel.net.connect(listener, 0, address, (1 << 16, 1 << 16));
            let (mut id, _) = kernel.accept(&mut listener).unwrap();
            assert_eq!(connected, Ok(Some(id)));
            let token = token(number);
            kernel.register(&mut id, token, Interest::Readable).unwrap();
            simulated.push(id);
        }
        for _ in 0..20 {
            for _ in 0..random.below(4) {
                let number = random.below(COUNT);
                let (ours, theirs, unread) = &mut real[number];
                std::io::Write::write_all(theirs, b"x").unwrap();
                *unread += 1;
                await_bytes(ours, *unread);
                kernel.net.send(simulated[number], b"x").unwrap();
            }
            let told = watch.at_once();
            let real: Vec<_> = told.iter().map(|told| token(told.token.0)).collect();
            let mut told = Vec::new();
            kernel
                .wait(Some(std::time::Duration::ZERO), &mut told)
                .unwrap();
            let simulated: Vec<_> = told.iter().map(|told| told.token).collect();
            assert_eq!(simulated, real, "with batches of {batch}");
        }
    }
}
