//! A client's service with the window that shows it: before each step the terminal is asked how wide
//! it is. What is drawn there is the service's.

use std::fmt;

use super::stdio;
use crate::protocol::{CloseReason, Context, Event, Service, Standing};

/// A service whose user sees what it sends on standard output.
pub(super) struct Windowed<S>(pub(super) S);

impl<S: Service> Service for Windowed<S> {
    type Session = S::Session;
    type Door = S::Door;

    fn open(
        &mut self,
        cx: &mut Context<'_>,
        door: S::Door,
        name: fmt::Arguments<'_>,
    ) -> S::Session {
        cx.set_columns(stdio::columns());
        self.0.open(cx, door, name)
    }

    fn step(&mut self, cx: &mut Context<'_>, session: &mut S::Session, event: Event<'_>) {
        cx.set_columns(stdio::columns());
        self.0.step(cx, session, event);
    }

    fn close(&mut self, cx: &mut Context<'_>, session: S::Session, reason: CloseReason) {
        self.0.close(cx, session, reason);
    }

    fn window(&self, session: &S::Session) -> usize {
        self.0.window(session)
    }

    fn standing(&self, session: &S::Session) -> Standing {
        self.0.standing(session)
    }
}
