//! Whether each listener gets its turn: nobody's crowd waits while others are served again and again. Whom a
//! listener takes first it does not check.

use super::PORTS;
use crate::sim::net::Net;

/// In so many turns in a row others may be served and it not: each is asked first in one of three.
const TURNS_MAX: u32 = 20;

/// Of each listener: was somebody accepted or a call made to fail in this turn, and how many turns in a row
/// somebody waited while only others were served.
#[derive(Debug, Default)]
pub(super) struct Queues {
    served: [bool; PORTS],
    failed: [bool; PORTS],
    passed_over: [u32; PORTS],
}

impl Queues {
    pub(super) fn accepted(&mut self, port: usize) {
        self.served[port] = true;
    }

    /// The machine's fault, not the server's.
    pub(super) fn asked_in_vain(&mut self, port: usize) {
        self.failed[port] = true;
    }

    /// A turn is over.
    pub(super) fn turn(&mut self, net: &Net) -> Result<(), String> {
        let (served, failed) = (self.served, self.failed);
        if !served.contains(&true) {
            // Nobody was served before it.
            return Ok(());
        }
        self.served = [false; PORTS];
        self.failed = [false; PORTS];
        for port in 0..PORTS {
            // Of whom epoll has yet to report, the server cannot know.
            let is_waiting = net.waiting(port) > 0 && !net.is_listed(port);
            let is_passed_over = is_waiting && !served[port] && !failed[port];
            self.passed_over[port] = match is_passed_over {
                true => self.passed_over[port] + 1,
                false => 0,
            };
            if self.passed_over[port] > TURNS_MAX {
                return Err(format!(
                    "port {port} is passed over for {TURNS_MAX} turns, {} clients wait there",
                    net.waiting(port)
                ));
            }
        }
        Ok(())
    }
}
