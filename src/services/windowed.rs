//! A client's service with the window that shows it: before each step it asks how wide that is. What is
//! drawn there is the service's.

use crate::protocol::{CloseReason, Context, Event, Peer, Service, StateName};

/// A service whose user sees what it sends on standard output.
#[derive(Debug)]
pub struct Windowed<S> {
    /// What it hands everything to.
    pub service: S,
    /// Asks how wide the window is; `None` if there is none.
    pub columns: fn() -> Option<usize>,
}

impl<S: Service> Service for Windowed<S> {
    type Session = S::Session;
    type Origin = S::Origin;

    fn open(&mut self, cx: &mut Context<'_>, origin: S::Origin, peer: &Peer<'_>) -> S::Session {
        cx.set_columns((self.columns)());
        self.service.open(cx, origin, peer)
    }

    fn step(&mut self, cx: &mut Context<'_>, session: &mut S::Session, event: Event<'_>) {
        cx.set_columns((self.columns)());
        self.service.step(cx, session, event);
    }

    fn close(&mut self, cx: &mut Context<'_>, session: S::Session, reason: CloseReason) {
        self.service.close(cx, session, reason);
    }

    fn read_limit(&self, session: &S::Session) -> usize {
        self.service.read_limit(session)
    }

    fn state(&self, session: &S::Session) -> StateName {
        self.service.state(session)
    }
}
