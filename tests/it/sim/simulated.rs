//! The simulated kernel held against the real one: the same script on both, step by step, and each
//! answer alike, from the order of events to the number of an error and what the far end reads.
//!
//! Where they differ the real one is right. These differences stay, and no script has them:
//!
//! - A far end that sends to a connection which we have closed is told at once; Linux takes the bytes
//!   and has the reset for the next call.
//! - A far end is told of a reset at each read; Linux says so once (and a failed send counts), then
//!   reads an end.
//! - An acknowledgement of our FIN is nothing to tell; Linux wakes for it, as for any change of the
//!   connection. The far end may delay it for 40 ms, so that scripts wait for it before they wait.
//! - How much a buffer holds, and what of it goes down with a reset: all that was written has arrived
//!   at the far end. So has our FIN, which on Linux stays behind the bytes of a full buffer: until
//!   they are read such a connection is not over when both ends have ended it.
//! - Reads into nothing and writes of nothing: no reactor does this.
//! - Urgent bytes, which nobody simulates.

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
