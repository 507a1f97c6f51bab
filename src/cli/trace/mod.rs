//! `--trace`: what the loop does, written down while it does it. What is worth telling is not decided
//! here: the reactor tells every [`Moment`](crate::trace::Moment).

pub(super) mod args;
mod chrome;
mod file;
pub(super) mod json;
mod sink;

pub(super) use sink::Sink;
