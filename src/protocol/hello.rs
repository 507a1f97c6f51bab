//! hello: the server greets and closes; the client shows the greeting. Neither says more, and the
//! server reads nothing but what it must throw away so that its greeting arrives.

use std::time::Duration;

use super::{CloseReason, Context, Event, Peer, Service, StateName};

/// How much of a greeting the client keeps, in bytes; what comes after is not read.
pub const GREETING_BYTES_MAX: usize = 65_536;
/// How long the client waits for more, or for the end, once part of a greeting is there.
pub const GREETING_SILENCE: Duration = Duration::from_secs(1);

/// The server side.
#[derive(Debug)]
pub struct Hello {
    greeting: Vec<u8>,
}

impl Hello {
    /// Greets every peer with these bytes, in one `write`.
    pub fn new(greeting: Vec<u8>) -> Hello {
        Hello { greeting }
    }
}

impl Service for Hello {
    type Session = ();
    type Origin = ();

    fn open(&mut self, cx: &mut Context<'_>, (): (), _peer: &Peer<'_>) {
        cx.send(&self.greeting);
        cx.close();
    }

    /// It was greeted, and we have left: nothing that happens changes that.
    fn step(&mut self, _cx: &mut Context<'_>, (): &mut (), _event: Event<'_>) {}

    fn close(&mut self, _cx: &mut Context<'_>, (): (), _reason: CloseReason) {}

    fn read_limit(&self, (): &()) -> usize {
        0
    }

    fn state(&self, (): &()) -> StateName {
        StateName::new("hello", "greeted")
    }
}

/// The client side: collects one greeting, then ends the run.
#[derive(Debug, Default)]
pub struct HelloClient {
    received: Vec<u8>,
    ending: Option<CloseReason>,
}

impl HelloClient {
    /// The greeting up to the first NUL, without a line end; `None` if the server sent nothing.
    pub fn greeting(&self) -> Option<&[u8]> {
        let text = self.received.split(|&byte| byte == 0).next()?;
        (!self.received.is_empty()).then(|| super::display::without_line_end(text))
    }

    /// How the connection ended.
    pub fn ending(&self) -> Option<CloseReason> {
        self.ending
    }

    fn is_whole(&self) -> bool {
        self.received.contains(&0) || self.received.len() >= GREETING_BYTES_MAX
    }
}

/// Where the client is.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientSession {
    /// Nothing has come yet.
    Waiting,
    /// Part of the greeting is there.
    Receiving,
    /// It is whole, or it will not be.
    Done,
}

impl Service for HelloClient {
    type Session = ClientSession;
    type Origin = ();

    fn open(&mut self, _cx: &mut Context<'_>, (): (), _peer: &Peer<'_>) -> ClientSession {
        ClientSession::Waiting
    }

    fn step(&mut self, cx: &mut Context<'_>, session: &mut ClientSession, event: Event<'_>) {
        *session = match (&*session, event) {
            (ClientSession::Waiting | ClientSession::Receiving, Event::Received(bytes)) => {
                self.received.extend_from_slice(bytes);
                if self.is_whole() {
                    cx.close();
                    ClientSession::Done
                } else {
                    cx.set_timer(Some(cx.now().after(GREETING_SILENCE)));
                    ClientSession::Receiving
                }
            }
            (ClientSession::Receiving, Event::TimerExpired(_))
            | (ClientSession::Waiting | ClientSession::Receiving, Event::Eof | Event::Stopping) => {
                cx.close();
                ClientSession::Done
            }
            (ClientSession::Waiting, Event::TimerExpired(_))
            | (
                ClientSession::Waiting | ClientSession::Receiving,
                Event::Connected | Event::Notified | Event::Writable,
            ) => return,
            (ClientSession::Done, _) => ClientSession::Done,
        };
    }

    fn close(&mut self, cx: &mut Context<'_>, _session: ClientSession, reason: CloseReason) {
        self.ending = Some(reason);
        cx.stop();
    }

    fn read_limit(&self, session: &ClientSession) -> usize {
        match session {
            ClientSession::Waiting | ClientSession::Receiving => {
                GREETING_BYTES_MAX - self.received.len()
            }
            ClientSession::Done => 0,
        }
    }

    fn state(&self, session: &ClientSession) -> StateName {
        let state = match session {
            ClientSession::Waiting => "waiting",
            ClientSession::Receiving => "receiving",
            ClientSession::Done => "done",
        };
        StateName::new("hello", state)
    }
}
