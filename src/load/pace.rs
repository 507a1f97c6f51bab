//! When the requests of one connection are due in an open loop. It knows no clock and sends nothing.

use super::plan::Arrivals;
use crate::protocol::Time;

/// The due times of one connection, or of all dials together.
#[derive(Debug)]
pub struct Pace {
    start: Time,
    /// Nanoseconds after `start` of the next one.
    next: f64,
    /// Nanoseconds between two, on average.
    gap: f64,
    arrivals: Arrivals,
    rng: fastrand::Rng,
}

impl Pace {
    /// Number `index` of `count` connections that share `rate` a second: evenly spaced in turn, or
    /// each a Poisson process, which together are one.
    pub fn new(
        start: Time,
        rate: f64,
        arrivals: Arrivals,
        (index, count): (usize, usize),
        seed: u64,
    ) -> Pace {
        let gap = 1e9 * count as f64 / rate;
        let mut pace = Pace {
            start,
            next: 1e9 * index as f64 / rate,
            gap,
            arrivals,
            rng: fastrand::Rng::with_seed(seed ^ (index as u64) << 32),
        };
        if arrivals == Arrivals::Poisson {
            pace.next = pace.interval();
        }
        pace
    }

    /// When the next one is due.
    pub fn due(&self) -> Time {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole nanoseconds, and `as` saturates"
        )]
        let offset = self.next as u64;
        Time::from_nanos(self.start.as_nanos().saturating_add(offset))
    }

    /// When that one was due, which is done with now.
    pub fn take(&mut self) -> Time {
        let due = self.due();
        self.next += self.interval();
        due
    }

    fn interval(&mut self) -> f64 {
        match self.arrivals {
            Arrivals::Fixed => self.gap,
            // The waiting time of a Poisson process; 1 - f64() is never 0.
            Arrivals::Poisson => -(1.0 - self.rng.f64()).ln() * self.gap,
        }
    }
}
