//! The simulated network of one machine: connections, backlogs, descriptors, and epoll's list of
//! what it has to report. Nothing goes wrong here by itself, and no time passes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use slab::Slab;

use super::fate::Dial;
use super::fault::Fault;
use super::queue::Route;
use super::socket::{Key, Place, Socket};
use crate::protocol::Time;
use crate::reactor::{Interest, Readiness, Token};
use crate::trace::Flags;

/// Names a connection or terminal of a [`Net`], until both ends have closed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketId(pub(super) usize);

impl SocketId {
    /// A number for whoever keeps a table; small, and used again.
    pub fn index(self) -> usize {
        self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Listener(usize),
    Socket(usize),
}

#[derive(Debug)]
pub(super) struct Backlog {
    pub(super) waiting: VecDeque<usize>,
    pub(super) max: usize,
    token: Option<Token>,
    is_listed: bool,
    pub(super) is_open: bool,
    /// TCP_NOTSENT_LOWAT, which its connections inherit.
    pub(super) lowat: Option<usize>,
}

/// The network. Its remote ends are called by whoever plays the clients, its near ends by the kernel.
#[derive(Debug)]
pub struct Net {
    /// What the clock shows.
    pub now: Time,
    /// What it showed when the process last waited.
    pub seen: Time,
    /// The process waits.
    pub(super) is_asleep: bool,
    /// For how long the process has been stopped, all together.
    pub stopped: Duration,
    /// It was reported to end. What has arrived by then it must find when it reads: from here on EAGAIN is the
    /// truth.
    pub is_ending: bool,
    pub(super) sockets: Slab<Socket>,
    pub(super) backlogs: Vec<Backlog>,
    /// What epoll has yet to report.
    ready: VecDeque<Source>,
    /// Of whom the latest wait reported that there is something to read.
    pub(super) reported: Vec<SocketId>,
    descriptors: usize,
    descriptors_max: usize,
    /// Calls of the process that are not answered yet.
    pub(super) dials: BTreeMap<usize, Dial>,
    /// When the first of them is.
    pub(super) answer_at: Time,
    /// What all sockets of the machine may hold before memory is short (tcp_mem, tcp(7)).
    pub memory_max: usize,
    /// Orphans that the machine keeps (tcp_max_orphans).
    pub orphans_max: usize,
    pub(super) memory: usize,
    pub(super) orphans: usize,
    /// When remote kernels acknowledge, and when our own gives up an orphan.
    pub(super) clock: BinaryHeap<Reverse<(Time, usize)>>,
}

impl Net {
    pub(super) fn new(descriptors_max: usize) -> Net {
        Net {
            now: Time::from_nanos(1),
            seen: Time::from_nanos(1),
            is_asleep: false,
            stopped: Duration::ZERO,
            is_ending: false,
            sockets: Slab::new(),
            backlogs: Vec::new(),
            ready: VecDeque::new(),
            reported: Vec::new(),
            descriptors: 0,
            descriptors_max,
            dials: BTreeMap::new(),
            answer_at: Time::NEVER,
            memory_max: usize::MAX,
            orphans_max: usize::MAX,
            memory: 0,
            orphans: 0,
            clock: BinaryHeap::new(),
        }
    }

    /// A connection; it must not be closed at both ends.
    pub fn socket(&self, id: SocketId) -> &Socket {
        &self.sockets[id.0]
    }

    pub(super) fn socket_mut(&mut self, id: SocketId) -> &mut Socket {
        &mut self.sockets[id.0]
    }

    /// A connection by its number, if there is one.
    pub(super) fn find(&self, index: usize) -> Option<&Socket> {
        self.sockets.get(index)
    }

    /// How many connections are not closed at both ends, terminals among them.
    pub fn open(&self) -> usize {
        self.sockets.len()
    }

    /// The numbers of connections are below this.
    pub(super) fn capacity(&self) -> usize {
        self.sockets.capacity()
    }

    /// How many descriptors we have.
    pub fn descriptors(&self) -> usize {
        self.descriptors
    }

    /// Whether we may have another descriptor.
    pub fn has_descriptor(&self) -> bool {
        self.descriptors < self.descriptors_max
    }

    /// How many clients wait to be accepted.
    pub fn waiting(&self, listener: usize) -> usize {
        self.backlogs[listener].waiting.len()
    }

    /// Whether epoll has yet to report this listener.
    pub fn is_listed(&self, listener: usize) -> bool {
        self.backlogs[listener].is_listed
    }

    /// Whether epoll has nothing to report.
    pub(super) fn is_quiet(&self) -> bool {
        self.ready.is_empty()
    }

    /// Makes a listener, and uses a descriptor.
    pub(super) fn add_listener(&mut self, backlog: usize) -> usize {
        self.descriptors += 1;
        self.backlogs.push(Backlog {
            waiting: VecDeque::new(),
            max: backlog,
            token: None,
            is_listed: false,
            is_open: true,
            lowat: None,
        });
        self.backlogs.len() - 1
    }

    /// TCP_NOTSENT_LOWAT of a listener, for whoever comes from now on.
    pub fn set_lowat(&mut self, listener: usize, lowat: Option<usize>) {
        self.backlogs[listener].lowat = lowat;
    }

    /// Makes a terminal, and uses a descriptor.
    pub(super) fn add_terminal(&mut self, owner: usize, buffers: (usize, usize)) -> SocketId {
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut socket = Socket::new(owner, address, Route::from(buffers), None);
        socket.is_socket = false;
        socket.place = Place::Held;
        self.add_held(socket)
    }

    /// One that the process has made itself: it uses a descriptor.
    pub(super) fn add_held(&mut self, socket: Socket) -> SocketId {
        self.descriptors += 1;
        SocketId(self.sockets.insert(socket))
    }

    pub(super) fn accept(&mut self, listener: usize) -> Result<(SocketId, SocketAddr), Fault> {
        // Linux takes the descriptor first.
        if !self.has_descriptor() {
            return Err(Fault::ProcessFull);
        }
        let waiting = self.backlogs[listener].waiting.pop_front();
        let id = SocketId(waiting.ok_or(Fault::WouldBlock)?);
        self.descriptors += 1;
        let socket = self.socket_mut(id);
        socket.place = Place::Held;
        Ok((id, socket.address))
    }

    /// The kernel drops whoever is next. To be forgotten when it has been looked at.
    pub(super) fn abort(&mut self, listener: usize) -> Option<SocketId> {
        let id = SocketId(self.backlogs[listener].waiting.pop_front()?);
        let socket = self.socket_mut(id);
        socket.die();
        socket.place = Place::Gone;
        socket.inbound = VecDeque::new();
        self.account(id);
        Some(id)
    }

    pub(super) fn close_listener(&mut self, listener: usize) -> Vec<SocketId> {
        self.descriptors -= 1;
        let backlog = &mut self.backlogs[listener];
        backlog.is_open = false;
        backlog.token = None;
        let mut dropped = Vec::new();
        while let Some(id) = self.abort(listener) {
            dropped.push(id);
        }
        dropped
    }

    /// EPOLL_CTL_ADD and EPOLL_CTL_MOD: what is ready is reported, also again.
    pub(super) fn watch(&mut self, id: SocketId, token: Token, interest: Interest) {
        let socket = self.socket_mut(id);
        socket.watched = Some((token, interest));
        if socket.readiness().is_some() {
            self.wake(id, Key::Any);
        }
    }

    pub(super) fn watch_listener(&mut self, listener: usize, token: Token) {
        self.backlogs[listener].token = Some(token);
        if !self.backlogs[listener].waiting.is_empty() {
            self.wake_listener(listener);
        }
    }

    pub(super) fn wake(&mut self, id: SocketId, key: Key) {
        let socket = &mut self.sockets[id.0];
        if socket.hears(key) && !socket.is_listed {
            socket.is_listed = true;
            self.ready.push_back(Source::Socket(id.0));
        }
    }

    pub(super) fn wake_listener(&mut self, listener: usize) {
        let backlog = &mut self.backlogs[listener];
        if backlog.token.is_some() && !backlog.is_listed {
            backlog.is_listed = true;
            self.ready.push_back(Source::Listener(listener));
        }
    }

    /// Moves what epoll has to report to `reported`, until that has `batch` events.
    pub(super) fn report(&mut self, batch: usize, reported: &mut Vec<Readiness>) {
        self.reported.clear();
        while reported.len() < batch {
            let readiness = match self.ready.pop_front() {
                None => return,
                Some(Source::Listener(listener)) => self.report_listener(listener),
                Some(Source::Socket(index)) => self.report_socket(index),
            };
            reported.extend(readiness);
        }
    }

    fn report_listener(&mut self, listener: usize) -> Option<Readiness> {
        let backlog = &mut self.backlogs[listener];
        backlog.is_listed = false;
        let token = backlog.token.filter(|_| !backlog.waiting.is_empty())?;
        Some(Readiness {
            token,
            flags: Flags::IN,
        })
    }

    fn report_socket(&mut self, index: usize) -> Option<Readiness> {
        let socket = &mut self.sockets[index];
        socket.is_listed = false;
        let readiness = socket.readiness();
        let is_readable = readiness.is_some_and(|one| one.is_readable() || one.must_drain());
        self.reported.extend(is_readable.then_some(SocketId(index)));
        readiness
    }

    pub(super) fn free_descriptor(&mut self) {
        self.descriptors -= 1;
    }

    /// It is listed no more, and has nothing to report.
    pub(super) fn unlist(&mut self, id: SocketId) {
        self.ready.retain(|&source| source != Source::Socket(id.0));
    }

    pub(super) fn forget_if_closed(&mut self, id: SocketId) {
        let socket = &self.sockets[id.0];
        let is_settled = socket.is_over() || !socket.is_socket;
        if !socket.is_remote_open && socket.place == Place::Gone && is_settled {
            self.sockets.remove(id.0);
        }
    }
}
