//! The calls that the reactor makes, on a [`SimKernel`]: what each draws from the table of faults,
//! and what it does if nothing goes wrong.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::fault::{Call, Fault, State};
use super::kernel::{Action, Clock, Environment, SimKernel, error_of};
use super::net::SocketId;
use super::socket::Key;
use super::waker::SimWaker;
use crate::protocol::Time;
use crate::reactor::{Batch, Delivery, Interest, Kernel, Readiness, Token};

/// Calls between two waits. A fair turn makes a few thousand; 1,024 peers that all keep it reading until
/// the budget of each ends would take it to some 70,000.
const TURN_CALLS_MAX: u64 = 100_000;

impl<O: Environment> SimKernel<O> {
    /// A call begins: it takes time, in which others may act. It fails if there have been far too many
    /// in this turn, so that a process which retries in vain gives up.
    ///
    /// # Panics
    /// If it does not give up either.
    pub(super) fn call(&mut self) -> io::Result<()> {
        self.call_surely();
        self.calls_in_turn += 1;
        if self.calls_in_turn <= TURN_CALLS_MAX {
            return Ok(());
        }
        if self.calls_in_turn == TURN_CALLS_MAX + 1 {
            self.environment.never_waits(TURN_CALLS_MAX);
        }
        assert!(
            self.calls_in_turn <= 2 * TURN_CALLS_MAX,
            "a turn ends when every call fails"
        );
        Err(io::Error::other("too many calls in a turn"))
    }

    /// One that cannot fail.
    fn call_surely(&mut self) {
        self.steps += 1;
        let cost_max = self.fault_profile.call_cost_max.as_nanos();
        let cost = self
            .rng
            .below(usize::try_from(cost_max).unwrap_or(usize::MAX) + 1);
        let cost = Duration::from_nanos(cost as u64);
        self.net.now = self.net.now.after(cost);
        if self.rng.happens(1, 16) {
            self.act();
        }
    }

    fn accept_well(&mut self, listener: usize, state: State) -> io::Result<(SocketId, SocketAddr)> {
        match self.net.accept(listener) {
            Ok((id, address)) => {
                self.environment.saw(&mut self.net, id, Action::Accepted);
                Ok((id, address))
            }
            Err(fault) => {
                if fault != Fault::WouldBlock {
                    self.count(Call::Accept, fault, state);
                }
                Err(error_of(fault))
            }
        }
    }

    /// epoll_ctl(2), to add or to modify.
    fn watch(
        &mut self,
        call: Call,
        id: SocketId,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.call()?;
        if let Some((fault, state)) = self.draw_for(call, id) {
            self.count(call, fault, state);
            return Err(self.break_off(id, fault));
        }
        self.net.watch(id, token, interest);
        Ok(())
    }

    /// A connection is about to be closed in this way.
    fn leave(&mut self, id: SocketId, action: Action<'_>) {
        self.call_surely();
        if let Some((token, _)) = self.net.socket(id).watched {
            self.gone.rotate_right(1);
            self.gone[0] = Some(token);
        }
        self.environment.saw(&mut self.net, id, action);
    }

    /// A connection takes less than it could, and reports room afterwards. Returns how much.
    fn hold_back(&mut self, id: SocketId, fault: Fault, offered: usize) -> usize {
        let socket = self.net.socket(id);
        let state = socket.state();
        if socket.is_dead || !socket.has_room() || (fault == Fault::Short && offered < 2) {
            return offered;
        }
        self.count(Call::Write, fault, state);
        self.net.wake(id, Key::Writable);
        if fault == Fault::Short {
            1 + self.rng.below(offered - 1)
        } else {
            0
        }
    }
}

impl<O: Environment> Kernel for SimKernel<O> {
    type Listener = usize;
    type Stream = SocketId;
    type Waker = SimWaker;

    fn now(&mut self) -> Time {
        self.net.is_asleep = false;
        self.net.seen = self.net.now;
        self.net.now
    }

    fn clock(&self) -> Time {
        self.net.now
    }

    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Readiness>) -> io::Result<Batch> {
        self.calls_in_turn = 0;
        self.call()?;
        self.net.is_asleep = true;
        let state = match timeout {
            Some(Duration::ZERO) => State::Looking,
            Some(_) | None => State::Asleep,
        };
        let is_asleep = state == State::Asleep && self.net.is_quiet();
        self.environment.waits(&self.net, is_asleep);
        let fault = self.draw(Call::Wait, state);
        let is_stopped = self.rng.happens(self.fault_profile.stops_per_65536, 65536);
        if state == State::Asleep && (is_stopped || fault == Some(Fault::Interrupted)) {
            // SIGCONT ends a wait, so that it reports nothing of what came meanwhile (signal(7)).
            if is_stopped {
                self.count(Call::Wait, Fault::Stopped, state);
                self.stop_process();
            } else {
                self.count(Call::Wait, Fault::Interrupted, state);
            }
            return Err(error_of(Fault::Interrupted));
        }
        self.sleep(timeout.map(|timeout| self.net.now.after(timeout)))?;
        let batch = match fault {
            Some(Fault::Crowded) => 1 + self.rng.below(2),
            Some(_) | None => self.fault_profile.batch,
        };
        self.net.report(batch, ready);
        if ready.len() < batch {
            ready.extend(self.waker.take());
        }
        if state == State::Asleep || !ready.is_empty() {
            log::info!("{} wait: {} ready", Clock(self.net.now), ready.len());
        }
        // To look and find nothing is no step.
        self.steps -= u64::from(state == State::Looking && ready.is_empty());
        for id in std::mem::take(&mut self.net.reported) {
            self.environment.saw(&mut self.net, id, Action::Reported);
        }
        let outcome = if ready.len() >= batch {
            Batch::Truncated
        } else {
            Batch::Complete
        };
        match outcome {
            Batch::Truncated if fault == Some(Fault::Crowded) => {
                self.count(Call::Wait, Fault::Crowded, state);
            }
            Batch::Truncated => {}
            // Who spins would never sleep.
            Batch::Complete if state == State::Looking && ready.is_empty() => {}
            Batch::Complete => self.embroider(fault, state, ready),
        }
        Ok(outcome)
    }

    fn waker(&mut self) -> io::Result<SimWaker> {
        Ok(self.waker.clone())
    }

    fn listen(&mut self, listener: &mut usize, token: Token) -> io::Result<()> {
        self.call()?;
        self.net.watch_listener(*listener, token);
        Ok(())
    }

    fn accept(&mut self, listener: &mut usize) -> io::Result<(SocketId, SocketAddr)> {
        self.call()?;
        let state = match self.net.waiting(*listener) {
            0 => State::Nobody,
            _ => State::Crowd,
        };
        let Some(fault) = self.draw(Call::Accept, state) else {
            return self.accept_well(*listener, state);
        };
        self.count(Call::Accept, fault, state);
        self.environment.asked_in_vain(*listener);
        if fault == Fault::WouldBlock {
            self.net.wake_listener(*listener);
        } else if fault == Fault::Aborted {
            if let Some(id) = self.net.abort(*listener) {
                self.environment
                    .saw(&mut self.net, id, Action::Broken(fault));
                self.net.forget_if_closed(id);
            }
        } else if fault != Fault::Interrupted {
            self.environment.accept_failed(&self.net);
        }
        Err(error_of(fault))
    }

    fn register(
        &mut self,
        stream: &mut SocketId,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.watch(Call::Register, *stream, token, interest)
    }

    fn reregister(
        &mut self,
        stream: &mut SocketId,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.watch(Call::Reregister, *stream, token, interest)
    }

    fn read(&mut self, stream: &mut SocketId, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(Call::Read, *stream, buffer)
    }

    fn is_socket(&self, stream: &SocketId) -> bool {
        self.net.socket(*stream).is_socket
    }

    fn peer_address(&self, stream: &SocketId) -> Option<SocketAddr> {
        let socket = self.net.socket(*stream);
        socket.is_socket.then_some(socket.address)
    }

    fn connect(
        &mut self,
        address: SocketAddr,
        source: Option<IpAddr>,
    ) -> io::Result<(SocketId, SocketAddr)> {
        self.call()?;
        let own = SocketAddr::new(source.unwrap_or(Ipv4Addr::LOCALHOST.into()), 1);
        let id = self.net.dial(address, &mut self.rng).map_err(error_of)?;
        Ok((id, own))
    }

    fn connected(&mut self, stream: &mut SocketId) -> io::Result<()> {
        self.call()?;
        let socket = self.net.socket_mut(*stream);
        if socket.is_connecting {
            return Err(error_of(Fault::WouldBlock));
        }
        // What came before a reset is read before that is told.
        if socket.unread() > 0 {
            return Ok(());
        }
        let Some(fault) = socket.error.take() else {
            return Ok(());
        };
        self.environment
            .saw(&mut self.net, *stream, Action::Broken(fault));
        Err(error_of(fault))
    }

    fn peek(&mut self, stream: &mut SocketId, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(Call::Peek, *stream, buffer)
    }

    fn write(&mut self, stream: &mut SocketId, bytes: &[u8]) -> io::Result<usize> {
        self.call()?;
        let id = *stream;
        let state = self.net.socket(id).state();
        let mut offered = bytes.len();
        match self.draw_for(Call::Write, id) {
            Some((Fault::Interrupted, _)) => {
                self.count(Call::Write, Fault::Interrupted, state);
                return Err(error_of(Fault::Interrupted));
            }
            Some((fault @ (Fault::WouldBlock | Fault::Short), _)) => {
                offered = self.hold_back(id, fault, offered);
            }
            Some((fault, _)) => {
                self.count(Call::Write, fault, state);
                return Err(self.break_off(id, fault));
            }
            None => {}
        }
        match self.net.write(id, offered) {
            Ok(count) => {
                self.net.socket_mut(id).owes |= count < bytes.len();
                self.environment
                    .saw(&mut self.net, id, Action::Written(&bytes[..count]));
                Ok(count)
            }
            Err(fault) => {
                self.net.socket_mut(id).owes |= fault == Fault::WouldBlock;
                Err(self.failed(Call::Write, id, state, fault))
            }
        }
    }

    fn shutdown(&mut self, stream: &mut SocketId) -> io::Result<()> {
        self.call()?;
        let id = *stream;
        let state = self.net.socket(id).state();
        if let Some((fault, _)) = self.draw_for(Call::Shutdown, id) {
            self.count(Call::Shutdown, fault, state);
            return Err(self.break_off(id, fault));
        }
        match self.net.shut_ours(id) {
            Ok(()) => {
                self.environment.saw(&mut self.net, id, Action::Shut);
                Ok(())
            }
            Err(fault) => Err(self.failed(Call::Shutdown, id, state, fault)),
        }
    }

    fn delivery(&mut self, stream: &SocketId) -> io::Result<Delivery> {
        self.call()?;
        let socket = self.net.socket(*stream);
        if !socket.is_socket {
            return Ok(Delivery::COMPLETE);
        }
        Ok(Delivery {
            acknowledged: socket.acknowledged(),
            is_complete: socket.is_delivered(),
        })
    }

    fn take_error(&mut self, stream: &SocketId) -> io::Result<Option<io::Error>> {
        self.call()?;
        let Some(fault) = self.net.socket_mut(*stream).error.take() else {
            return Ok(None);
        };
        self.environment
            .saw(&mut self.net, *stream, Action::Broken(fault));
        Ok(Some(error_of(fault)))
    }

    fn receive_buffer(&self, stream: &SocketId) -> io::Result<usize> {
        let socket = self.net.socket(*stream);
        Ok(if socket.is_socket {
            socket.inbound_max
        } else {
            0
        })
    }

    fn close(&mut self, stream: SocketId) {
        self.leave(stream, Action::Closed);
        self.net.hang_up(stream);
        self.net.close_ours(stream);
    }

    fn reset(&mut self, stream: SocketId) {
        self.leave(stream, Action::Reset);
        self.net.hang_up(stream);
        self.net.reset_ours(stream);
    }

    fn close_listener(&mut self, listener: usize) {
        self.call_surely();
        for id in self.net.close_listener(listener) {
            self.environment.saw(&mut self.net, id, Action::Closed);
            self.net.forget_if_closed(id);
        }
    }
}
