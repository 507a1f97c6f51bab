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
//! # As a dependency
//!
//! ```toml
//! [dependencies]
//! epollo = { path = "../epollo", default-features = false, features = ["os"] }
//! ```
//!
//! `OsKernel` and `bind` need the feature `os`; without it there is no operating system in the crate. The program and
//! what it needs are the feature `cli`, which is on by default.
//!
//! # Your own protocol
//!
//! A server that answers every piece with its length, for clients of this machine only:
//!
//! ```no_run
//! use epollo::protocol::{CloseReason, Context, Event, Peer, Service};
//! use epollo::reactor::{Limits, ListenOptions, OsKernel, Policy, Reactor, bind};
//!
//! struct Length;
//! impl Service for Length {
//!     type Session = ();
//!     type Origin = ();
//!     fn open(&mut self, cx: &mut Context<'_>, _: (), peer: &Peer<'_>) {
//!         if !peer.address.is_some_and(|address| address.ip().is_loopback()) {
//!             cx.refuse("not from this machine");
//!         }
//!     }
//!     fn step(&mut self, cx: &mut Context<'_>, _: &mut (), event: Event<'_>) {
//!         match event {
//!             Event::Received(bytes) => cx.send(format!("{}\n", bytes.len()).as_bytes()),
//!             Event::Eof => cx.shutdown_write(),
//!             _ => {}
//!         }
//!     }
//!     fn close(&mut self, _: &mut Context<'_>, _: (), _: CloseReason) {}
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let mut reactor = Reactor::new(OsKernel::new()?, Length, Limits::default());
//! let address = "0.0.0.0:7000".parse().unwrap();
//! reactor.listen(bind(address, ListenOptions::default())?, (), Policy::default())?;
//! reactor.run()
//! # }
//! ```
//!
//! # In a program of your own
//!
//! The reactor has a thread to itself; a [`Handle`](reactor::Handle) reaches it from others:
//!
//! ```
//! use epollo::protocol::echo::{Echo, Settings};
//! use epollo::reactor::{Limits, ListenOptions, OsKernel, Policy, Reactor, bind};
//! use std::io::{Read, Write};
//! use std::net::{Shutdown, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! let echo = Echo::new(Settings::default());
//! let mut reactor = Reactor::new(OsKernel::new()?, echo, Limits::default());
//! let listener = bind("127.0.0.1:0".parse().unwrap(), ListenOptions::default())?;
//! let address = listener.local_addr()?;
//! reactor.listen(listener, (), Policy::default())?;
//! let handle = reactor.handle()?;
//! let server = std::thread::spawn(move || reactor.run());
//!
//! let mut client = TcpStream::connect(address)?;
//! client.write_all(b"hello")?;
//! client.shutdown(Shutdown::Write)?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert_eq!(answer, "hello");
//!
//! handle.stop()?;
//! server.join().expect("the loop does not panic")
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
