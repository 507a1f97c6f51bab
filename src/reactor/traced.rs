//! A kernel with an observer at its side: every call that does something is handed on as it is, then told
//! of; what the reactor only asks goes to the kernel itself. It changes nothing, and with
//! [`Off`](crate::trace::Off) it is the kernel.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Batch, Interest, Kernel, Readiness, Target, Token};
use crate::protocol::{Context, Effects, Event, PeerId, Service, StateName, Time};
use crate::trace::{Flags, Observer, Source, TraceEvent};

#[derive(Debug)]
pub(super) struct TracedKernel<K, O> {
    pub(super) kernel: K,
    pub(super) observer: O,
}

impl<K: Kernel, O: Observer> TracedKernel<K, O> {
    /// Tells the observer, if there is one.
    #[inline]
    pub(super) fn note(&mut self, moment: &TraceEvent<'_>) {
        if O::IS_ON {
            let at = self.kernel.clock();
            self.observer.observe(at, moment);
        }
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
        if !O::IS_ON {
            return;
        }
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
        let from = O::IS_ON.then(|| service.state(session));
        if let Some(state) = from {
            let peer = cx.me();
            self.note(&TraceEvent::Dispatched { peer, event, state });
        }
        service.step(&mut cx, session, event);
        (from, O::IS_ON.then(|| service.state(session)))
    }

    /// What the kernel has said about a listener or a peer.
    #[inline]
    pub(super) fn ready(&mut self, readiness: &Readiness) {
        if O::IS_ON {
            let source = match readiness.token.target() {
                Target::Peer(id) => Source::Peer(id),
                Target::Listener(index) => Source::Listener(index),
                Target::Waker => Source::Waker,
            };
            let flags = readiness.flags;
            self.note(&TraceEvent::Ready { source, flags });
        }
    }

    pub(super) fn now(&mut self) -> Time {
        self.kernel.now()
    }

    #[inline]
    pub(super) fn wait(
        &mut self,
        timeout: Option<Duration>,
        ready: &mut Vec<Readiness>,
    ) -> io::Result<Batch> {
        self.kernel.wait(timeout, ready)
    }

    pub(super) fn accept(
        &mut self,
        index: usize,
        listener: &mut K::Listener,
    ) -> io::Result<(K::Stream, SocketAddr)> {
        let result = self.kernel.accept(listener);
        self.note(&TraceEvent::Accepted {
            listener: index,
            result: result.as_ref().map(|&(_, address)| address),
        });
        result
    }

    pub(super) fn register(
        &mut self,
        peer: PeerId,
        stream: &mut K::Stream,
        interest: Interest,
    ) -> io::Result<()> {
        let result = self.kernel.register(stream, Token::peer(peer), interest);
        // Where it went well, the peer is introduced before this is told of it.
        if result.is_err() {
            self.watched(peer, interest, &result);
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
        self.watched(peer, interest, &result);
        result
    }

    pub(super) fn watched(&mut self, peer: PeerId, interest: Interest, result: &io::Result<()>) {
        self.note(&TraceEvent::Registered {
            peer,
            interest: interest.flags(),
            result: result.as_ref().copied(),
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
            let result = result.as_ref().map(|&count| &buffer[..count]);
            let room = buffer.len();
            self.note(&TraceEvent::Read { peer, room, result });
        }
        result
    }

    pub(super) fn connected(&mut self, stream: &mut K::Stream) -> io::Result<()> {
        self.kernel.connected(stream)
    }

    pub(super) fn peek(
        &mut self,
        peer: PeerId,
        stream: &mut K::Stream,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let result = self.kernel.peek(stream, buffer);
        self.note(&TraceEvent::Peeked {
            peer,
            result: result.as_ref().copied(),
        });
        result
    }

    #[inline]
    pub(super) fn write(
        &mut self,
        peer: PeerId,
        stream: &mut K::Stream,
        bytes: &[u8],
    ) -> io::Result<usize> {
        let result = self.kernel.write(stream, bytes);
        self.wrote(peer, bytes, &result);
        result
    }

    pub(super) fn write_last(
        &mut self,
        peer: PeerId,
        stream: &mut K::Stream,
        bytes: &[u8],
    ) -> io::Result<usize> {
        let result = self.kernel.write_last(stream, bytes);
        self.wrote(peer, bytes, &result);
        result
    }

    #[inline]
    fn wrote(&mut self, peer: PeerId, offered: &[u8], result: &io::Result<usize>) {
        self.note(&TraceEvent::Wrote {
            peer,
            offered,
            result: result.as_ref().copied(),
        });
    }

    /// The wish was told of already.
    pub(super) fn discard_typed(&mut self, stream: &mut K::Stream) {
        self.kernel.discard_typed(stream);
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
