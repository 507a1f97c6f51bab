//! A protocol of your own on epollo's reactor, and an observer of your own that shows the loop.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints")]

use std::io::{Error, Result};

use epollo::protocol::{CloseReason, Context, Event, Peer, Service, StateName, Time};
use epollo::reactor::{Limits, ListenOptions, OsKernel, Policy, Reactor, bind};
use epollo::trace::{Directory, Observer, TraceEvent, text::Text};

/// Every piece is answered with its length.
struct Length;

impl Service for Length {
    type Session = ();
    type Origin = ();

    fn open(&mut self, _: &mut Context<'_>, (): (), _: &Peer<'_>) {}

    fn step(&mut self, cx: &mut Context<'_>, (): &mut (), event: Event<'_>) {
        match event {
            Event::Received(bytes) => cx.send(format!("{}\n", bytes.len()).as_bytes()),
            Event::Eof => cx.shutdown_write(),
            Event::Connected
            | Event::TimerExpired(_)
            | Event::Notified
            | Event::Writable
            | Event::Stopping => {}
        }
    }

    fn close(&mut self, _: &mut Context<'_>, (): (), _: CloseReason) {}

    fn state(&self, (): &()) -> StateName {
        StateName {
            protocol: "length",
            state: "open",
        }
    }
}

/// A line for each event of the trace.
struct Lines(Text);

impl Observer for Lines {
    fn observe(&mut self, at: Time, directory: &Directory, event: &TraceEvent<'_>) {
        eprint!("{}", self.0.line(at, directory, event));
    }
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).unwrap_or_default();
    let address = format!("127.0.0.1:{port}").parse().map_err(Error::other)?;
    let listener = bind(address, ListenOptions::default())?;
    println!("listening {}", listener.local_addr()?);
    let text = Text {
        is_coloured: false,
        payload: 16,
        error_word: |error| format!("{:?}", error.kind()).into(),
    };
    let limits = Limits::default();
    let mut reactor = Reactor::observed(OsKernel::new()?, Length, limits, Lines(text));
    reactor.name_listeners(vec!["length".to_owned()]);
    reactor.listen(listener, (), Policy::default())?;
    reactor.run()
}
