//! `epollo serve` over real sockets: its services, its limits, its attackers, its end.

pub mod attacks;
mod crowd;
mod delivered;
mod endings;
mod narrow;
mod protocols;
mod scarcity;
mod streams;
mod syscalls;
