//! epollo.
#[cfg(feature = "cli")]
pub mod cli;
pub mod protocol;
pub mod reactor;
