//! No descriptor left, on both kernels. The real one needs a process of its own for that: this test,
//! once more.

use std::process::Command;

use epollo::reactor::Kernel;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::machine::{FarEnds, Machine};
use super::script::{Outcome, Step};
use super::{real, simulation};
use crate::support::PATIENCE;

const IS_CHILD: &str = "EPOLLO_TEST_MAY_RUN_OUT_OF_DESCRIPTORS";
const NAME: &str =
    "simulated::scarcity::who_has_no_descriptor_left_is_told_so_before_the_queue_is_looked_at";

const WOULD_BLOCK: Outcome = Outcome::Errno(11);
const TOO_MANY: Outcome = Outcome::Errno(24);

/// With nobody waiting and with somebody, each with no descriptor left and with one.
fn outcomes<K: Kernel, F: FarEnds<K>>(
    machine: &mut Machine<K, F>,
    mut exhaust: impl FnMut(&mut Machine<K, F>),
    mut relax: impl FnMut(&mut Machine<K, F>),
) -> [Outcome; 5] {
    exhaust(machine);
    let nobody = machine.take(Step::Accept, 0);
    relax(machine);
    let nobody_now = machine.take(Step::Accept, 0);
    machine.take(Step::Connect, 0);
    machine.wait(PATIENCE);
    exhaust(machine);
    let somebody = machine.take(Step::Accept, 0);
    let again = machine.take(Step::Accept, 0);
    relax(machine);
    let somebody_now = machine.take(Step::Accept, 0);
    [nobody, nobody_now, somebody, again, somebody_now]
}

fn limit_descriptors(count: Option<u64>) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = count.or(maximum);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

fn real_outcomes() -> [Outcome; 5] {
    // No other thread of this process takes or gives back a descriptor.
    let exhaust = |_: &mut real::RealMachine| {
        let next = std::fs::File::open("/dev/null").unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&next);
        drop(next);
        limit_descriptors(Some(u64::try_from(number).unwrap()));
    };
    outcomes(&mut real::machine(), exhaust, |_| limit_descriptors(None))
}

fn simulated_outcomes() -> [Outcome; 5] {
    let mut held = Vec::new();
    let (mut machine, held) = (simulation::machine(2), std::cell::RefCell::new(&mut held));
    outcomes(
        &mut machine,
        |machine| held.borrow_mut().push(machine.kernel.terminal(0, (1, 1))),
        |machine| {
            let terminal = held.borrow_mut().pop().unwrap();
            machine.kernel.close(terminal);
        },
    )
}

#[test]
fn who_has_no_descriptor_left_is_told_so_before_the_queue_is_looked_at() {
    if std::env::var_os(IS_CHILD).is_none() {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let child = child.args(["--exact", NAME]).env(IS_CHILD, "1");
        let output = child.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("1 passed"), "{text}");
        return;
    }
    let expected = [
        TOO_MANY,
        WOULD_BLOCK,
        TOO_MANY,
        TOO_MANY,
        Outcome::Accepted(0),
    ];
    assert_eq!(simulated_outcomes(), expected);
    assert_eq!(real_outcomes(), expected);
}
