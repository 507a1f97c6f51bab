//! A single-threaded, event-driven TCP server on mio and slab, small enough to read.
//!
//! ```text
//!   cli               what did the user ask for?     the binary
//!   explore load sim  a live page; a load generator; a simulated kernel
//!   report            what did a run find?
//!   services system   the protocols as one Service; /proc, signals, streams
//!   reactor           how do bytes move?             one loop, edge-triggered, over a Kernel
//!   trace             what happened?
//!   protocol          what do the bytes mean?        pure state machines: events in, effects out
//! ```
//!
//! Arrows point down and nothing flows back; each storey has a feature of its own. Start at
//! [`protocol::Service`], the contract; then [`reactor::Reactor::run`], four calls a turn.
//!
//! # Your own protocol
//!
//! A server that answers every message with its length and ends when its peer does:
//!
//! ```
//! use epollo::protocol::{CloseReason, Context, Event, Service};
//! use epollo::reactor::{Limits, ListenOptions, OsKernel, Policy, Reactor, bind};
//! use std::{fmt, io::{Read, Write}, net::{Shutdown, TcpStream}, time::Duration};
//!
//! struct Length;
//!
//! impl Service for Length {
//!     type Session = ();
//!     type Origin = ();
//!     fn open(&mut self, _: &mut Context<'_>, _: (), _: &Peer<'_>) {}
//!     fn step(&mut self, cx: &mut Context<'_>, _: &mut (), event: Event<'_>) {
//!         match event {
//!             Event::Received(bytes) => cx.send(format!("{}\n", bytes.len()).as_bytes()),
//!             Event::Eof => cx.shutdown_write(),
//!             Event::Woken | Event::Stopping => {}
//!         }
//!     }
//!     // For the example: one peer, then the run ends.
//!     fn close(&mut self, cx: &mut Context<'_>, _: (), _: CloseReason) { cx.stop() }
//!     fn read_limit(&self, _: &()) -> usize { usize::MAX }
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let listener = bind("127.0.0.1:0".parse().unwrap(), ListenOptions::default())?;
//! let address = listener.local_addr()?;
//! let limits = Limits {
//!     clients_max: 1000,
//!     clients_per_address_max: None,
//!     unsent_bytes_max: 1 << 20,
//!     grace: Some(Duration::from_secs(1)),
//!     spin: Duration::ZERO,
//! };
//! let mut reactor = Reactor::new(OsKernel::new()?, Length, limits);
//! reactor.listen(listener, (), Policy::default())?;
//!
//! let client = std::thread::spawn(move || -> std::io::Result<String> {
//!     let mut stream = TcpStream::connect(address)?;
//!     stream.write_all(b"hello")?;
//!     stream.shutdown(Shutdown::Write)?;
//!     let mut answer = String::new();
//!     stream.read_to_string(&mut answer)?;
//!     Ok(answer)
//! });
//! reactor.run()?;
//! assert_eq!(client.join().unwrap()?, "5\n");
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "explore")]
pub mod explore;
#[cfg(feature = "load")]
pub mod load;
pub mod protocol;
pub mod reactor;
#[cfg(feature = "report")]
pub mod report;
pub mod services;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "system")]
pub mod system;
pub mod trace;

/// The Rust blocks of the tutorial are run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/EPOLL.md")]
struct Tutorial;
