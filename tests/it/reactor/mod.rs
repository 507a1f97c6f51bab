//! The loop, over a kernel that is set up byte by byte.

mod contract;
mod embedded;
mod rare;
mod stopped;
