//! The generator's engine: a load on somebody's server, every answer verified. It is a
//! [`Service`](crate::protocol::Service) on the same reactor as the server of `epollo serve`. What came of
//! it is told by [`report`](crate::report).

pub mod ab;
mod asking;
mod book;
mod cost;
pub mod generator;
mod meters;
mod owners;
mod pace;
mod payload;
pub mod plan;
pub mod preflight;
pub mod progress;
pub mod run;
pub mod sources;
mod trust;
mod verify;
