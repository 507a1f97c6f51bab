//! Scripts drawn from a seed: anything that either end of a few connections may do next.

use std::panic::{catch_unwind, resume_unwind};

use epollo::reactor::Interest;

use super::link::Link;
use super::script::{Act, Both, Call, Outcome, Step};
use crate::support::Random;

const SCRIPTS: u64 = 300;
const STEPS: usize = 60;
/// Connections that are not closed at both ends.
const LINKS_MAX: usize = 4;
/// Bytes on their way in one direction. No buffer is so small.
const UNREAD_MAX: usize = 4_000;

const INTERESTS: [Interest; 3] = [Interest::Readable, Interest::Writable, Interest::Both];

fn one_of<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[random.below(choices.len())]
}

/// An amount, more often small.
fn amount(random: &mut Random) -> usize {
    let most = one_of(random, &[1, 10, 300]);
    1 + random.below(most)
}

fn is_alive(link: &Link) -> bool {
    !(link.is_closed && link.is_far_closed)
}

fn act(random: &mut Random, link: &Link) -> Option<Act> {
    if link.is_far_closed {
        return None;
    }
    let act = match random.below(24) {
        0..10 => Act::Send(amount(random)),
        10..13 => Act::Finish,
        13 => Act::Reset,
        14 => Act::Close,
        _ => Act::Receive(amount(random)),
    };
    let is_possible = match act {
        // The first one to a connection that we have closed is only answered by a reset.
        Act::Send(_) if link.is_closed && !link.is_broken => false,
        Act::Send(_) => !link.is_far_shut && !link.is_far_told && link.unread < UNREAD_MAX,
        Act::Finish => !link.is_far_shut && !link.is_broken,
        Act::Receive(_) => !link.is_far_told,
        Act::Reset | Act::Close => true,
    };
    is_possible.then_some(act)
}

fn call(random: &mut Random, link: &Link) -> Option<Call> {
    if !link.is_accepted || link.is_closed {
        return None;
    }
    if !link.is_watched && random.below(3) > 0 {
        return Some(Call::Register(one_of(random, &INTERESTS)));
    }
    let call = match random.below(27) {
        0..5 => Call::Reregister(one_of(random, &INTERESTS)),
        5..12 => Call::Read(amount(random)),
        12..15 => Call::Peek(amount(random)),
        15..21 => Call::Write(amount(random)),
        21..23 => Call::Shutdown,
        23 => Call::Delivery,
        24 => Call::TakeError,
        25 => Call::Reset,
        _ => Call::Close,
    };
    let is_possible = match call {
        Call::Reregister(_) => link.is_watched,
        Call::Write(_) => link.untaken < UNREAD_MAX,
        // What a reset has cut is acknowledged or not.
        Call::Delivery => !link.is_broken,
        Call::Register(_) | Call::Read(_) | Call::Peek(_) | Call::Shutdown => true,
        Call::Close | Call::Reset | Call::TakeError => true,
    };
    is_possible.then_some(call)
}

fn step(random: &mut Random, links: &[Link]) -> Step {
    let alive: Vec<_> = (0..links.len())
        .filter(|&at| is_alive(&links[at]))
        .collect();
    let is_waiting = links.iter().any(|link| !link.is_accepted);
    loop {
        let kind = random.below(40);
        let number = one_of(random, if alive.is_empty() { &[0] } else { &alive });
        let step = match kind {
            0..6 => (alive.len() < LINKS_MAX).then_some(Step::Connect),
            6..12 => Some(Step::Wait),
            12 => Some(Step::Accept),
            13..17 => is_waiting.then_some(Step::Accept),
            _ if alive.is_empty() => None,
            17..26 => act(random, &links[number]).map(|act| Step::Far(number, act)),
            _ => call(random, &links[number]).map(|call| Step::Our(number, call)),
        };
        if let Some(step) = step {
            return step;
        }
    }
}

/// How often the real kernel had no place for a connection in TIME_WAIT (`tcp_max_tw_buckets`, ip-sysctl) and
/// forgot it at once: then a late FIN is answered by a reset, which no script can foresee.
fn forgotten() -> u64 {
    let text = std::fs::read_to_string("/proc/net/netstat").unwrap_or_default();
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let mut both = names.split(' ').zip(values.split(' '));
    let value = both.find(|(name, _)| *name == "TCPTimeWaitOverflow");
    value.map_or(0, |(_, value)| value.parse().unwrap())
}

/// Runs the script of a seed: events, errors.
fn run(seed: u64) -> (usize, usize) {
    let (mut told, mut errors) = (0, 0);
    let mut random = Random::new(seed);
    let mut both = Both::new(format!("the script of seed {seed}"));
    for _ in 0..STEPS {
        let step = step(&mut random, &both.links);
        match both.take(step) {
            Outcome::Told(ready, _) => told += ready.len(),
            Outcome::Errno(_) | Outcome::WasReset => errors += 1,
            Outcome::Done
            | Outcome::Count(_)
            | Outcome::Bytes(_)
            | Outcome::Accepted(_)
            | Outcome::Far(_)
            | Outcome::Delivered(..)
            | Outcome::TookError(_) => {}
        }
    }
    (told, errors)
}

#[test]
fn whatever_both_ends_do_both_kernels_answer_alike() {
    let (mut told, mut errors) = (0, 0);
    for seed in 0..SCRIPTS {
        let before = forgotten();
        match catch_unwind(|| run(seed)) {
            Ok((events, failures)) => {
                told += events;
                errors += failures;
            }
            Err(_) if forgotten() > before => {
                eprintln!("left out: seed {seed}, for which the kernel had no TIME_WAIT left");
            }
            Err(panic) => resume_unwind(panic),
        }
    }
    assert!(
        told > 1000 && errors > 100,
        "{told} events, {errors} errors"
    );
}
