//! A second [`Kernel`](crate::reactor::Kernel): virtual time, a [`Net`] instead of a network, and faults drawn from a seed. It judges nothing.

use std::fmt;
use std::io;
use std::time::Duration;

use super::fault::{Call, Fault, REACHABLE, State, Tally};
use super::net::{Net, SocketId};
use super::random::Random;
use super::socket::Key;
use super::waker::SimWaker;
use crate::protocol::Time;
use crate::reactor::{Readiness, Token};
use crate::trace::Flags;

/// For how long bytes may be said not to be there yet.
pub(super) const DELAY: Duration = Duration::from_millis(5);

/// What the kernel did with a connection, for whoever looks on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// It was accepted.
    Accepted,
    /// epoll reported that there is something to read.
    Reported,
    /// The process was given these bytes.
    Read(&'a [u8]),
    /// The process read EOF.
    ReadEnd,
    /// The process got EAGAIN.
    ReadNothing,
    /// These bytes of the process were taken.
    Written(&'a [u8]),
    /// The process got this error, by which the connection ends.
    Broken(Fault),
    /// The process shut its half.
    Shut,
    /// The process closed it, or the kernel dropped it from the backlog.
    Closed,
    /// The process closed it by a reset.
    Reset,
}

impl fmt::Display for Action<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Accepted => f.write_str("accepted"),
            Action::Reported => f.write_str("reported ready"),
            Action::Read(bytes) => write!(f, "read {} bytes", bytes.len()),
            Action::ReadEnd => f.write_str("read the end"),
            Action::ReadNothing => f.write_str("nothing to read, or no room"),
            Action::Written(bytes) => write!(f, "wrote {} bytes", bytes.len()),
            Action::Broken(fault) => write!(f, "broken: {fault:?}"),
            Action::Shut => f.write_str("shut our half"),
            Action::Closed => f.write_str("closed"),
            Action::Reset => f.write_str("closed by a reset"),
        }
    }
}

/// A time as people read it in a trace.
pub(super) struct Clock(pub(super) Time);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        write!(
            f,
            "{}.{:09}",
            nanoseconds / 1_000_000_000,
            nanoseconds % 1_000_000_000
        )
    }
}

/// Everything beyond the kernel: the clients, the network, the user at the terminal.
pub trait Environment {
    /// When it acts next.
    fn next(&self) -> Option<Time>;

    /// Does what is due.
    fn act(&mut self, net: &mut Net);

    /// Sees what the kernel did.
    fn saw(&mut self, net: &mut Net, id: SocketId, action: Action<'_>);

    /// An accept found no descriptor or memory.
    fn accept_failed(&mut self, net: &Net);

    /// An accept from this listener was made to fail, whoever waits there.
    fn asked_in_vain(&mut self, listener: usize);

    /// The process waits: `is_asleep` if it would sleep now, since epoll has nothing to report.
    fn waits(&mut self, net: &Net, is_asleep: bool);

    /// The process has made so many calls since it waited that it will not; they fail from here on.
    fn never_waits(&mut self, calls: u64);
}

/// Nothing happens but what the process does.
impl Environment for () {
    fn next(&self) -> Option<Time> {
        None
    }

    fn act(&mut self, _net: &mut Net) {}

    fn saw(&mut self, _net: &mut Net, _id: SocketId, _action: Action<'_>) {}

    fn accept_failed(&mut self, _net: &Net) {}
    fn asked_in_vain(&mut self, _listener: usize) {}
    fn waits(&mut self, _net: &Net, _is_asleep: bool) {}

    fn never_waits(&mut self, _calls: u64) {}
}

/// How a simulated kernel behaves.
#[derive(Clone, Copy, Debug)]
pub struct FaultProfile {
    /// Descriptors that the process may have.
    pub descriptors_max: usize,
    /// How many calls of 1024 go wrong.
    pub faults_per_1024: usize,
    /// How many waits of 65,536 find the process stopped.
    pub stops_per_65536: usize,
    /// For how long it is stopped, at most.
    pub stop_max: Duration,
    /// Events that one wait can report.
    pub batch: usize,
    /// What a call costs at most.
    pub call_cost_max: Duration,
}

/// A kernel that goes wrong in every way that a real one may, the same way for the same seed.
#[derive(Debug)]
pub struct SimKernel<O> {
    /// The machine's sockets.
    pub net: Net,
    /// The rest of the world.
    pub environment: O,
    pub(super) fault_profile: FaultProfile,
    pub(super) rng: Random,
    tally: Tally,
    pub(super) steps: u64,
    /// Calls since the last wait.
    pub(super) calls_in_turn: u64,
    /// Another thread has asked for something.
    pub(super) waker: SimWaker,
    /// Tokens of peers that are gone, the latest few.
    pub(super) gone: [Option<Token>; 4],
}

impl<O: Environment> SimKernel<O> {
    /// A machine with no sockets.
    pub fn new(seed: u64, fault_profile: FaultProfile, environment: O) -> SimKernel<O> {
        SimKernel {
            net: Net::new(fault_profile.descriptors_max),
            environment,
            fault_profile,
            rng: Random::new(seed),
            tally: Tally::default(),
            steps: 0,
            calls_in_turn: 0,
            waker: SimWaker::default(),
            gone: [None; 4],
        }
    }

    /// A listening socket.
    pub fn listener(&mut self, backlog: usize) -> usize {
        self.net.add_listener(backlog)
    }

    /// A terminal, or another stream that is no socket.
    pub fn terminal(&mut self, owner: usize, buffers: (usize, usize)) -> SocketId {
        self.net.add_terminal(owner, buffers)
    }

    /// Faults injected so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Calls so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// From now on nothing is injected.
    pub fn behave(&mut self) {
        self.fault_profile.faults_per_1024 = 0;
        self.fault_profile.stops_per_65536 = 0;
    }

    /// Draws what goes wrong with this call, if anything does.
    pub(super) fn draw(&mut self, call: Call, state: State) -> Option<Fault> {
        if !self.rng.happens(self.fault_profile.faults_per_1024, 1024) {
            return None;
        }
        let rows = REACHABLE
            .iter()
            .filter(|(row, _, states)| *row == call && states.contains(&state));
        let count = rows.clone().map(|(_, faults, _)| faults.len()).sum();
        if count == 0 {
            return None;
        }
        let chosen = self.rng.below(count);
        let fault = rows
            .flat_map(|(_, faults, _)| faults.iter().copied())
            .nth(chosen);
        // Those by which something ends are rarer, so that more can happen before.
        fault.filter(|fault| fault.is_passing() || self.rng.happens(1, 32))
    }

    /// A fault of a call on a connection: terminals have fewer.
    pub(super) fn draw_for(&mut self, call: Call, id: SocketId) -> Option<(Fault, State)> {
        let socket = self.net.socket(id);
        let (state, is_socket) = (socket.state(), socket.is_socket);
        let fault = self.draw(call, state)?;
        let is_harmless = matches!(fault, Fault::Interrupted | Fault::WouldBlock | Fault::Short);
        (is_socket || is_harmless).then_some((fault, state))
    }

    pub(super) fn count(&mut self, call: Call, fault: Fault, state: State) {
        let clock = Clock(self.net.now);
        log::info!("{clock} fault: {call:?} {fault:?}, {state:?}");
        self.tally.add(call, fault, state);
    }

    /// The connection breaks at this call.
    pub(super) fn break_off(&mut self, id: SocketId, fault: Fault) -> io::Error {
        self.net.break_off(id);
        self.environment
            .saw(&mut self.net, id, Action::Broken(fault));
        error_of(fault)
    }

    /// An error that the connection itself has.
    pub(super) fn failed(
        &mut self,
        call: Call,
        id: SocketId,
        state: State,
        fault: Fault,
    ) -> io::Error {
        if fault == Fault::WouldBlock {
            self.environment.saw(&mut self.net, id, Action::ReadNothing);
        } else {
            self.count(call, fault, state);
            self.environment
                .saw(&mut self.net, id, Action::Broken(fault));
        }
        error_of(fault)
    }

    /// Reads or peeks.
    pub(super) fn receive(
        &mut self,
        call: Call,
        id: SocketId,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        self.call()?;
        let state = self.net.socket(id).state();
        let mut end = buffer.len();
        match self.draw_for(call, id) {
            Some((Fault::Interrupted, _)) => {
                self.count(call, Fault::Interrupted, state);
                return Err(error_of(Fault::Interrupted));
            }
            Some((Fault::WouldBlock, _)) if self.has_just_come(id) => {
                self.count(call, Fault::WouldBlock, state);
                self.net.socket_mut(id).is_denied = true;
                self.net.wake(id, Key::Any);
                return Err(error_of(Fault::WouldBlock));
            }
            Some((Fault::Short, _)) if self.net.socket(id).unread() > 1 => {
                let unread = self.net.socket(id).unread().min(end);
                if unread > 1 {
                    self.count(call, Fault::Short, state);
                    self.net.wake(id, Key::Readable);
                    end = 1 + self.rng.below(unread - 1);
                }
            }
            Some((Fault::WouldBlock | Fault::Short, _)) | None => {}
            Some((fault, _)) => {
                self.count(call, fault, state);
                return Err(self.break_off(id, fault));
            }
        }
        let result = if call == Call::Peek {
            self.net.socket_mut(id).peek(&mut buffer[..end])
        } else {
            self.net.read(id, &mut buffer[..end])
        };
        match result {
            Err(fault) => Err(self.failed(call, id, state, fault)),
            Ok(0) => {
                self.net.socket_mut(id).end_was_read = true;
                self.environment.saw(&mut self.net, id, Action::ReadEnd);
                Ok(0)
            }
            Ok(count) if call == Call::Peek => Ok(count),
            Ok(count) => {
                self.environment
                    .saw(&mut self.net, id, Action::Read(&buffer[..count]));
                Ok(count)
            }
        }
    }

    /// It could as well have come a little later.
    fn has_just_come(&self, id: SocketId) -> bool {
        let came = self.net.socket(id).unread_since();
        let came = came.filter(|_| !self.net.is_ending);
        came.is_some_and(|came| self.net.now < came.after(DELAY))
    }

    pub(super) fn stop_process(&mut self) {
        let time = self.rng.duration(self.fault_profile.stop_max);
        self.net.stopped += time;
        let until = self.net.now.after(time);
        while let Some(next) = self.next().filter(|&next| next <= until) {
            self.net.now = self.net.now.max(next);
            self.act();
        }
        self.net.now = self.net.now.max(until);
    }

    /// When something happens that the process does not do.
    pub(super) fn next(&self) -> Option<Time> {
        self.net
            .next()
            .into_iter()
            .chain(self.environment.next())
            .min()
    }

    /// Lets others do what is due.
    pub(super) fn act(&mut self) {
        self.net.act();
        self.environment.act(&mut self.net);
    }

    /// Lets the world go on until epoll has something to report or the time has come.
    pub(super) fn sleep(&mut self, until: Option<Time>) -> io::Result<()> {
        loop {
            self.act();
            if !self.net.is_quiet()
                || self.waker.is_set()
                || until.is_some_and(|until| until <= self.net.now)
            {
                return Ok(());
            }
            let next = self.next().into_iter().chain(until).min();
            let next = next.ok_or_else(|| io::Error::other("it would sleep forever"))?;
            self.net.now = self.net.now.max(next);
        }
    }

    /// Events that need not be.
    pub(super) fn embroider(
        &mut self,
        fault: Option<Fault>,
        state: State,
        ready: &mut Vec<Readiness>,
    ) {
        let extra = match fault {
            Some(Fault::Spurious) => {
                let index = self.rng.below(self.net.capacity().max(1));
                let watched = self.net.find(index).and_then(|socket| socket.watched);
                watched.map(|(token, _)| self.any_readiness(token))
            }
            Some(Fault::Duplicate) if !ready.is_empty() => Some(self.rng.one_of(ready)),
            Some(Fault::Stale) => {
                let token = self.rng.one_of(&self.gone);
                token.map(|token| self.any_readiness(token))
            }
            Some(_) | None => None,
        };
        if let (Some(readiness), Some(fault)) = (extra, fault) {
            self.count(Call::Wait, fault, state);
            let at = self.rng.below(ready.len() + 1);
            ready.insert(at, readiness);
        }
    }

    fn any_readiness(&mut self, token: Token) -> Readiness {
        let drawn = self.rng.below(7) + 1;
        let bit = |bit, flag: Flags| flag.only_if(drawn & bit != 0);
        let flags = bit(1, Flags::IN) | bit(2, Flags::OUT) | bit(4, Flags::ERR);
        Readiness { token, flags }
    }
}

pub(super) fn error_of(fault: Fault) -> io::Error {
    fault.error().expect("only errors are reported as errors")
}
