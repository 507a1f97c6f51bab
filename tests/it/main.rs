//! The integration tests: raw bytes over real loopback sockets, machines through scripts of bytes,
//! and the rules of the house. Every wait is bounded; nothing sleeps to let things settle.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]
#![allow(unreachable_pub, reason = "one crate of many modules")]

mod support;
mod terminal;

mod asked;
mod attacks;
mod benched;
mod browser;
mod chatted;
mod compared;
mod course;
mod crowd;
mod delivered;
mod endings;
mod explored;
mod faulty;
mod forged;
mod framing;
mod fuzzed;
mod hostile;
mod kernel_facts;
mod korean;
mod layers;
mod machine;
mod machines;
mod narrow;
mod patience;
mod promises;
mod protocols;
mod reactor;
mod readme;
mod reported;
mod scarcity;
mod script;
mod sim;
mod simulated;
mod streams;
mod syscalls;
mod traced;
mod tutorial;
