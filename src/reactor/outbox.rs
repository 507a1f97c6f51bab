//! What was promised to a peer and the kernel has not taken yet. An outbox holds bytes and knows
//! whether the kernel is full; when to write is the reactor's business.

/// Unsent bytes from which on a session has no room: its `send_capacity` is 0.
pub const OUTBOX_BYTES_MAX: usize = 64 * 1024;
/// Unsent bytes up to which a peer is read, with more it is not; the gap to the maximum keeps reads large.
pub const OUTBOX_BYTES_LOW: usize = OUTBOX_BYTES_MAX / 2;

/// How many emptied outboxes are kept for the next peer that needs one, at most; and which part of the
/// memory for unsent bytes they may take beside it.
const SPARE_MAX: usize = 256;
const SPARE_PART: usize = 16;

/// Bytes in order, and how far the kernel has taken them.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    taken: usize,
    /// The kernel took less than it was offered: wait until it says that it has room.
    pub(super) is_blocked: bool,
}

impl Outbox {
    pub(super) fn pending(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// The memory that it takes: it keeps what it once needed until [`Outbox::fit`].
    pub(super) fn buffered_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives back the memory that what is pending does not need, if that is half of it or more.
    pub(super) fn fit(&mut self) {
        if self.bytes.capacity() >= 2 * self.pending().len() {
            // Shrunk where it lies, it would leave a hole that is too small for the next such outbox.
            self.bytes = self.pending().to_vec();
            self.taken = 0;
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let is_full = self.bytes.len() + bytes.len() > self.bytes.capacity();
        if self.taken > 0 && (is_full || self.taken >= self.bytes.len() / 2) {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.make_room(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Grows as a `Vec` does, but not by doubling past what is ever used.
    fn make_room(&mut self, count: usize) {
        let needed = self.bytes.len() + count;
        if needed > self.bytes.capacity() {
            let doubled = (2 * self.bytes.capacity()).min(OUTBOX_BYTES_MAX);
            let additional = needed.max(doubled) - self.bytes.len();
            self.bytes.reserve_exact(additional);
        }
    }

    pub(super) fn advance(&mut self, count: usize) {
        self.taken += count;
        if self.taken == self.bytes.len() {
            self.reset();
        }
    }

    fn reset(&mut self) {
        self.bytes.clear();
        self.taken = 0;
        self.is_blocked = false;
    }
}

/// Emptied outboxes with their memory, so that busy peers do not allocate and idle ones own nothing.
#[derive(Debug)]
pub(super) struct BufferPool {
    count_max: usize,
    #[allow(
        clippy::vec_box,
        reason = "a connection holds its outbox by one pointer"
    )]
    outboxes: Vec<Box<Outbox>>,
}

impl BufferPool {
    /// For outboxes that take so much memory all together.
    pub(super) fn beside(unsent_bytes_max: usize) -> BufferPool {
        let count_max = unsent_bytes_max / SPARE_PART / OUTBOX_BYTES_MAX;
        BufferPool {
            count_max: count_max.min(SPARE_MAX),
            outboxes: Vec::new(),
        }
    }

    pub(super) fn take(&mut self) -> Box<Outbox> {
        self.outboxes.pop().unwrap_or_default()
    }

    pub(super) fn give_back(&mut self, mut outbox: Box<Outbox>) {
        let is_small = outbox.bytes.capacity() <= OUTBOX_BYTES_MAX;
        if is_small && self.outboxes.len() < self.count_max {
            outbox.reset();
            self.outboxes.push(outbox);
        }
    }
}
