//! What a seed means: how the server is set up, how its kernel behaves, and who comes. Everything
//! random about a run that is not a client's own is drawn here, once.

use std::time::Duration;

use super::kernel::FaultProfile;
use super::random::Random;
use crate::protocol::chat::Partner;
use crate::protocol::framing::Framing;
use crate::reactor::{EVENTS_PER_TURN_MAX, Limits, Policy};

/// One simulated run, all of it from its seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The number that it all comes from.
    pub seed: u64,
    /// How many clients come, one after another or at once.
    pub clients: usize,
    /// The longest pause between two of them.
    pub arrival_gap_max: Duration,
    /// Limits of the reactor.
    pub limits: Limits,
    /// Limits of its clients.
    pub policy: Policy,
    /// How the kernel behaves.
    pub fault_profile: FaultProfile,
    /// Connections that a listener keeps waiting.
    pub backlog: usize,
    /// Who answers chat clients.
    pub partner: Partner,
    /// How chat clients are understood.
    pub framing: Framing,
    /// The longest chat message.
    pub message_bytes_max: usize,
    /// A word that ends an echo.
    pub echo_quit: Option<Vec<u8>>,
    /// Whether echo prints what it gets.
    pub print: bool,
    /// What hello says.
    pub greeting: Vec<u8>,
    /// Whether clients may fall silent, so that only a timeout ends them.
    pub has_silent_clients: bool,
    /// Whether the server is told to stop while clients are there.
    pub stops_early: bool,
    /// Whether the user at the terminal may stop reading.
    pub has_slow_terminal: bool,
    /// What the buffers of a connection may grow to; 0 for tiny ones that never grow.
    pub buffer_bytes_max: usize,
    /// TCP_NOTSENT_LOWAT of the listeners.
    pub lowat: Option<usize>,
    /// How long remote kernels take to acknowledge, at most.
    pub delay_max: Duration,
    /// What all sockets may hold before the machine is short of memory.
    pub memory_max: usize,
    /// How many orphans the machine keeps.
    pub orphans_max: usize,
    /// How long the first of two matched chat clients may be silent.
    pub turn_timeout: Option<Duration>,
}

/// The word that ends a chat.
pub const QUIT: &[u8] = b"QUIT";

impl Plan {
    /// The plan of this seed, for so many clients.
    pub fn of(seed: u64, clients: usize) -> Plan {
        let rng = &mut Random::new(seed);
        let has_timeouts = rng.happens(1, 2);
        let is_short_of_descriptors = rng.happens(1, 3);
        let limits = limits(rng);
        let partner = rng.one_of(&[Partner::Operator, Partner::Pair, Partner::Parrot]);
        let mut plan = Plan {
            seed,
            clients,
            arrival_gap_max: Duration::from_micros(rng.one_of(&[0, 50, 500, 5_000])),
            policy: policy(rng, has_timeouts),
            fault_profile: fault_profile(rng, is_short_of_descriptors, !limits.spin.is_zero()),
            limits,
            backlog: rng.one_of(&[4, 128, 4096]),
            partner,
            framing: framing(rng),
            message_bytes_max: rng.one_of(&[1_100, 2_000, 4_096]),
            echo_quit: rng.happens(1, 4).then(|| b"stop it".to_vec()),
            print: rng.happens(1, 4),
            greeting: greeting(rng),
            has_silent_clients: has_timeouts,
            stops_early: rng.happens(1, 4),
            has_slow_terminal: rng.happens(1, 8),
            buffer_bytes_max: rng.one_of(&[0, 0, 256 << 10, 4 << 20]),
            lowat: rng.one_of(&[Some(128 << 10), Some(128 << 10), Some(128 << 10), None]),
            delay_max: rng.one_of(&[Duration::ZERO, Duration::from_millis(40)]),
            memory_max: rng.one_of(&[usize::MAX, usize::MAX, usize::MAX, 1 << 20]),
            orphans_max: rng.one_of(&[usize::MAX, usize::MAX, usize::MAX, 8]),
            turn_timeout: None,
        };
        plan.turn_timeout = plan.turn_timeout(rng);
        plan
    }
}

impl Plan {
    /// Who spoke first of two that may be matched anew, only the server knows. Clients whose messages
    /// silence distinguishes have to know it, too, so there is none where there may be some.
    fn turn_timeout(&self, rng: &mut Random) -> Option<Duration> {
        let drawn = rng.one_of(&[None, Some(20), Some(1_000)]);
        match self.framing {
            Framing::Line | Framing::Nul | Framing::Padded(_) => drawn.map(Duration::from_millis),
            Framing::Auto | Framing::Chunk => None,
        }
    }
}

fn limits(rng: &mut Random) -> Limits {
    Limits {
        clients_max: rng.one_of(&[20, 300, 10_000, 10_000]),
        clients_per_address_max: rng.one_of(&[None, None, None, Some(3)]),
        unsent_bytes_max: rng.one_of(&[200_000, 256 << 20, 256 << 20]),
        grace: Some(Duration::from_millis(rng.one_of(&[0, 200, 5_000]))),
        spin: Duration::from_micros(rng.one_of(&[0, 0, 0, 20])),
    }
}

fn policy(rng: &mut Random, has_timeouts: bool) -> Policy {
    let seconds = rng.one_of(&[1, 10, 60]);
    let write_seconds = rng.one_of(&[1, 6, 31]);
    Policy {
        idle_timeout: has_timeouts.then(|| Duration::from_secs(seconds)),
        write_timeout: has_timeouts.then(|| Duration::from_secs(write_seconds)),
        linger: Some(Duration::from_secs(2)),
        reads_while_owing: false,
        resets_after_linger: false,
        exempt_from_limits: false,
    }
}

fn fault_profile(rng: &mut Random, is_short_of_descriptors: bool, spins: bool) -> FaultProfile {
    FaultProfile {
        descriptors_max: if is_short_of_descriptors {
            16 + rng.below(48)
        } else {
            20_000
        },
        faults_per_1024: rng.one_of(&[0, 100, 400, 700, 900]),
        stops_per_65536: rng.one_of(&[0, 0, 5, 50]),
        stop_max: Duration::from_secs(rng.one_of(&[1, 70])),
        batch: rng.one_of(&[2, 16, EVENTS_PER_TURN_MAX]),
        call_cost_max: match rng.one_of(&[0, 2_000, 50_000]) {
            // Who spins waits for time to pass.
            0 if spins => Duration::from_nanos(200),
            cost => Duration::from_nanos(cost),
        },
    }
}

fn framing(rng: &mut Random) -> Framing {
    rng.one_of(&[
        Framing::Auto,
        Framing::Auto,
        Framing::Auto,
        Framing::Line,
        Framing::Nul,
        Framing::Padded(1024),
        Framing::Padded(64),
        Framing::Chunk,
    ])
}

fn greeting(rng: &mut Random) -> Vec<u8> {
    let length = rng.one_of(&[13, 13, 2_000, 100_000]);
    (0..length).map(|at| b'a' + (at % 23) as u8).collect()
}
