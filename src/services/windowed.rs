//! A client's service with the window that shows it: before each step it asks how wide that is, and when
//! the program was stopped (Ctrl-Z) and goes on (`fg`), the prompt that the shell has written over is drawn
//! again. What is drawn there is the service's.

use super::{SIGNAL_BYTES_MAX, SIGNALS};
use crate::protocol::{CloseReason, Context, Event, Peer, Service, StateName};

/// A service whose user sees what it sends on standard output. An origin, and a session, of `None` is the
/// stream that yields a byte when the program continues.
#[derive(Debug)]
pub struct Windowed<C> {
    /// What it hands everything else to.
    pub client: C,
    /// Asks how wide the window is; `None` if there is none.
    pub columns: fn() -> Option<usize>,
    /// Draws the prompt of the client again, if one is due.
    pub redraw: fn(&mut C, &mut Context<'_>),
}

impl<C: Service> Service for Windowed<C> {
    type Session = Option<C::Session>;
    type Origin = Option<C::Origin>;

    fn open(
        &mut self,
        cx: &mut Context<'_>,
        origin: Option<C::Origin>,
        peer: &Peer<'_>,
    ) -> Option<C::Session> {
        cx.set_columns((self.columns)());
        Some(self.client.open(cx, origin?, peer))
    }

    fn step(&mut self, cx: &mut Context<'_>, session: &mut Option<C::Session>, event: Event<'_>) {
        cx.set_columns((self.columns)());
        match session {
            Some(session) => self.client.step(cx, session, event),
            None if matches!(event, Event::Received(_)) => (self.redraw)(&mut self.client, cx),
            None => {}
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, session: Option<C::Session>, reason: CloseReason) {
        if let Some(session) = session {
            self.client.close(cx, session, reason);
        }
    }

    fn read_limit(&self, session: &Option<C::Session>) -> usize {
        let of_client = |session| self.client.read_limit(session);
        session.as_ref().map_or(SIGNAL_BYTES_MAX, of_client)
    }

    fn state(&self, session: &Option<C::Session>) -> StateName {
        let of_client = |session| self.client.state(session);
        session.as_ref().map_or(SIGNALS, of_client)
    }
}
