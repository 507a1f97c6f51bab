//! The remote ends of a [`Net`]: the calls that clients make. They have no errors but a reset.

use std::net::SocketAddr;

use super::net::{Net, SocketId};
use super::queue::Route;
use super::socket::{Key, Place, Socket};

/// What the remote end finds when it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// So many bytes.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// No more will come.
    End,
    /// The connection was reset.
    Reset,
}

/// A reset came instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WasReset;

impl Net {
    /// connect(2). `None` if the backlog is full, and its answer is silence.
    ///
    /// # Errors
    /// [`WasReset`] if nobody listens any more.
    pub fn connect(
        &mut self,
        listener: usize,
        owner: usize,
        address: SocketAddr,
        route: impl Into<Route>,
    ) -> Result<Option<SocketId>, WasReset> {
        let backlog = &mut self.backlogs[listener];
        if !backlog.is_open {
            return Err(WasReset);
        }
        if backlog.waiting.len() > backlog.max {
            return Ok(None);
        }
        let socket = Socket::new(owner, address, route.into(), backlog.lowat);
        let id = self.sockets.insert(socket);
        backlog.waiting.push_back(id);
        self.wake_listener(listener);
        Ok(Some(SocketId(id)))
    }

    /// send(2) at the remote end: how many bytes our side has room for.
    ///
    /// # Errors
    /// [`WasReset`] if our side is closed or was reset.
    pub fn send(&mut self, id: SocketId, bytes: &[u8]) -> Result<usize, WasReset> {
        let memory = self.pressure();
        let socket = &mut self.sockets[id.0];
        if socket.place == Place::Gone {
            socket.die();
        }
        if socket.is_dead {
            self.account(id);
            return Err(WasReset);
        }
        let count = bytes.len().min(socket.inbound_room(memory));
        socket.inbound.extend(&bytes[..count]);
        if count > 0 {
            socket.unread_since.get_or_insert(self.now);
            self.wake(id, Key::Readable);
            // What it says carries an acknowledgement.
            self.hurry(id);
            self.account(id);
        }
        Ok(count)
    }

    /// recv(2) at the remote end, of at most so many bytes. What came before a reset can be read, and
    /// whoever has read our EOF sees no reset behind it.
    pub fn receive(&mut self, id: SocketId, count_max: usize) -> Received {
        let socket = &mut self.sockets[id.0];
        let has_gap = socket.outbound.queued() > 0;
        let count = socket.outbound.receive(count_max);
        if count > 0 {
            if has_gap {
                // It has room again, and says so.
                self.hurry(id);
                self.carry(id);
            }
            return Received::Bytes(count);
        }
        match (socket.outbound.has_end_arrived(), socket.is_dead) {
            (true, _) => Received::End,
            (false, true) => Received::Reset,
            (false, false) => Received::Nothing,
        }
    }

    /// What has arrived is acknowledged at once.
    fn hurry(&mut self, id: SocketId) {
        if self.sockets[id.0].acknowledges_at.is_some() {
            self.acknowledge(id);
        }
    }

    /// shutdown(2) of the remote end's own half.
    pub fn finish(&mut self, id: SocketId) {
        let socket = &mut self.sockets[id.0];
        if !socket.is_dead && !socket.has_end {
            socket.has_end = true;
            socket.unread_since.get_or_insert(self.now);
            self.wake(id, Key::Any);
            self.hurry(id);
        }
    }

    /// close(2) at the remote end with SO_LINGER 0: a reset.
    pub fn reset(&mut self, id: SocketId) {
        let socket = &mut self.sockets[id.0];
        if !socket.is_over() {
            socket.die();
            self.account(id);
            self.wake(id, Key::Any);
        }
        self.let_go(id);
    }

    /// close(2) at the remote end. With unread bytes it is a reset (RFC 2525, 2.17).
    pub fn close(&mut self, id: SocketId) {
        let socket = &self.sockets[id.0];
        if socket.outbound.is_cut {
            // Nobody receives it.
            return self.let_go(id);
        }
        if socket.outbound.unread() > 0 {
            return self.reset(id);
        }
        self.finish(id);
        self.let_go(id);
    }

    fn let_go(&mut self, id: SocketId) {
        self.sockets[id.0].is_remote_open = false;
        self.forget_if_closed(id);
    }
}
