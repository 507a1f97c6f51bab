//! No descriptor left, on both kernels. The real one needs a process of its own for that: this test,
//! once more.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;

use epollo::reactor::Kernel;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::machine::{FarEnds, Machine};
use super::script::{Outcome, Step};
use super::{real, simulation};
use crate::support::PATIENCE;

const IS_CHILD: &str = "EPOLLO_TEST_MAY_RUN_OUT_OF_DESCRIPTORS";
const NAME: &str =
    "sim::simulated::scarcity::who_has_no_descriptor_left_is_told_so_before_the_queue_is_looked_at";

const WOULD_BLOCK: Outcome = Outcome::Errno(11);
const TOO_MANY: Outcome = Outcome::Errno(24);

/// With nobody waiting and with somebody, each with no descriptor left and with one.
fn outcomes<K: Kernel, F: FarEnds<K>>(
    machine: &mut Machine<K, F>,
    mut set_exhausted: impl FnMut(&mut Machine<K, F>, bool),
) -> [Outcome; 5] {
    set_exhausted(machine, true);
    let nobody = machine.take(Step::Accept, 0);
    set_exhausted(machine, false);
    let nobody_now = machine.take(Step::Accept, 0);
    machine.take(Step::Connect, 0);
    machine.wait(PATIENCE);
    set_exhausted(machine, true);
    let somebody = machine.take(Step::Accept, 0);
    let again = machine.take(Step::Accept, 0);
    set_exhausted(machine, false);
    let somebody_now = machine.take(Step::Accept, 0);
    [nobody, nobody_now, somebody, again, somebody_now]
}

fn limit_descriptors(count: Option<u64>) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = count.or(maximum);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

fn real_outcomes() -> [Outcome; 5] {
    outcomes(&mut real::machine(), |_, is_exhausted| {
        if is_exhausted {
            // No other thread of this process takes or gives back a descriptor.
            let next = File::open("/dev/null").unwrap().as_raw_fd();
            limit_descriptors(Some(u64::try_from(next).unwrap()));
        } else {
            limit_descriptors(None);
        }
    })
}

fn simulated_outcomes() -> [Outcome; 5] {
    let mut last = None;
    outcomes(&mut simulation::machine(2), |machine, is_exhausted| {
        if is_exhausted {
            last = Some(machine.kernel.terminal(0, (1, 1)));
        } else {
            machine.kernel.close(last.take().unwrap());
        }
    })
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
