//! `--trace`: what the loop does, written down while it does it. What is worth telling is not decided
//! here: the reactor tells every [`Moment`](crate::trace::Moment).

#[allow(dead_code, reason = "its users come in the next commits")]
pub(super) mod json;
