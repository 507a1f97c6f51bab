//! The kernel alone, without a line of ours.

pub mod facts;
