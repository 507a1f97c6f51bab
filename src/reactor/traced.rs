//! A kernel with an observer at its side: what it does and what it answers is handed on as it is, and shown
//! to the observer, with the directory of who is who. It changes nothing, and with
//! [`Off`](crate::trace::Off) it is the kernel.

use std::io;
use std::net::SocketAddr;

use super::{Delivery, Interest, Kernel, Readiness, Target, Token};
use crate::protocol::{Context, Effects, Event, PeerId, Service, StateName, Time};
use crate::trace::{Directory, Flags, Observer, Subject, TraceEvent};

#[derive(Debug)]
pub(super) struct TracedKernel<K, O> {
    pub(super) kernel: K,
    pub(super) observer: O,
    /// Nothing is in it where nobody looks.
    pub(super) directory: Directory,
    /// When the clock was last read for the observer.
    clocked: Time,
}

impl<K: Kernel, O: Observer> TracedKernel<K, O> {
    pub(super) fn new(kernel: K, observer: O) -> TracedKernel<K, O> {
        TracedKernel {
            kernel,
            observer,
            directory: Directory::default(),
            clocked: Time::ZERO,
        }
    }

    /// Shows it to the observer, if there is one.
    #[inline]
    pub(super) fn note(&mut self, event: &TraceEvent<'_>) {
        if O::IS_ON && (!event.is_detail() || self.observer.wants_details()) {
            self.show(event);
        }
    }

    /// Not inlined: it is big, and there are many calls.
    #[inline(never)]
    fn show(&mut self, event: &TraceEvent<'_>) {
        if event.is_edge() || self.observer.wants_details() {
            self.clocked = self.kernel.clock();
        }
        self.directory.see(self.clocked, event);
        self.observer.observe(self.clocked, &self.directory, event);
    }

    /// A machine has had its step: where it went and what it asks for.
    #[inline]
    pub(super) fn stepped(
        &mut self,
        peer: PeerId,
        from: Option<StateName>,
        to: Option<StateName>,
        effects: &Effects,
    ) {
        if O::IS_ON && self.observer.wants_details() {
            self.show_step(peer, from, to, effects);
        }
    }

    #[inline(never)]
    fn show_step(
        &mut self,
        peer: PeerId,
        from: Option<StateName>,
        to: Option<StateName>,
        effects: &Effects,
    ) {
        if let (Some(from), Some(to)) = (from, to)
            && from != to
        {
            self.note(&TraceEvent::Moved { peer, from, to });
        }
        for effect in effects.list() {
            self.note(&TraceEvent::Effect { peer, effect });
        }
    }

    /// A machine has its step. Returns where it stood before and stands now, if anybody looks.
    #[inline]
    pub(super) fn step<S: Service>(
        &mut self,
        service: &mut S,
        session: &mut S::Session,
        mut cx: Context<'_>,
        event: Event<'_>,
    ) -> (Option<StateName>, Option<StateName>) {
        let is_shown = O::IS_ON && self.observer.wants_details();
        let from = is_shown.then(|| service.state(session));
        if let Some(state) = from {
            let peer = cx.me();
            self.note(&TraceEvent::Dispatched { peer, event, state });
        }
        service.step(&mut cx, session, event);
        (from, is_shown.then(|| service.state(session)))
    }

    /// What the kernel has said about a listener or a peer.
    #[inline]
    pub(super) fn ready(&mut self, readiness: &Readiness) {
        if O::IS_ON {
            let subject = match readiness.token.target() {
                Target::Peer(id) => Subject::Peer(id),
                Target::Listener(index) => Subject::Listener(index),
                Target::Waker => Subject::Waker,
            };
            let flags = readiness.flags;
            self.note(&TraceEvent::Ready { subject, flags });
        }
    }

    pub(super) fn accept(
        &mut self,
        index: usize,
        listener: &mut K::Listener,
    ) -> io::Result<(K::Stream, SocketAddr)> {
        let result = self.kernel.accept(listener);
        if O::IS_ON {
            let stream = result.as_ref().ok().map(|(stream, _)| stream);
            let descriptor = stream.and_then(|stream| self.kernel.descriptor(stream));
            self.note(&TraceEvent::Accepted {
                listener: index,
                result: result.as_ref().map(|&(_, address)| address),
                descriptor,
            });
        }
        result
    }

    pub(super) fn reregister(
        &mut self,
        peer: PeerId,
        stream: &mut K::Stream,
        interest: Interest,
    ) -> io::Result<()> {
        let result = self.kernel.reregister(stream, Token::peer(peer), interest);
        self.watched(peer, interest, result.as_ref().copied());
        result
    }

    /// The kernel was told what to watch for a peer, also for the first time.
    pub(super) fn watched(
        &mut self,
        peer: PeerId,
        interest: Interest,
        result: Result<(), &io::Error>,
    ) {
        let interest = interest.flags();
        self.note(&TraceEvent::Registered {
            peer,
            interest,
            result,
        });
    }

    #[inline]
    pub(super) fn read(
        &mut self,
        peer: PeerId,
        stream: &mut K::Stream,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let result = self.kernel.read(stream, buffer);
        if O::IS_ON {
            let call = self.call(stream, "recvfrom", "read");
            self.note(&TraceEvent::Read {
                peer,
                call,
                room: buffer.len(),
                result: result.as_ref().map(|&count| &buffer[..count]),
            });
        }
        result
    }

    pub(super) fn connected(&mut self, peer: PeerId, stream: &mut K::Stream) -> io::Result<()> {
        let result = self.kernel.connected(stream);
        self.note(&TraceEvent::Connected {
            peer,
            result: result.as_ref().copied(),
        });
        result
    }

    pub(super) fn peek(
        &mut self,
        peer: PeerId,
        stream: &mut K::Stream,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let result = self.kernel.peek(stream, buffer);
        // What is no socket is not asked.
        if O::IS_ON && self.kernel.is_socket(stream) {
            self.note(&TraceEvent::Peeked {
                peer,
                result: result.as_ref().copied(),
            });
        }
        result
    }

    /// The end goes out with the last byte.
    #[allow(
        clippy::inline_always,
        reason = "measured: in pieces, the way of a byte costs twice as many instructions"
    )]
    #[inline(always)]
    pub(super) fn write(
        &mut self,
        peer: PeerId,
        stream: &mut K::Stream,
        bytes: &[u8],
        is_last: bool,
    ) -> io::Result<usize> {
        let (result, call) = if is_last {
            (self.kernel.write_last(stream, bytes), "sendto(MSG_MORE)")
        } else {
            (self.kernel.write(stream, bytes), "sendto")
        };
        if O::IS_ON {
            let call = self.call(stream, call, "write");
            self.note(&TraceEvent::Wrote {
                peer,
                call,
                offered: bytes,
                result: result.as_ref().copied(),
            });
        }
        result
    }

    /// What the system call is called that was made.
    fn call(
        &self,
        stream: &K::Stream,
        of_socket: &'static str,
        of_file: &'static str,
    ) -> &'static str {
        if self.kernel.is_socket(stream) {
            of_socket
        } else {
            of_file
        }
    }

    pub(super) fn delivery(&mut self, peer: PeerId, stream: &K::Stream) -> io::Result<Delivery> {
        let result = self.kernel.delivery(stream);
        // What is no socket is not asked.
        if O::IS_ON && self.kernel.is_socket(stream) {
            self.note(&TraceEvent::Delivery {
                peer,
                acknowledged: result.as_ref().map(|delivery| delivery.acknowledged),
                is_complete: result.as_ref().is_ok_and(|delivery| delivery.is_complete),
            });
        }
        result
    }

    pub(super) fn take_error(
        &mut self,
        peer: PeerId,
        stream: &K::Stream,
    ) -> io::Result<Option<io::Error>> {
        let result = self.kernel.take_error(stream);
        if O::IS_ON && self.kernel.is_socket(stream) {
            let found = result.as_ref().map_or_else(Some, Option::as_ref);
            self.note(&TraceEvent::ErrorTaken { peer, found });
        }
        result
    }

    pub(super) fn shutdown(&mut self, peer: PeerId, stream: &mut K::Stream) -> io::Result<()> {
        let result = self.kernel.shutdown(stream);
        self.note(&TraceEvent::ShutDown {
            peer,
            result: result.as_ref().copied(),
        });
        result
    }
}

impl Interest {
    fn flags(self) -> Flags {
        let readable = Flags::IN | Flags::PRI;
        match self {
            Interest::Readable => readable,
            Interest::Writable => Flags::OUT,
            Interest::Both => readable | Flags::OUT,
        }
    }
}
