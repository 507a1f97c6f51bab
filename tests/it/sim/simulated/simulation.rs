//! The simulated machine of a script: a kernel without faults, and the far ends of its network.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use epollo::reactor::EVENTS_PER_TURN_MAX;
use epollo::sim::{FaultProfile, SimKernel, SocketId, WasReset};

use super::link::Link;
use super::machine::{FarEnds, Machine};
use super::script::{Act, Outcome};

/// More than a script sends that is not about full buffers.
const BUFFER_BYTES: usize = 1 << 20;
/// That of the real machine's listener.
pub const BACKLOG: usize = 16;
const FIRST_PORT: u16 = 10_000;

pub type SimMachine = Machine<SimKernel<()>, SimFarEnds>;

#[derive(Default)]
pub struct SimFarEnds {
    pub buffers: Option<(usize, usize)>,
    pub ids: Vec<SocketId>,
}

/// A kernel in which nothing goes wrong.
pub fn kernel(descriptors_max: usize, batch: usize) -> SimKernel<()> {
    let fault_profile = FaultProfile {
        descriptors_max,
        faults_per_1024: 0,
        stops_per_65536: 0,
        stop_max: Duration::ZERO,
        batch,
        call_cost_max: Duration::ZERO,
    };
    SimKernel::new(1, fault_profile, ())
}

pub fn machine(descriptors_max: usize) -> SimMachine {
    let mut kernel = kernel(descriptors_max, EVENTS_PER_TURN_MAX);
    let listener = kernel.listener(BACKLOG);
    Machine::new(kernel, listener, SimFarEnds::default())
}

/// A machine whose listener has TCP_NOTSENT_LOWAT.
pub fn machine_with_lowat(lowat: usize) -> SimMachine {
    let mut machine = machine(10);
    machine.kernel.net.set_lowat(0, Some(lowat));
    machine
}

impl FarEnds<SimKernel<()>> for SimFarEnds {
    fn connect(&mut self, kernel: &mut SimKernel<()>) -> Outcome {
        let number = u16::try_from(self.ids.len()).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST_PORT + number));
        let buffers = self.buffers.unwrap_or((BUFFER_BYTES, BUFFER_BYTES));
        match kernel.net.connect(0, 0, address, buffers) {
            Ok(id) => {
                self.ids.push(id.expect("a place in the backlog"));
                Outcome::Done
            }
            Err(WasReset) => Outcome::WasReset,
        }
    }

    fn number_of(&self, address: SocketAddr) -> usize {
        usize::from(address.port() - FIRST_PORT)
    }

    fn act(
        &mut self,
        kernel: &mut SimKernel<()>,
        number: usize,
        act: Act,
        bytes: &[u8],
    ) -> Outcome {
        let (net, id) = (&mut kernel.net, self.ids[number]);
        match act {
            Act::Send(_) => {
                return net
                    .send(id, bytes)
                    .map_or(Outcome::WasReset, Outcome::Count);
            }
            Act::Receive(count) => return Outcome::Far(net.receive(id, count)),
            Act::Finish => net.finish(id),
            Act::Reset => net.reset(id),
            Act::Close => net.close(id),
        }
        Outcome::Done
    }

    /// Everything arrives at once.
    fn settle(&mut self, _number: usize, _ours: Option<&SocketId>, _link: &Link) {}

    fn is_still(&self, _number: usize, _untaken: usize) -> bool {
        true
    }
}
