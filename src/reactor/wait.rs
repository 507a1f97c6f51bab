//! The first phase of a turn: how long to sleep, and until when everything was told. What is done
//! about what is ready is not decided here.

use std::io;
use std::time::Duration;

use super::{Accepting, Batch, Kernel, Reactor, Run};
use crate::protocol::{Service, Time};
use crate::trace::{Observer, TraceEvent};

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// Phase 1, the only place where time passes.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        self.ready.clear();
        let timeout = self.timeout();
        self.kernel.note(&TraceEvent::Waiting { timeout });
        let mut asked = self.now;
        let waited = if timeout == Some(Duration::ZERO) || self.limits.spin.is_zero() {
            self.kernel.kernel.wait(timeout, &mut self.ready)
        } else {
            self.spin(timeout, &mut asked)
        };
        self.now = self.kernel.kernel.now();
        let events = waited.as_ref().map(|_| self.ready.len());
        self.kernel.note(&TraceEvent::Awake { events });
        match waited {
            Ok(Batch::Complete) => {
                self.drained_until = asked;
                self.partial = None;
            }
            Ok(Batch::Truncated) => self.on_truncated_batch(asked),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.on_truncated_batch(asked);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The kernel tells of each ready source once before it repeats itself: when as many events have
    /// come as there were sources, everything of back then was told.
    fn on_truncated_batch(&mut self, began: Time) {
        let sources = self.peers.len() + self.listeners.len() + usize::from(self.handle.is_some());
        let (since, missing) = self.partial.unwrap_or((began, sources));
        let missing = missing.saturating_sub(self.ready.len());
        if missing == 0 {
            self.drained_until = since;
            self.partial = None;
        } else {
            self.partial = Some((since, missing));
        }
    }

    /// Looks without sleeping for as long as it may, then sleeps for the rest of `timeout`. `asked`
    /// becomes the time before the last look.
    fn spin(&mut self, timeout: Option<Duration>, asked: &mut Time) -> io::Result<Batch> {
        let start = self.kernel.kernel.now();
        let limit = self.limits.spin.min(timeout.unwrap_or(Duration::MAX));
        *asked = start;
        while asked.since(start) < limit {
            let result = self
                .kernel
                .kernel
                .wait(Some(Duration::ZERO), &mut self.ready);
            if !self.ready.is_empty() || result.is_err() {
                return result;
            }
            *asked = self.kernel.kernel.now();
        }
        let rest = timeout.map(|timeout| timeout.saturating_sub(asked.since(start)));
        self.kernel.kernel.wait(rest, &mut self.ready)
    }

    /// How long nothing is due; `None` if nothing ever is.
    fn timeout(&self) -> Option<Duration> {
        let has_work = !self.unread.is_empty()
            || !self.notifications.is_empty()
            || !self.dirty.is_empty()
            || self.run == Run::StopAsked;
        if has_work {
            return Some(Duration::ZERO);
        }
        let mut due = self.timers.next();
        if let Run::Stopping(deadline) = self.run {
            if self.drained.iter().any(|&id| self.may_be_dispatched(id)) {
                return Some(Duration::ZERO);
            }
            if !self.drained.is_empty() {
                due = due.min(self.wakes_until);
            }
            due = due.min(deadline);
        }
        for listening in &self.listeners {
            match listening.accepting {
                Accepting::Drained => {}
                Accepting::Ready => return Some(Duration::ZERO),
                Accepting::Paused(until) => due = due.min(until),
            }
        }
        (due < Time::NEVER).then(|| due.since(self.now))
    }
}
