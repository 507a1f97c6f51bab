//! The most common case in one go: a peer at rest says something, its session answers, and the kernel
//! takes all of it. Whatever is different is left to the phases of the turn, in `peer.rs`.

use std::io;
use std::mem;

use super::close::broken;
use super::{Kernel, OUTBOX_BYTES_MAX, Reactor, Readiness, SCRATCH_BYTES, Unread, find};
use crate::protocol::{Event, PeerId, Service};
use crate::trace::Observer;

impl<K: Kernel, S: Service, O: Observer> Reactor<K, S, O> {
    /// Reads a peer once and answers at once; false if that is not for here, and nothing was done.
    ///
    /// It costs one look-up and one copy less than the phases do, and nobody waits for the others of
    /// the batch. Nothing of the peer changes that the send phase would have to see to.
    #[inline]
    pub(super) fn answer(&mut self, id: PeerId, readiness: &Readiness) -> bool {
        let Some(connection) = find(&mut self.peers, id) else {
            return true;
        };
        if readiness.must_drain || !readiness.readable || !connection.is_at_rest() {
            return false;
        }
        let read_limit = self.service.read_limit(&connection.session);
        let read_limit = read_limit.min(SCRATCH_BYTES);
        if read_limit == 0 {
            return false;
        }
        let scratch = self.scratch.as_mut().expect("lent for one step only");
        let buffer = &mut scratch[..read_limit];
        let count = match self.kernel.read(id, &mut connection.stream, buffer) {
            Ok(count) if count > 0 => count,
            ended => {
                self.on_nothing_read(id, ended);
                return true;
            }
        };
        connection.active = self.now;
        let received = &scratch[..count];
        let mut cx = self.effects.context(self.now, id, OUTBOX_BYTES_MAX);
        let event = Event::Received(received);
        let from = self
            .kernel
            .told(id, event, || self.service.state(&connection.session));
        self.service.step(&mut cx, &mut connection.session, event);
        let to = from.map(|_| self.service.state(&connection.session));
        self.kernel.stepped(id, from, to, &self.effects);
        match self.effects.only_sending(received) {
            Some(answer) => match self.kernel.write(id, &mut connection.stream, answer) {
                Ok(written) if written == answer.len() => self.effects.clear(),
                written => self.answer_later(id, count, Some(written)),
            },
            None if self.effects.list().is_empty() => {}
            None => self.answer_later(id, count, None),
        }
        if count == read_limit {
            self.set_unread(id, Unread::Queued);
        }
        true
    }

    /// Nothing was read.
    #[cold]
    fn on_nothing_read(&mut self, id: PeerId, ended: io::Result<usize>) {
        match ended {
            Ok(_) => {
                self.on_eof(id);
                self.mark_dirty(id);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.set_unread(id, Unread::Queued);
            }
            Err(error) => self.close(id, broken(&error)),
        }
    }

    /// The session wished for more than an answer, or the kernel did not take all of it.
    #[cold]
    fn answer_later(&mut self, id: PeerId, count: usize, written: Option<io::Result<usize>>) {
        let scratch = self.scratch.take().expect("lent for one step only");
        let received = &scratch[..count];
        match written {
            None => self.apply(id, received),
            Some(written) => {
                let mut effects = mem::take(&mut self.effects);
                let answer = effects.only_sending(received).unwrap_or_default();
                self.owe_rest(id, answer, written);
                effects.clear();
                self.effects = effects;
            }
        }
        self.scratch = Some(scratch);
        self.mark_dirty(id);
        self.enforce_memory_limit();
    }

    fn owe_rest(&mut self, id: PeerId, answer: &[u8], written: io::Result<usize>) {
        let (taken, is_blocked) = match written {
            Ok(0) => return self.close(id, broken(&io::ErrorKind::WriteZero.into())),
            Ok(count) => (count, true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => (0, true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (0, false),
            Err(error) => return self.close(id, broken(&error)),
        };
        self.enqueue(id, &answer[taken..]);
        if let Some(connection) = find(&mut self.peers, id)
            && let Some(outbox) = &mut connection.outbox
        {
            outbox.is_blocked = is_blocked;
        }
    }
}
