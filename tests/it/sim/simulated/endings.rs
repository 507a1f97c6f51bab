//! How a connection ends, on both kernels: the FIN, the reset, who closes first and what was unread.

use epollo::reactor::Interest;
use epollo::sim::Received;

use super::script::{Act, Both, Call, Outcome, Step};

const WOULD_BLOCK: Outcome = Outcome::Errno(11);
const BROKEN_PIPE: Outcome = Outcome::Errno(32);
const RESET: Outcome = Outcome::Errno(104);
const NOT_CONNECTED: Outcome = Outcome::Errno(107);

/// What a read gives at an end.
fn end() -> Outcome {
    Outcome::Bytes(Vec::new())
}

#[test]
fn a_connection_reset_before_its_accept_is_accepted_and_then_told_of() {
    let mut both = Both::new("a reset before the accept");
    for _ in 0..3 {
        both.take(Step::Connect);
    }
    both.remote(0, Act::Reset);
    both.remote(1, Act::Send(10));
    both.remote(1, Act::Reset);
    assert_eq!(both.wait(), "listener:r");
    for number in 0..3 {
        assert_eq!(both.take(Step::Accept), Outcome::Accepted(number));
        both.our(number, Call::Register(Interest::Both));
    }
    assert_eq!(both.take(Step::Accept), WOULD_BLOCK);
    assert_eq!(both.wait(), "0:rw+ 1:rw+ 2:w");
    assert_eq!(both.our(0, Call::Read(10)), RESET);
    assert_eq!(both.our(0, Call::Read(10)), end());
    assert_eq!(both.our(0, Call::Write(10)), BROKEN_PIPE);
    both.our(1, Call::Read(10));
    assert_eq!(both.our(1, Call::Write(10)), RESET);
    assert_eq!(both.our(1, Call::Read(10)), end());
}

#[test]
fn what_came_before_a_reset_can_be_read_then_the_reset_once() {
    for interest in [Interest::Readable, Interest::Writable, Interest::Both] {
        let mut both = Both::new("data, then a reset");
        both.open(interest);
        both.remote(0, Act::Send(20));
        both.remote(0, Act::Reset);
        assert!(both.wait().ends_with('+'));
        assert_eq!(both.wait(), "");
        both.our(0, Call::Reregister(interest));
        assert!(both.wait().ends_with('+'));
        both.our(0, Call::Peek(64));
        both.our(0, Call::Read(5));
        both.our(0, Call::Read(64));
        assert_eq!(both.our(0, Call::Peek(64)), RESET);
        assert_eq!(both.our(0, Call::Peek(64)), end());
        assert_eq!(both.our(0, Call::Read(64)), end());
        assert_eq!(both.our(0, Call::Shutdown), NOT_CONNECTED);
        assert!(both.wait().ends_with('+'), "woken all the same");
        both.our(0, Call::Close);
    }
}

#[test]
fn a_reset_behind_a_fin_is_told_by_writes_only() {
    let mut both = Both::new("a FIN, then a reset");
    both.open(Interest::Both);
    both.remote(0, Act::Send(20));
    both.remote(0, Act::Finish);
    assert_eq!(both.wait(), "0:rw+");
    both.remote(0, Act::Reset);
    assert_eq!(both.wait(), "0:rw+");
    both.our(0, Call::Read(20));
    assert_eq!(both.our(0, Call::Read(20)), end());
    assert_eq!(both.our(0, Call::Write(1)), BROKEN_PIPE);
    assert_eq!(both.our(0, Call::Write(1)), BROKEN_PIPE);
    assert_eq!(both.our(0, Call::Read(20)), end());
}

#[test]
fn who_writes_to_a_peer_that_has_closed_is_told_at_the_next_write() {
    for has_read in [true, false] {
        let mut both = Both::new(format!(
            "a write to who has closed, having read: {has_read}"
        ));
        both.open(Interest::Both);
        both.our(0, Call::Write(8));
        both.remote(0, Act::Send(3));
        if has_read {
            both.remote(0, Act::Receive(8));
        }
        both.remote(0, Act::Close);
        assert_eq!(both.wait(), "0:rw+");
        let expected = if has_read { Outcome::Count(5) } else { RESET };
        assert_eq!(both.our(0, Call::Write(5)), expected);
        both.wait();
        assert_eq!(both.our(0, Call::Write(5)), BROKEN_PIPE);
        both.our(0, Call::Read(8));
        assert_eq!(both.our(0, Call::Read(8)), end());
        assert_eq!(both.our(0, Call::Shutdown), NOT_CONNECTED);
        both.our(0, Call::Close);
    }
}

#[test]
fn our_close_is_a_reset_if_something_was_unread() {
    let unread_and_shut = [(0, false), (0, true), (4, false), (4, true)];
    for (unread, is_shut) in unread_and_shut {
        let mut both = Both::new(format!("our close, {unread} unread, shut: {is_shut}"));
        both.open(Interest::Both);
        both.our(0, Call::Write(8));
        both.remote(0, Act::Send(unread + 1));
        both.our(0, Call::Read(1));
        if is_shut {
            both.our(0, Call::Shutdown);
        }
        both.our(0, Call::Close);
        let answers = [5, 5, 5].map(|count| both.remote(0, Act::Receive(count)));
        // Who has got a FIN reads no reset.
        let last = match (unread, is_shut) {
            (0, _) | (_, true) => Received::End,
            (_, false) => Received::Reset,
        };
        let expected = [Received::Bytes(5), Received::Bytes(3), last].map(Outcome::Far);
        assert_eq!(answers, expected);
        assert_eq!(both.wait(), "");
        both.remote(0, Act::Close);
    }
}

#[test]
fn once_both_have_ended_it_nothing_breaks_it() {
    for last in [Act::Reset, Act::Close] {
        for is_far_first in [true, false] {
            let mut both = Both::new(format!("both ends, far first: {is_far_first}, {last:?}"));
            both.open(Interest::Both);
            both.remote(0, Act::Send(4));
            both.our(0, Call::Write(4));
            if is_far_first {
                both.remote(0, Act::Finish);
                assert_eq!(both.wait(), "0:rw+");
                both.our(0, Call::Shutdown);
            } else {
                both.our(0, Call::Shutdown);
                assert_eq!(both.wait(), "0:rw");
                both.remote(0, Act::Finish);
            }
            assert_eq!(both.wait(), "0:rw+");
            both.remote(0, last);
            assert_eq!(both.wait(), "", "it is over already");
            both.our(0, Call::Read(4));
            assert_eq!(both.our(0, Call::Read(4)), end());
            assert_eq!(both.our(0, Call::Write(4)), BROKEN_PIPE);
            assert_eq!(both.our(0, Call::Shutdown), NOT_CONNECTED);
            assert_eq!(both.wait(), "0:rw+");
            both.our(0, Call::Close);
        }
    }
}

#[test]
fn unread_bytes_make_no_reset_once_both_have_ended() {
    let mut both = Both::new("our close with unread bytes behind both ends");
    both.open(Interest::Both);
    both.remote(0, Act::Send(4));
    both.our(0, Call::Write(4));
    both.our(0, Call::Shutdown);
    both.remote(0, Act::Finish);
    both.our(0, Call::Close);
    assert_eq!(
        both.remote(0, Act::Receive(9)),
        Outcome::Far(Received::Bytes(4))
    );
    assert_eq!(both.remote(0, Act::Receive(9)), Outcome::Far(Received::End));
}

#[test]
fn shutdown_and_then_their_end_hangs_up_for_every_interest() {
    let expected = [
        (Interest::Readable, "0:r+"),
        (Interest::Writable, "0:w+"),
        (Interest::Both, "0:rw+"),
    ];
    for (interest, events) in expected {
        let mut both = Both::new(format!("a hang-up for {interest:?}"));
        both.open(interest);
        both.our(0, Call::Shutdown);
        assert!(!both.wait().contains('+'));
        assert_eq!(both.our(0, Call::Write(1)), BROKEN_PIPE);
        assert_eq!(both.our(0, Call::Shutdown), Outcome::Done, "again");
        assert!(!both.wait().contains('+'));
        both.remote(0, Act::Finish);
        assert_eq!(both.wait(), events);
        assert_eq!(both.our(0, Call::Read(1)), end());
    }
}

#[test]
fn a_listener_that_closes_resets_who_waits_and_refuses_who_comes() {
    let mut both = Both::new("the listener closes");
    for _ in 0..3 {
        both.take(Step::Connect);
    }
    both.take(Step::Accept);
    both.remote(1, Act::Finish);
    both.take(Step::CloseListener);
    assert_eq!(
        both.remote(0, Act::Receive(1)),
        Outcome::Far(Received::Nothing)
    );
    for number in [1, 2] {
        let received = both.remote(number, Act::Receive(1));
        assert_eq!(received, Outcome::Far(Received::Reset));
    }
    assert_eq!(both.take(Step::Connect), Outcome::WasReset);
    assert_eq!(both.wait(), "");
}

#[test]
fn what_is_acknowledged_is_told_and_our_end_counts_as_a_byte() {
    let mut both = Both::new("delivery");
    both.open(Interest::Both);
    assert_eq!(both.our(0, Call::Delivery), Outcome::Delivered(0, true));
    both.our(0, Call::Write(300));
    assert_eq!(both.our(0, Call::Delivery), Outcome::Delivered(300, true));
    both.remote(0, Act::Receive(100));
    both.our(0, Call::Write(7));
    assert_eq!(both.our(0, Call::Delivery), Outcome::Delivered(307, true));
    both.our(0, Call::Shutdown);
    assert_eq!(both.our(0, Call::Delivery), Outcome::Delivered(308, true));
    both.remote(0, Act::Finish);
    assert_eq!(both.our(0, Call::Delivery), Outcome::Delivered(308, true));
    both.our(0, Call::Close);
}

#[test]
fn an_error_is_told_once_by_whatever_asks_for_it_and_bytes_stay_to_be_read() {
    for (has_ended, expected) in [(false, 104), (true, 32)] {
        let mut both = Both::new(format!("SO_ERROR, their end before: {has_ended}"));
        both.open(Interest::Both);
        assert_eq!(both.our(0, Call::TakeError), Outcome::TookError(None));
        both.remote(0, Act::Send(5));
        if has_ended {
            both.remote(0, Act::Finish);
        }
        assert_eq!(both.our(0, Call::TakeError), Outcome::TookError(None));
        both.remote(0, Act::Reset);
        let error = both.our(0, Call::TakeError);
        assert_eq!(error, Outcome::TookError(Some(expected)));
        assert_eq!(both.our(0, Call::TakeError), Outcome::TookError(None));
        both.our(0, Call::Read(9));
        assert_eq!(both.our(0, Call::Read(9)), end());
        both.our(0, Call::Close);
    }
}

#[test]
fn our_reset_is_told_to_who_reads_on_unless_it_has_got_our_end() {
    for (is_shut, last) in [(false, Received::Reset), (true, Received::End)] {
        let mut both = Both::new(format!("our reset, shut: {is_shut}"));
        both.open(Interest::Both);
        both.our(0, Call::Write(8));
        if is_shut {
            both.our(0, Call::Shutdown);
        }
        both.our(0, Call::Reset);
        let answers = [
            both.remote(0, Act::Receive(9)),
            both.remote(0, Act::Receive(9)),
        ];
        assert_eq!(answers, [Received::Bytes(8), last].map(Outcome::Far));
    }
}
