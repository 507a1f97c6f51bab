//! Very many clients that are all there at once, and little else: for counting what a connection
//! costs. Nothing goes wrong here; every echo is checked all the same.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::kernel::{Action, Environment, FaultProfile, SimKernel};
use super::net::{Net, SocketId};
use super::remote::Received;
use crate::protocol::{Service, Time};
use crate::reactor::{EVENTS_PER_TURN_MAX, Holdings, Limits, Policy, Reactor};

/// What each client sends, in bytes, with its number in front.
const MESSAGE_BYTES: usize = 64;
/// Acts between two waits.
const ACTS_PER_TURN: usize = 1_000;
/// The buffers of a connection: inbound, outbound.
const BUFFERS: (usize, usize) = (4_096, 4_096);

/// A server of echo with its mass of clients.
pub struct Mass<S: Service> {
    reactor: Reactor<SimKernel<Clients>, S>,
    count: usize,
}

/// What the clients are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    Sending,
    Closing,
}

#[derive(Debug, Default)]
struct Clients {
    ids: Vec<SocketId>,
    doing: Option<Doing>,
    /// How many have done it.
    done: usize,
    accepted: usize,
    echoed: usize,
    wrong: usize,
    closed: usize,
}

fn message(serial: usize) -> [u8; MESSAGE_BYTES] {
    let mut message = [b'.'; MESSAGE_BYTES];
    message[..8].copy_from_slice(&(serial as u64).to_le_bytes());
    message
}

impl Clients {
    fn do_one(&mut self, net: &mut Net) {
        let id = self.ids[self.done];
        match self.doing {
            Some(Doing::Sending) => {
                let sent = net.send(id, &message(self.done));
                assert_eq!(sent, Ok(MESSAGE_BYTES), "there is room for one message");
            }
            Some(Doing::Closing) => net.close(id),
            Some(Doing::Nothing) | None => {}
        }
        self.done += 1;
    }
}

impl Environment for Clients {
    fn next(&self) -> Option<Time> {
        let is_busy = self.doing.is_some() && self.done < self.ids.len();
        is_busy.then_some(Time::ZERO)
    }

    fn act(&mut self, net: &mut Net) {
        for _ in 0..ACTS_PER_TURN {
            if self.next().is_none() {
                return;
            }
            self.do_one(net);
        }
    }

    fn saw(&mut self, net: &mut Net, id: SocketId, action: Action<'_>) {
        match action {
            Action::Accepted => self.accepted += 1,
            Action::Written(bytes) => {
                let owner = net.socket(id).owner;
                let is_right = bytes == message(owner)
                    && net.receive(id, MESSAGE_BYTES) == Received::Bytes(MESSAGE_BYTES);
                self.echoed += usize::from(is_right);
                self.wrong += usize::from(!is_right);
            }
            Action::Closed | Action::Reset => self.closed += 1,
            Action::Reported | Action::Read(_) | Action::ReadEnd | Action::ReadNothing => {}
            Action::Broken(_) | Action::Shut => {}
        }
    }

    fn accept_failed(&mut self, _net: &Net) {}

    fn asked_in_vain(&mut self, _listener: usize) {}

    fn waits(&mut self, _net: &Net, _is_asleep: bool) {}

    fn never_waits(&mut self, _calls: u64) {}
}

impl<S: Service> Mass<S> {
    /// Clients that wait in the backlog of a server that has accepted none of them.
    ///
    /// # Errors
    /// None that can happen on a simulated kernel.
    pub fn new(count: usize, service: S, origin: S::Origin, policy: Policy) -> io::Result<Mass<S>> {
        let fault_profile = FaultProfile {
            descriptors_max: usize::MAX,
            faults_per_1024: 0,
            stops_per_65536: 0,
            stop_max: Duration::ZERO,
            batch: EVENTS_PER_TURN_MAX,
            call_cost_max: Duration::ZERO,
        };
        let mut kernel = SimKernel::new(0, fault_profile, Clients::default());
        let listener = kernel.listener(count);
        for serial in 0..count {
            let port = u16::try_from(1_024 + serial % 60_000).expect("less than 65,536");
            let host = u32::try_from(serial / 60_000).expect("fewer than 2^32 clients");
            let host = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + host);
            let address = SocketAddr::from((host, port));
            let id = kernel.net.connect(listener, serial, address, BUFFERS);
            let id = id.ok().flatten().expect("the backlog takes them all");
            kernel.environment.ids.push(id);
        }
        let limits = Limits {
            clients_max: count,
            grace: Some(Duration::ZERO),
            ..Limits::default()
        };
        let mut reactor = Reactor::new(kernel, service, limits);
        reactor.listen(listener, origin, policy)?;
        Ok(Mass { reactor, count })
    }

    /// Lets the server accept everybody.
    ///
    /// # Errors
    /// What the reactor's turn fails with.
    pub fn open(&mut self) -> io::Result<()> {
        let count = self.count;
        self.turn_until(Doing::Nothing, |clients| clients.accepted == count)
    }

    /// Every client sends a message and gets it back. Returns how many were wrong.
    ///
    /// # Errors
    /// What the reactor's turn fails with.
    pub fn echo(&mut self) -> io::Result<usize> {
        let before = self.clients().echoed + self.clients().wrong;
        let all = before + self.count;
        self.turn_until(Doing::Sending, |clients| {
            clients.echoed + clients.wrong == all
        })?;
        Ok(self.clients().wrong)
    }

    /// Every client closes. Returns what the server still holds.
    ///
    /// # Errors
    /// What the reactor's turn fails with.
    pub fn close(&mut self) -> io::Result<Holdings> {
        let count = self.count;
        self.turn_until(Doing::Closing, |clients| clients.closed == count)?;
        Ok(self.reactor.holdings())
    }

    /// Calls of the kernel and acts of clients so far.
    pub fn steps(&mut self) -> u64 {
        let kernel = self.reactor.kernel_mut();
        kernel.steps() + (kernel.environment.echoed + kernel.environment.closed) as u64
    }

    fn clients(&mut self) -> &mut Clients {
        &mut self.reactor.kernel_mut().environment
    }

    fn turn_until(&mut self, doing: Doing, is_done: impl Fn(&Clients) -> bool) -> io::Result<()> {
        let clients = self.clients();
        clients.done = 0;
        clients.doing = Some(doing);
        while !is_done(self.clients()) {
            self.reactor.turn()?;
        }
        Ok(())
    }
}
