//! What came back on one connection, checked byte by byte: right, lost, changed, doubled, out of
//! order, or another connection's. It looks at bytes only; times and counts are not kept here.

use std::collections::BTreeSet;

use super::payload::{NAME_BYTES, Name, Payloads};

/// What became of requests, as it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The answer to this request, every byte as it was sent.
    Answered(u64),
    /// An answer that is not what was sent; no other will come for this request.
    Changed(u64),
    /// Answers to later requests came before this one's.
    Missing(u64),
    /// What was missing came after all.
    Late(u64),
    /// The answer to a request that was answered already.
    Doubled(u64),
    /// The answer to a request of another connection.
    Crossed(Name),
    /// Bytes that nobody asked for.
    Surplus(usize),
    /// Nothing that comes after this can be matched to a request.
    LostTrack,
}

/// Requests that may be missing and still come, at most; older ones are taken for lost.
const MISSING_MAX: usize = 4096;

/// Compares one connection's stream of answers with what was asked.
#[derive(Debug)]
pub(super) struct Verifier {
    connection: u32,
    /// The request whose answer is next, and how many bytes of it came.
    next: u64,
    at: usize,
    /// What came since something was wrong, from the start of an answer.
    suspect: Vec<u8>,
    missing: BTreeSet<u64>,
}

impl Verifier {
    pub(super) fn new(connection: u32) -> Verifier {
        Verifier {
            connection,
            next: 0,
            at: 0,
            suspect: Vec::new(),
            missing: BTreeSet::new(),
        }
    }

    /// The requests that were not answered and may never be, of `sent` in all.
    pub(super) fn unanswered(&self, sent: u64) -> u64 {
        sent.saturating_sub(self.next)
    }

    /// What came last and is, as far as it came, the answer to nothing.
    pub(super) fn strange(&self) -> &[u8] {
        &self.suspect
    }

    /// Takes what arrived. `sent` requests were sent so far.
    pub(super) fn take(
        &mut self,
        payloads: &Payloads,
        sent: u64,
        mut bytes: &[u8],
        mut tell: impl FnMut(Finding),
    ) {
        while !bytes.is_empty() {
            if !self.suspect.is_empty() {
                self.suspect.extend_from_slice(bytes);
                return self.resolve(payloads, sent, &mut tell);
            }
            let length = (payloads.size() - self.at).min(bytes.len());
            let (piece, rest) = bytes.split_at(length);
            if self.next >= sent || !payloads.has(self.name(), self.at, piece) {
                if !payloads.are_named() {
                    tell(self.refuse(sent, bytes.len()));
                    return tell(Finding::LostTrack);
                }
                // What had come of this answer was right, so it can be written down again.
                payloads.write(self.name(), &mut self.suspect);
                self.suspect.truncate(self.at);
                self.suspect.extend_from_slice(bytes);
                self.at = 0;
                return self.resolve(payloads, sent, &mut tell);
            }
            bytes = rest;
            self.at += length;
            if self.at == payloads.size() {
                tell(Finding::Answered(self.next));
                self.at = 0;
                self.next += 1;
            }
        }
    }

    /// So many bytes came that are no answer: the one that should have come is done with.
    pub(super) fn refuse(&mut self, sent: u64, bytes: usize) -> Finding {
        if self.next >= sent {
            return Finding::Surplus(bytes);
        }
        self.next += 1;
        Finding::Changed(self.next - 1)
    }

    fn name(&self) -> Name {
        Name {
            connection: self.connection,
            sequence: self.next,
        }
    }

    /// Makes sense of suspect bytes, answer by answer, until they are right again or more is needed.
    fn resolve(&mut self, payloads: &Payloads, sent: u64, tell: &mut impl FnMut(Finding)) {
        let mut suspect = std::mem::take(&mut self.suspect);
        let mut done = 0;
        while suspect.len() - done >= payloads.size() {
            done += self.resolve_one(payloads, sent, &suspect[done..], tell);
        }
        suspect.drain(..done);
        if self.next < sent && payloads.has(self.name(), 0, &suspect) {
            self.at = suspect.len();
        } else {
            self.suspect = suspect;
        }
    }

    /// Makes sense of what stands at the front, at least one answer long; returns how far.
    fn resolve_one(
        &mut self,
        payloads: &Payloads,
        sent: u64,
        bytes: &[u8],
        tell: &mut impl FnMut(Finding),
    ) -> usize {
        let size = payloads.size();
        let later = (1..=bytes.len() - NAME_BYTES)
            .take(size)
            .find(|&at| payloads.name_at(&bytes[at..]).is_some());
        let Some(name) = payloads
            .name_at(bytes)
            .filter(|name| self.knows(*name, sent))
        else {
            // No name here: up to the next one it is the answer that should have come, or refuse.
            let length = later.unwrap_or(size);
            let next_is_named =
                later.and_then(|at| payloads.name_at(&bytes[at..])) == Some(self.name());
            if next_is_named || self.next >= sent {
                tell(Finding::Surplus(length));
            } else {
                tell(Finding::Changed(self.next));
                self.next += 1;
            }
            return length;
        };
        let is_whole = payloads.has(name, 0, &bytes[..size]);
        let length = if is_whole {
            size
        } else {
            later.unwrap_or(size)
        };
        if name.connection != self.connection {
            tell(Finding::Crossed(name));
        } else if name.sequence < self.next {
            tell(if self.missing.remove(&name.sequence) {
                Finding::Late(name.sequence)
            } else {
                Finding::Doubled(name.sequence)
            });
        } else {
            self.skip_to(name.sequence, tell);
            self.next += 1;
            tell(if is_whole {
                Finding::Answered(name.sequence)
            } else {
                Finding::Changed(name.sequence)
            });
        }
        length
    }

    /// Whether a request of this name was sent, as far as this connection can know.
    fn knows(&self, name: Name, sent: u64) -> bool {
        name.connection != self.connection || name.sequence < sent
    }

    fn skip_to(&mut self, sequence: u64, tell: &mut impl FnMut(Finding)) {
        for missing in self.next..sequence {
            tell(Finding::Missing(missing));
            self.missing.insert(missing);
        }
        self.next = sequence;
        while self.missing.len() > MISSING_MAX {
            self.missing.pop_first();
        }
    }
}
