//! Who comes: fast and slow, dribbling and flooding, silent ones, those that never read, reset or
//! half-close, each drawn from the world's generator.

use std::net::SocketAddr;
use std::time::Duration;

use super::behaviour::{Behaviour, Ending};
use super::client::{Client, Role, Stage};
use super::ledger::Ledger;
use super::plan::Plan;
use super::queue::Route;
use super::random::Random;
use super::talker::Talker;
use crate::protocol::Time;

/// What a client sends that nobody asked to, and what its way to the server then holds.
const FLOOD_BYTES: u64 = 400_000;
const FLOOD_BUFFER_BYTES: usize = 300_000;

/// Echo clients that send more than this come only where buffers grow.
const LARGE_BYTES: u64 = 250_000;
const LARGEST_BYTES: u64 = 3_000_000;

/// The client with this number.
pub(super) fn draw(plan: &Plan, rng: &mut Random, serial: usize, address: SocketAddr) -> Client {
    let mut own = Random::new(rng.number());
    let role = role(plan, &mut own);
    let behaviour = behaviour(plan, &mut own, &role);
    let route = route(plan, &mut own, &role);
    Client {
        serial,
        role,
        behaviour,
        route,
        rng: own,
        address,
        id: None,
        stage: Stage::Coming,
        due: None,
        came: Time::ZERO,
        has_left: false,
        sent: 0,
        received: 0,
        outgoing: Vec::new(),
        ledger: Ledger::new(),
    }
}

fn role(plan: &Plan, rng: &mut Random) -> Role {
    if plan.buffer_bytes_max > 0 && rng.happens(1, 50) {
        return Role::Echo {
            total: rng.between(LARGE_BYTES, LARGEST_BYTES),
            quits: false,
        };
    }
    match rng.below(10) {
        0..2 => Role::Hello {
            noise: match rng.below(32) {
                0 => FLOOD_BYTES,
                _ => rng.one_of(&[0, 0, 1, 3_000]),
            },
        },
        2..6 => Role::Echo {
            total: match rng.below(16) {
                0 => 0,
                1..12 => rng.between(1, 2_000),
                12..15 => rng.between(1, 20_000),
                _ => rng.between(1, 200_000),
            },
            quits: plan.echo_quit.is_some() && rng.happens(1, 2),
        },
        _ => Role::Chat(Box::new(Talker::draw(plan, rng))),
    }
}

/// Who never comes to the end of its first message, and is never idle.
fn dribbling(plan: &Plan) -> Behaviour {
    Behaviour {
        piece_max: 1,
        pause_max: plan.policy.idle_timeout.unwrap_or_default() / 4,
        read_max: 10_000,
        reads_after: Duration::ZERO,
        ending: Ending::HalfClose,
        lingers: false,
        trickles: false,
    }
}

/// Who sends much, and then does with the answer what our kernel must not be left alone with: reads it a
/// little at a time, never reads it, or is gone.
fn large(plan: &Plan, rng: &mut Random) -> Behaviour {
    let keeps_up = Behaviour {
        piece_max: 65_536,
        pause_max: Duration::from_micros(rng.one_of(&[30, 1_000])),
        read_max: 65_536,
        reads_after: Duration::ZERO,
        ending: rng.one_of(&[Ending::Close, Ending::HalfClose]),
        lingers: false,
        trickles: rng.happens(1, 2),
    };
    match rng.below(8) {
        0..4 => Behaviour {
            piece_max: 4_096,
            pause_max: Duration::from_millis(40),
            read_max: rng.one_of(&[400, 4_000]),
            ..keeps_up
        },
        4 | 5 if plan.has_silent_clients => Behaviour {
            reads_after: Duration::MAX,
            ending: rng.one_of(&[Ending::HalfClose, Ending::Stay]),
            ..keeps_up
        },
        6 if plan.has_silent_clients => Behaviour {
            ending: Ending::VanishAt(rng.between(0, LARGE_BYTES)),
            ..keeps_up
        },
        _ => keeps_up,
    }
}

fn behaviour(plan: &Plan, rng: &mut Random, role: &Role) -> Behaviour {
    if matches!(role, Role::Chat(talker) if talker.dribbles()) {
        return dribbling(plan);
    }
    if matches!(role, Role::Echo { total, .. } if *total >= LARGE_BYTES) {
        return large(plan, rng);
    }
    // What silence would cut comes in pieces with less of it between them.
    let is_cut_by_silence = matches!(role, Role::Chat(_) | Role::Echo { quits: true, .. });
    let slowest = if is_cut_by_silence { 5 } else { 400 };
    let pause_max = Duration::from_micros(rng.one_of(&[1, 30, 1_000, slowest * 1_000]));
    let piece_max = match role {
        Role::Echo { total, .. } if *total > 5_000 => 4_096,
        Role::Chat(_) => rng.one_of(&[16, 4_096]),
        Role::Echo { .. } | Role::Hello { .. } => rng.one_of(&[1, 100, 4_096]),
    };
    let piece_max = if pause_max > Duration::from_millis(10) {
        piece_max.max(100)
    } else {
        piece_max
    };
    Behaviour {
        piece_max,
        pause_max,
        read_max: if pause_max > Duration::from_millis(10) {
            20_000
        } else {
            rng.one_of(&[50, 10_000, 10_000]).max(piece_max / 8)
        },
        reads_after: reads_after(plan, rng),
        ending: ending(plan, rng, role),
        lingers: rng.happens(1, 16),
        trickles: false,
    }
}

/// One read must not be all that there is.
fn route(plan: &Plan, rng: &mut Random, role: &Role) -> Route {
    let inbound = match role {
        Role::Hello { noise: FLOOD_BYTES } => FLOOD_BUFFER_BYTES,
        Role::Echo { total, .. } if *total > 20_000 => rng.one_of(&[4_000, FLOOD_BUFFER_BYTES]),
        Role::Hello { .. } | Role::Echo { .. } | Role::Chat(_) => 4_000,
    };
    let (smallest, outbound) = match plan.buffer_bytes_max {
        0 => (64, 4_000),
        _ => (4_096, 60_000),
    };
    let most = plan.buffer_bytes_max;
    let mut outbound_bytes = || match rng.happens(1, 3) {
        true if most > 0 => most,
        true | false => smallest + rng.below(outbound),
    };
    let (send, remote) = (outbound_bytes(), outbound_bytes());
    let latest = rng.one_of(&[Duration::ZERO, plan.delay_max]);
    Route {
        receive: smallest + rng.below(inbound),
        send,
        remote,
        max: most,
        delay: rng.duration(latest),
    }
}

fn reads_after(plan: &Plan, rng: &mut Random) -> Duration {
    match rng.below(16) {
        0 if plan.has_silent_clients => Duration::MAX,
        1 => Duration::from_millis(rng.between(1, 3_000)),
        _ => Duration::ZERO,
    }
}

fn ending(plan: &Plan, rng: &mut Random, role: &Role) -> Ending {
    let all = match role {
        Role::Echo { total, .. } => *total,
        Role::Hello { noise } => *noise,
        Role::Chat(_) => 1_500,
    };
    match rng.below(16) {
        0 => Ending::ResetAt(0),
        1 => Ending::ResetAt(rng.between(0, all)),
        2 => Ending::CloseAt(rng.between(0, all)),
        3 if plan.has_silent_clients => {
            let sent = rng.between(0, all);
            rng.one_of(&[Ending::Stay, Ending::VanishAt(sent)])
        }
        4 if matches!(role, Role::Chat(_)) => Ending::ResetAt(u64::MAX),
        4..10 => Ending::Close,
        _ => Ending::HalfClose,
    }
}
