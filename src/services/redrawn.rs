//! A client on a terminal that may be stopped (Ctrl-Z) and go on (`fg`): the shell has written over its
//! prompt meanwhile, so it draws it again. It hands everything else to the client unchanged.

use super::{SIGNAL_BYTES_MAX, SIGNALS, Windowed};
use crate::protocol::chat::Chat;
use crate::protocol::echo::client::Dialogue;
use crate::protocol::{CloseReason, Context, Event, Peer, Service, StateName};

/// A service with a prompt.
pub trait Redraw: Service {
    /// Draws the prompt again, if one is due.
    fn redraw(&mut self, cx: &mut Context<'_>);
}

impl Redraw for Chat {
    fn redraw(&mut self, cx: &mut Context<'_>) {
        Chat::redraw(self, cx);
    }
}

impl Redraw for Dialogue {
    fn redraw(&mut self, cx: &mut Context<'_>) {
        Dialogue::redraw(self, cx);
    }
}

impl<C: Redraw> Redraw for Windowed<C> {
    fn redraw(&mut self, cx: &mut Context<'_>) {
        self.service.redraw(cx);
    }
}

/// A client whose prompt is drawn again after each stop.
pub struct Redrawn<C>(pub C);

/// Where a peer came from.
#[derive(Clone, Copy, Debug)]
pub enum Origin<D> {
    /// A peer of the client.
    Client(D),
    /// The stream that yields a byte when the program continues.
    Continued,
}

/// A peer's machine.
pub enum Session<S> {
    /// A peer of the client.
    Client(S),
    /// The stream that yields a byte when the program continues.
    Continued,
}

impl<C: Redraw> Service for Redrawn<C> {
    type Session = Session<C::Session>;
    type Origin = Origin<C::Origin>;

    fn open(
        &mut self,
        cx: &mut Context<'_>,
        origin: Origin<C::Origin>,
        peer: &Peer<'_>,
    ) -> Session<C::Session> {
        match origin {
            Origin::Client(origin) => Session::Client(self.0.open(cx, origin, peer)),
            Origin::Continued => Session::Continued,
        }
    }

    fn step(&mut self, cx: &mut Context<'_>, session: &mut Session<C::Session>, event: Event<'_>) {
        match (session, event) {
            (Session::Client(session), event) => self.0.step(cx, session, event),
            (Session::Continued, Event::Received(_)) => self.0.redraw(cx),
            (
                Session::Continued,
                Event::Eof
                | Event::Connected
                | Event::TimerExpired(_)
                | Event::Notified
                | Event::Writable
                | Event::Stopping,
            ) => {}
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, session: Session<C::Session>, reason: CloseReason) {
        match session {
            Session::Client(session) => self.0.close(cx, session, reason),
            Session::Continued => {}
        }
    }

    fn read_limit(&self, session: &Session<C::Session>) -> usize {
        match session {
            Session::Client(session) => self.0.read_limit(session),
            Session::Continued => SIGNAL_BYTES_MAX,
        }
    }

    fn state(&self, session: &Session<C::Session>) -> StateName {
        match session {
            Session::Client(session) => self.0.state(session),
            Session::Continued => SIGNALS,
        }
    }
}
