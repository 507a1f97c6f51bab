//! The integration tests: raw bytes over real loopback sockets, machines through scripts of bytes,
//! and the rules of the house. Every wait is bounded; nothing sleeps to let things settle.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]
#![allow(unreachable_pub, reason = "one crate of many modules")]

mod support;

mod clients;
mod docs;
mod explore;
mod house;
mod kernel;
mod load;
mod others;
mod protocol;
mod reactor;
mod report;
mod serve;
mod sim;
mod trace;
