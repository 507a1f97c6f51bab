//! What if the kernel misbehaves? A simulated kernel under the whole reactor.

mod calls;
mod fault;
mod kernel;
mod net;
mod random;
mod socket;

pub use fault::{Call, Fault, REACHABLE, State, Tally, cells};
pub use kernel::{Deed, Manners, Outside, SimKernel};
pub use net::{Net, Received, SocketId, WasReset};
pub use random::{Random, scrambled};
pub use socket::Socket;
