//! The first phase of a turn: how long to sleep, and until when everything was told. What is done
//! about what is ready is not decided here.

use std::io;
use std::mem;
use std::time::Duration;

use super::{Accepting, Crowding, Kernel, Reactor, Run};
use crate::protocol::{Service, Time};

impl<K: Kernel, S: Service> Reactor<K, S> {
    /// Phase 1, the only place where time passes.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        self.ready.clear();
        let timeout = self.timeout();
        let spun = match timeout {
            Some(Duration::ZERO) => None,
            Some(_) | None if self.limits.spin.is_zero() => None,
            Some(_) | None => self.spin(timeout),
        };
        let waited = match spun {
            Some(result) => result,
            None => self.kernel.wait(timeout, &mut self.ready),
        };
        let began = mem::replace(&mut self.now, self.kernel.now());
        match waited {
            Ok(Crowding::Complete) => {
                self.heard = began;
                self.partial = None;
            }
            Ok(Crowding::Full) => self.hear_part(began),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.hear_part(began),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The kernel tells of each ready source once before it repeats itself: when as many events have
    /// come as there were sources, everything of back then was told.
    fn hear_part(&mut self, began: Time) {
        let sources = self.peers.len() + self.listeners.len();
        let (since, missing) = self.partial.unwrap_or((began, sources));
        let missing = missing.saturating_sub(self.ready.len());
        if missing == 0 {
            self.heard = since;
            self.partial = None;
        } else {
            self.partial = Some((since, missing));
        }
    }

    /// Looks without sleeping; `None` if nothing came.
    fn spin(&mut self, timeout: Option<Duration>) -> Option<io::Result<Crowding>> {
        let until = self
            .kernel
            .now()
            .after(self.limits.spin.min(timeout.unwrap_or(Duration::MAX)));
        loop {
            let result = self.kernel.wait(Some(Duration::ZERO), &mut self.ready);
            if !self.ready.is_empty() || result.is_err() {
                return Some(result);
            }
            if self.kernel.now() >= until {
                return None;
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let has_work = !self.unread.is_empty()
            || !self.woken.is_empty()
            || !self.touched.is_empty()
            || self.run == Run::StopAsked;
        let listeners = self.listeners.iter().filter_map(|l| match l.accepting {
            Accepting::Drained => None,
            Accepting::Ready => Some(self.now),
            Accepting::Paused(until) => Some(until),
        });
        let end = match self.run {
            Run::Going | Run::StopAsked | Run::Stopping(Time::NEVER) => None,
            Run::Stopping(deadline) => Some(deadline),
        };
        let work = has_work.then_some(self.now);
        let times = listeners.chain(end).chain(work).chain(self.timers.next());
        times.min().map(|time| time.since(self.now))
    }
}
