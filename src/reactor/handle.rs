//! A reactor from another thread: to end its run, or to have one of its peers told that there is something
//! for it. Nothing else crosses; what a service shares with other threads is its own business.

use std::collections::BTreeSet;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Kernel, Reactor, Run, Waker};
use crate::protocol::{Event, PeerId, Service};
use crate::trace::Observer;

/// A reactor, for other threads: made by [`Reactor::handle`], cheap to clone.
///
/// What is asked for is done in the next turn, which begins at once. Asking never blocks, and may go on
/// after the run has ended: nothing happens then.
#[derive(Clone, Debug)]
pub struct Handle<W> {
    requests: Arc<Mutex<Requests>>,
    waker: W,
}

/// What other threads have asked for since the latest turn.
#[derive(Debug, Default)]
struct Requests {
    stop: bool,
    /// A peer that is asked for many times is told once.
    notify: BTreeSet<PeerId>,
}

impl<W: Waker> Handle<W> {
    /// Ends the run, as [`Context::stop`](crate::protocol::Context::stop) does: the listeners close, every
    /// session is told [`Event::Stopping`], and `run` returns when everybody has got what they were owed,
    /// or after [`Limits::grace`](super::Limits::grace).
    ///
    /// # Errors
    /// Those of [`Waker::wake`]: it is done in the next turn all the same, whenever that begins.
    pub fn stop(&self) -> io::Result<()> {
        self.requests().stop = true;
        self.waker.wake()
    }

    /// Tells a peer [`Event::Notified`]; no matter if it is gone. Of several requests before the next turn
    /// it is told once, unlike [`Context::notify`](crate::protocol::Context::notify). Until that turn, or where
    /// none comes any more, each id that was asked for takes some 30 bytes.
    ///
    /// # Errors
    /// Those of [`Waker::wake`]: it is done in the next turn all the same, whenever that begins.
    pub fn notify(&self, peer: PeerId) -> io::Result<()> {
        self.requests().notify.insert(peer);
        self.waker.wake()
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        // Nothing in there can be left half done.
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// The reactor for other threads. The first call asks the kernel for a descriptor (eventfd(2)).
    ///
    /// # Errors
    /// Those of eventfd(2) and epoll_ctl(2).
    pub fn handle(&mut self) -> io::Result<Handle<K::Waker>> {
        if let Some(handle) = &self.handle {
            return Ok(handle.clone());
        }
        let handle = Handle {
            requests: Arc::default(),
            waker: self.kernel.kernel.waker()?,
        };
        self.handle = Some(handle.clone());
        Ok(handle)
    }

    /// Takes over what other threads have asked for.
    pub(super) fn take_requests(&mut self) {
        let Some(handle) = &self.handle else {
            return;
        };
        let Requests { stop, notify } = mem::take(&mut *handle.requests());
        if stop && self.run == Run::Going {
            self.run = Run::StopAsked;
        }
        let notified = notify.into_iter().map(|peer| (peer, Event::Notified));
        self.notifications.extend(notified);
    }
}
