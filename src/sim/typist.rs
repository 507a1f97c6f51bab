//! The simulated user at the server's terminal: it reads what is shown, checks that nothing on it
//! could act on a terminal, and types answers. It knows nothing of connections.

use std::time::Duration;

use super::net::{Net, SocketId};
use super::plan::{Plan, QUIT};
use super::random::Random;
use super::remote::Received;
use super::talker::{OPERATOR, message};
use crate::protocol::Time;
use crate::protocol::chat::Partner;
use crate::protocol::display::is_unsafe;

/// How long it waits before it types though it saw nothing: a line may have been dropped.
const BOREDOM: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Typist {
    pub(super) id: Option<SocketId>,
    rng: Random,
    line: Vec<u8>,
    /// Messages shown and not answered.
    unanswered: usize,
    outgoing: Vec<u8>,
    answers: u32,
    pub(super) due: Option<Time>,
    has_ended: bool,
}

impl Typist {
    pub(super) fn new(seed: u64) -> Typist {
        Typist {
            id: None,
            rng: Random::new(seed ^ 0x7e57),
            line: Vec::new(),
            unanswered: 0,
            outgoing: Vec::new(),
            answers: 0,
            due: Some(Time::ZERO),
            has_ended: false,
        }
    }

    /// How many answers were typed.
    pub(super) fn answers(&self) -> u32 {
        self.answers
    }

    /// Takes what the server shows; returns the whole lines.
    pub(super) fn shown(&mut self, bytes: &[u8]) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8(std::mem::take(&mut self.line))
                .map_err(|_| "the terminal gets what is no UTF-8".to_owned())?;
            if line.chars().any(is_unsafe) {
                return Err(format!("the terminal gets {}", line.escape_debug()));
            }
            self.unanswered += usize::from(line.starts_with("client"));
            lines.push(line);
        }
        Ok(lines)
    }

    /// Reads and types.
    pub(super) fn act(&mut self, net: &mut Net, plan: &Plan) {
        self.due = None;
        let Some(id) = self.id else {
            return;
        };
        let is_stuck = plan.has_slow_terminal && self.rng.happens(3, 4);
        let most = 1 + self.rng.below(4_000);
        let read = !is_stuck && matches!(net.receive(id, most), Received::Bytes(_));
        if plan.partner == Partner::Operator && !self.has_ended {
            if self.outgoing.is_empty() && self.rng.happens(1, 20_000) {
                self.end(net);
            } else {
                self.think(plan, read || is_stuck);
            }
            let count = net.send(id, &self.outgoing).unwrap_or(0);
            self.outgoing.drain(..count);
        }
        let pause = if is_stuck {
            Duration::from_millis(300)
        } else if read || self.unanswered > 0 {
            Duration::from_micros(self.rng.between(1, 300))
        } else {
            BOREDOM
        };
        self.due = Some(net.now.after(pause));
    }

    /// Finds something to type if it is asked, or bored.
    fn think(&mut self, plan: &Plan, is_busy: bool) {
        if !self.outgoing.is_empty() || (self.unanswered == 0 && is_busy) {
            return;
        }
        self.unanswered = self.unanswered.saturating_sub(1);
        if self.rng.happens(1, 20) {
            self.outgoing.extend_from_slice(QUIT);
        } else {
            self.outgoing.extend(message(plan, OPERATOR, self.answers));
            self.answers += 1;
        }
        self.outgoing.push(b'\n');
    }

    /// Something was shown: it looks soon.
    pub(super) fn hurry(&mut self, now: Time) {
        let soon = now.after(Duration::from_micros(self.rng.between(1, 300)));
        self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
    }

    /// The input ends.
    pub(super) fn end(&mut self, net: &mut Net) {
        if let Some(id) = self.id.filter(|_| !self.has_ended) {
            self.has_ended = true;
            net.finish(id);
        }
    }
}
