//! What if the kernel misbehaves? A second [`Kernel`](crate::reactor::Kernel) under the whole reactor:
//! virtual time, edge-triggered readiness as Linux has it, buffers of 64 bytes to 4 MiB, remote kernels that
//! acknowledge soon, late or never, orphans, memory that runs short, every error that a call may have,
//! and thousands of clients of every behaviour, all from one seed.
//!
//! [`run`] runs a server on it and says what was wrong. Everything is judged from the kernel's side:
//! bytes, times and descriptors. The server is not asked, and no code of it knows that it is
//! simulated.
//!
//! A step is one call of the kernel, or one act of a client.

mod behaviour;
mod calls;
mod checker;
mod client;
mod dial;
mod draw;
mod fairness;
mod fate;
mod fault;
mod kernel;
mod ledger;
mod mass;
mod near;
mod net;
mod plan;
mod pour;
mod probe;
mod queue;
mod random;
mod remote;
mod run;
mod socket;
mod talker;
mod thread;
mod typist;
mod verdict;
mod waker;
mod world;

pub use fault::{Call, Fault, State, Tally};
pub use kernel::{Action, Environment, FaultProfile, SimKernel};
pub use mass::Mass;
pub use net::{Net, SocketId};
pub use plan::{Plan, QUIT};
pub use queue::Route;
pub use remote::{Received, WasReset};
pub use run::{Origins, Outcome, run};
pub use socket::Socket;
pub use waker::SimWaker;
