//! The generator's engine: a load on somebody's server, every answer verified. It is a
//! [`Service`](crate::protocol::Service) on the same reactor as the server of `epollo serve`. What came of
//! [`report`](crate::report) says what was found.

pub mod ab;
mod cost;
mod counters;
pub mod generator;
mod listening;
mod pace;
mod payload;
pub mod plan;
pub mod preflight;
pub mod progress;
mod recorder;
mod requester;
pub mod run;
pub mod sources;
mod verify;
mod warnings;
