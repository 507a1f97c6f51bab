//! What ends a simulated wait from another thread. When somebody asks for it, it does not know.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::reactor::{Readiness, Token, Waker};
use crate::trace::Flags;

/// Ends the wait of a [`SimKernel`](super::SimKernel).
#[derive(Clone, Debug, Default)]
pub struct SimWaker(Arc<AtomicBool>);

impl SimWaker {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// What epoll tells of it, once.
    pub(super) fn take(&self) -> Option<Readiness> {
        self.0.swap(false, Ordering::Relaxed).then_some(Readiness {
            token: Token::WAKER,
            flags: Flags::IN,
        })
    }
}

impl Waker for SimWaker {
    fn wake(&self) -> io::Result<()> {
        self.0.store(true, Ordering::Relaxed);
        Ok(())
    }
}
