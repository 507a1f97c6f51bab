//! What bytes mean: the machines, their framing and what they show, without a socket.

mod framing;
pub mod fuzzed;
mod machines;
pub mod script;
