//! What a request says: printable text that names its connection and its place in the sequence, and
//! that no other request of a run has. Nothing is sent or judged here.

/// Bytes at the front of a payload that name it. A shorter payload has no name.
pub(super) const NAME_BYTES: usize = 16;

/// The first byte of a name; nothing else in a payload is this byte.
const MARK: u8 = b'<';
/// The 64 characters that the rest is made of.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Different bodies: where in the text they begin.
const BODIES: usize = 1 << 16;

/// Which request: the number of its connection and its own on it, both from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// Below 2^24.
    pub connection: u32,
    /// Below 2^42.
    pub sequence: u64,
}

/// The payloads of a run: all are `size` bytes long.
pub struct Payloads {
    size: usize,
    salt: u64,
    text: Vec<u8>,
}

impl Payloads {
    /// The payloads of this size and seed.
    pub fn new(size: usize, seed: u64) -> Payloads {
        let mut rng = fastrand::Rng::with_seed(seed);
        let text = (0..BODIES + size)
            .map(|_| ALPHABET[rng.usize(..64)])
            .collect();
        Payloads {
            size,
            salt: rng.u64(..),
            text,
        }
    }

    /// Bytes of each.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether they are long enough to be named.
    pub fn are_named(&self) -> bool {
        self.size >= NAME_BYTES
    }

    /// Appends the payload of this name.
    pub fn write(&self, name: Name, out: &mut Vec<u8>) {
        let (front, body) = self.parts(name);
        out.extend_from_slice(&front[..self.name_bytes()]);
        out.extend_from_slice(body);
    }

    /// Whether `piece` is what the payload of this name has from byte `at` on.
    pub fn has(&self, name: Name, at: usize, piece: &[u8]) -> bool {
        let (front, body) = self.parts(name);
        let front = &front[..self.name_bytes()];
        let in_front = front.len().saturating_sub(at).min(piece.len());
        let (piece_front, piece_body) = piece.split_at(in_front);
        let body_at = at.max(front.len()) - front.len();
        front.get(at..at + in_front).unwrap_or_default() == piece_front
            && body.get(body_at..body_at + piece_body.len()) == Some(piece_body)
    }

    /// Whose payload begins here, if a whole name stands here.
    pub fn name_at(&self, bytes: &[u8]) -> Option<Name> {
        let front = bytes
            .first_chunk::<NAME_BYTES>()
            .filter(|_| self.are_named())?;
        if front[0] != MARK {
            return None;
        }
        let connection = number(&front[1..5])?;
        let sequence = number(&front[5..12])?;
        let name = Name {
            connection: u32::try_from(connection).ok()?,
            sequence,
        };
        (self.front(name) == *front).then_some(name)
    }

    fn name_bytes(&self) -> usize {
        if self.are_named() { NAME_BYTES } else { 0 }
    }

    fn parts(&self, name: Name) -> ([u8; NAME_BYTES], &[u8]) {
        let start = usize::try_from(self.scrambled(name) >> 48).expect("16 bits");
        let body = &self.text[start..start + self.size - self.name_bytes()];
        (self.front(name), body)
    }

    /// Mark, connection, sequence, and a check so that no body passes for a name.
    fn front(&self, name: Name) -> [u8; NAME_BYTES] {
        let mut front = [MARK; NAME_BYTES];
        letters(u64::from(name.connection), &mut front[1..5]);
        letters(name.sequence, &mut front[5..12]);
        letters(self.scrambled(name), &mut front[12..]);
        front
    }

    fn scrambled(&self, name: Name) -> u64 {
        let number = (u64::from(name.connection) << 42 | name.sequence) ^ self.salt;
        let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (number ^ number >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }
}

/// Writes the low bits of a number, six a character.
fn letters(mut number: u64, out: &mut [u8]) {
    for letter in out {
        *letter = ALPHABET[usize::try_from(number % 64).expect("6 bits")];
        number /= 64;
    }
}

fn number(letters: &[u8]) -> Option<u64> {
    letters.iter().rev().try_fold(0, |number, letter| {
        let digit = ALPHABET.iter().position(|other| other == letter)?;
        Some(number * 64 + digit as u64)
    })
}
