//! The simulated kernel held against the real one: the same script on both, and each answer alike,
//! from the order of events to the number of an error.

mod diag;
mod endings;
mod events;
mod link;
mod machine;
mod random;
mod real;
mod room;
mod scarcity;
mod script;
mod simulation;
