//! A protocol of your own on epollo's reactor: every piece is answered with its length.
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::env::args;
use std::fmt::Arguments;
use std::io::{Error, Result};
use std::time::Duration;

use epollo::protocol::{CloseReason, Context, Event, Service};
use epollo::reactor::{Limits, ListenOptions, OsKernel, Policy, Reactor, bind};

struct Length;

impl Service for Length {
    type Session = ();
    type Door = ();

    fn open(&mut self, _: &mut Context<'_>, (): (), _: Arguments<'_>) {}

    fn step(&mut self, cx: &mut Context<'_>, (): &mut (), event: Event<'_>) {
        match event {
            Event::Received(bytes) => cx.send(format!("{}\n", bytes.len()).as_bytes()),
            Event::Finished => cx.finish(),
            Event::Woken | Event::Stopping => {}
        }
    }

    fn close(&mut self, _: &mut Context<'_>, (): (), _: CloseReason) {}

    fn window(&self, (): &()) -> usize {
        usize::MAX
    }
}

fn main() -> Result<()> {
    let address = format!("127.0.0.1:{}", args().nth(1).unwrap_or_default());
    let options = ListenOptions {
        backlog: 128,
        reuse_port: false,
    };
    let listener = bind(address.parse().map_err(Error::other)?, options)?;
    println!("listening {}", listener.local_addr()?);
    let limits = Limits {
        guests_max: 1000,
        guests_per_address_max: None,
        unsent_bytes_max: 1 << 20,
        grace: Some(Duration::from_secs(1)),
        spin: Duration::ZERO,
    };
    let mut reactor = Reactor::new(OsKernel::new()?, Length, limits);
    reactor.listen(listener, (), Policy::default())?;
    reactor.run()
}
