//! A protocol of your own, and the page that shows the loop at work on it. Both are served by one loop.
#![allow(clippy::print_stdout, reason = "that is what it is for")]

use std::io::{Error, Result};

use epollo::explore::{self, NOBODY, Origin, Page};
use epollo::protocol::{CloseReason, Context, Event, Peer, Service, StateName};
use epollo::reactor::{Limits, ListenOptions, Policy, bind};

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

fn main() -> Result<()> {
    let mut ports = std::env::args().skip(1);
    let mut listen = || {
        let address = format!("127.0.0.1:{}", ports.next().unwrap_or_default());
        bind(
            address.parse().map_err(Error::other)?,
            ListenOptions::default(),
        )
    };
    let (length, page) = (listen()?, listen()?);
    let address = length.local_addr()?;
    println!("listening {address}, see http://{}/", page.local_addr()?);
    let page = Page {
        listener: page,
        services: vec![("length".to_owned(), address)],
        sessions_max: explore::SESSIONS_MAX,
    };
    let mut reactor = explore::reactor(page, Length, Limits::default(), NOBODY)?;
    reactor.listen(length, Origin::Inner(()), Policy::default())?;
    explore::run(&mut reactor)
}
