//! Full buffers, on both kernels. How much they hold differs by nature; what is told when does not.

use std::time::Duration;

use epollo::reactor::{Interest, Kernel};
use epollo::sim::Received;

use super::machine::{FarEnds, Machine};
use super::real::RealMachine;
use super::script::{Act, Call, Outcome, Step, told};
use super::simulation::SimMachine;
use super::{real, simulation};
use crate::support::{PATIENCE, eventually};

/// More than any buffer takes at once.
const OFFERED_BYTES: usize = 32 << 20;

/// What TCP_NOTSENT_LOWAT is set to, and what then waits in the kernel at most.
const LOWAT_BYTES: usize = 128 << 10;
const QUEUE_BYTES_SMALL: usize = 256 << 10;

/// One thing that happens to the one connection.
#[derive(Clone, Copy, Debug)]
enum Do {
    /// Write once, more than there is room for.
    WriteShort,
    /// Write until nothing is taken any more, and take note of what epoll says meanwhile.
    Fill,
    /// The far end reads one byte.
    Sip,
    /// The far end reads all that was written.
    Drain,
    /// The far end reads until there is an end of any kind.
    DrainToEnd,
    /// Ask how many bytes wait unacknowledged: `small` for up to 256 KiB.
    Weigh,
    /// Wait for an event that must come.
    Await,
    /// Wait for nothing.
    Look,
    Our(Call),
    Far(Act),
}

/// The one connection of a machine.
struct Play<K: Kernel, F> {
    machine: Machine<K, F>,
    written: usize,
    untaken: usize,
}

impl<K: Kernel, F: FarEnds<K>> Play<K, F> {
    fn new(mut machine: Machine<K, F>, interest: Interest) -> Play<K, F> {
        machine.take(Step::Connect, 0);
        machine.wait(PATIENCE);
        assert_eq!(machine.take(Step::Accept, 0), Outcome::Accepted(0));
        machine.take(Step::Our(0, Call::Register(interest)), 0);
        machine.wait(Duration::ZERO);
        Play {
            machine,
            written: 0,
            untaken: 0,
        }
    }

    fn write(&mut self) -> Outcome {
        let outcome = self
            .machine
            .take(Step::Our(0, Call::Write(OFFERED_BYTES)), 0);
        if let Outcome::Count(count) = outcome {
            assert!(0 < count && count < OFFERED_BYTES, "{count}");
            self.written += count;
            self.untaken += count;
        }
        outcome
    }

    /// Reads at the far end, waiting for something to read.
    fn receive(&mut self, count: usize) -> Received {
        let mut received = Received::Nothing;
        eventually("the far end gets something", || {
            let outcome = self.machine.take(Step::Far(0, Act::Receive(count)), 0);
            let Outcome::Far(now) = outcome else {
                panic!("{outcome:?}");
            };
            received = now;
            received != Received::Nothing
        });
        if let Received::Bytes(count) = received {
            self.untaken -= count;
        }
        received
    }

    fn fill(&mut self) {
        loop {
            let mut is_full = true;
            while self.write() != Outcome::Errno(11) {
                is_full = false;
            }
            let remote = &self.machine.remote;
            eventually("it is still", || remote.is_still(0, self.untaken));
            if is_full {
                break;
            }
        }
        self.machine.wait(Duration::ZERO);
    }

    fn weigh(&mut self) -> &'static str {
        let outcome = self.machine.take(Step::Our(0, Call::Delivery), 0);
        let Outcome::Delivered(acknowledged, is_complete) = outcome else {
            panic!("{outcome:?}");
        };
        match self.written - usize::try_from(acknowledged).unwrap() {
            0 => "nothing",
            1..=QUEUE_BYTES_SMALL if !is_complete => "small",
            _ => "large",
        }
    }

    fn does(&mut self, what: Do) -> String {
        match what {
            Do::WriteShort => assert!(matches!(self.write(), Outcome::Count(_))),
            Do::Fill => self.fill(),
            Do::Sip => assert_eq!(self.receive(1), Received::Bytes(1)),
            Do::Drain => {
                while self.untaken > 0 {
                    assert!(matches!(self.receive(1 << 16), Received::Bytes(_)));
                }
            }
            Do::DrainToEnd => loop {
                let received = self.receive(1 << 16);
                if !matches!(received, Received::Bytes(_)) {
                    return format!("{received:?}");
                }
            },
            Do::Weigh => return self.weigh().to_owned(),
            Do::Await => return told(&self.machine.wait(PATIENCE)),
            Do::Look => return told(&self.machine.wait(Duration::ZERO)),
            Do::Our(call) => {
                let outcome = self.machine.take(Step::Our(0, call), 0);
                if let Outcome::Count(count) = outcome {
                    self.written += count;
                    self.untaken += count;
                }
                return format!("{outcome:?}");
            }
            Do::Far(act) => return format!("{:?}", self.machine.take(Step::Far(0, act), 0)),
        }
        String::new()
    }
}

/// Plays this on both machines, of which both must say the same: this.
fn play(interest: Interest, script: &[(Do, &str)]) {
    play_on(simulation::machine(10), real::machine(), interest, script);
}

/// The same, with TCP_NOTSENT_LOWAT.
fn play_with_lowat(interest: Interest, script: &[(Do, &str)]) {
    let simulated = simulation::machine_with_lowat(LOWAT_BYTES);
    let real = real::machine_with_lowat(u32::try_from(LOWAT_BYTES).unwrap());
    play_on(simulated, real, interest, script);
}

fn play_on(simulated: SimMachine, real: RealMachine, interest: Interest, script: &[(Do, &str)]) {
    let mut simulated = Play::new(simulated, interest);
    let mut real = Play::new(real, interest);
    for (at, &(what, expected)) in script.iter().enumerate() {
        let answers = (simulated.does(what), real.does(what));
        let expected = (expected.to_owned(), expected.to_owned());
        assert_eq!(
            answers, expected,
            "simulated, real; {interest:?}, step {at} of {script:?}"
        );
    }
}

const AGAIN: Do = Do::Our(Call::Reregister(Interest::Both));

#[test]
fn who_was_refused_room_is_told_of_it_once_there_is_enough() {
    let script = [
        (Do::Fill, ""),
        (Do::Look, ""),
        (Do::Sip, ""),
        (Do::Look, ""),
        (Do::Drain, ""),
        (Do::Await, "0:w"),
        (Do::Look, ""),
        (Do::WriteShort, ""),
    ];
    play(Interest::Both, &script);
    play(Interest::Writable, &script);
}

#[test]
fn what_the_far_end_reads_is_told_to_nobody_but_who_was_refused_room() {
    let too_little = [
        (Do::Fill, ""),
        (Do::Far(Act::Send(5)), "Count(5)"),
        (Do::Await, "0:r"),
        (Do::Sip, ""),
        (Do::Look, ""),
    ];
    play(Interest::Both, &too_little);
    let enough_before = [
        (Do::Fill, ""),
        (Do::Drain, ""),
        (Do::Await, "0:w"),
        (Do::Our(Call::Write(1000)), "Count(1000)"),
        (Do::Drain, ""),
        (Do::Look, ""),
    ];
    play(Interest::Both, &enough_before);
}

#[test]
fn a_short_write_is_as_good_as_a_refused_one() {
    let script = [(Do::WriteShort, ""), (Do::Drain, ""), (Do::Await, "0:w")];
    play(Interest::Both, &script.repeat(3));
}

#[test]
fn who_asks_after_the_refusal_is_told_of_room() {
    let before_there_is = [
        (Do::Fill, ""),
        (AGAIN, "Done"),
        (Do::Look, ""),
        (Do::Drain, ""),
        (Do::Await, "0:w"),
    ];
    play(Interest::Readable, &before_there_is);
    let when_there_is = [
        (Do::Fill, ""),
        (Do::Drain, ""),
        (Do::Look, ""),
        (AGAIN, "Done"),
        (Do::Await, "0:w"),
    ];
    play(Interest::Readable, &when_there_is);
}

#[test]
fn bytes_and_an_end_are_told_while_there_is_no_room() {
    let both = [
        (Do::Fill, ""),
        (Do::Far(Act::Send(5)), "Count(5)"),
        (Do::Await, "0:r"),
        (Do::Far(Act::Finish), "Done"),
        (Do::Await, "0:r+"),
        (Do::Drain, ""),
        (Do::Await, "0:rw+"),
    ];
    play(Interest::Both, &both);
    let writable = [
        (Do::Fill, ""),
        (Do::Far(Act::Send(5)), "Count(5)"),
        (Do::Look, ""),
        (Do::Drain, ""),
        (Do::Await, "0:w"),
        (AGAIN, "Done"),
        (Do::Look, "0:rw"),
    ];
    play(Interest::Writable, &writable);
}

#[test]
fn who_shuts_or_loses_a_full_connection_is_told_that_a_write_waits_no_more() {
    let shut = [
        (Do::Fill, ""),
        (Do::Our(Call::Shutdown), "Done"),
        (Do::Await, "0:w"),
        (Do::Our(Call::Write(1)), "Errno(32)"),
        (Do::DrainToEnd, "End"),
    ];
    play(Interest::Both, &shut);
    for last in [Act::Reset, Act::Close] {
        let lost = [
            (Do::Fill, ""),
            (Do::Far(last), "Done"),
            (Do::Await, "0:rw+"),
            (Do::Our(Call::Write(1)), "Errno(104)"),
            (Do::Our(Call::Write(1)), "Errno(32)"),
            (Do::Our(Call::Read(1)), "Bytes([])"),
        ];
        play(Interest::Both, &lost);
    }
}

#[test]
fn who_closes_a_full_connection_lets_what_it_wrote_arrive_unless_bytes_are_unread() {
    let whole = [
        (Do::Fill, ""),
        (Do::Our(Call::Close), "Done"),
        (Do::Drain, ""),
        (Do::DrainToEnd, "End"),
    ];
    play(Interest::Both, &whole);
    let cut = [
        (Do::Fill, ""),
        (Do::Far(Act::Send(5)), "Count(5)"),
        (Do::Await, "0:r"),
        (Do::Our(Call::Close), "Done"),
        (Do::DrainToEnd, "Reset"),
    ];
    play(Interest::Both, &cut);
}

#[test]
fn with_a_low_water_mark_little_waits_in_the_kernel_and_a_writer_is_woken_all_the_same() {
    let script = [
        (Do::Fill, ""),
        (Do::Look, ""),
        (Do::Weigh, "small"),
        (Do::Sip, ""),
        (Do::Look, ""),
        (Do::Drain, ""),
        (Do::Await, "0:w"),
        (Do::Look, ""),
        (Do::WriteShort, ""),
    ];
    play_with_lowat(Interest::Both, &script);
    play(Interest::Both, &[(Do::Fill, ""), (Do::Weigh, "large")]);
}

#[test]
fn a_reset_of_ours_leaves_nothing_in_the_kernel_and_an_orphan_delivers_all() {
    let forgotten = [
        (Do::Fill, ""),
        (Do::Our(Call::Reset), "Done"),
        (Do::DrainToEnd, "Reset"),
    ];
    play(Interest::Both, &forgotten);
    let shut_before = [
        (Do::Fill, ""),
        (Do::Our(Call::Shutdown), "Done"),
        (Do::Our(Call::Reset), "Done"),
        (Do::DrainToEnd, "Reset"),
    ];
    play(Interest::Both, &shut_before);
    let orphan = [
        (Do::Fill, ""),
        (Do::Far(Act::Finish), "Done"),
        (Do::Await, "0:r+"),
        (Do::Our(Call::Read(1)), "Bytes([])"),
        (Do::Our(Call::Shutdown), "Done"),
        (Do::Our(Call::Close), "Done"),
        (Do::Drain, ""),
        (Do::DrainToEnd, "End"),
    ];
    play(Interest::Both, &orphan);
}

#[test]
fn a_reset_of_theirs_destroys_what_they_have_not_acknowledged() {
    let reset = [
        (Do::Fill, ""),
        (Do::Far(Act::Send(5)), "Count(5)"),
        (Do::Await, "0:r"),
        (Do::Far(Act::Reset), "Done"),
        (Do::Await, "0:rw+"),
        (Do::Our(Call::TakeError), "TookError(Some(104))"),
        (Do::Our(Call::TakeError), "TookError(None)"),
        (Do::Our(Call::Write(1)), "Errno(32)"),
        (Do::Our(Call::Close), "Done"),
    ];
    play(Interest::Both, &reset);
}
