//! `epollo sim`, and its kernel held against the real one.

mod command;
mod simulated;
