//! Bytes to messages and back. A TCP stream has no messages; courses cut it in five ways, and
//! [`Framing`] names them. Nothing here knows what a message means or whose turn it is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::Time;
use super::display::cut_at;

/// How long nothing may arrive before a `chunk` is whole, and before `auto` decides.
pub const SILENCE: Duration = Duration::from_millis(50);
/// The buffer of the course programs: what `padded` means without a number, and what `auto` tests.
pub const PADDED_BYTES: usize = 1024;
/// The largest N of `padded:N`.
pub const PADDED_BYTES_MAX: usize = 65_536;

/// How a stream is cut into messages. A new one is a new major version, as of [`Event`](super::Event).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Decided by the first message: newline first is `line`; NUL first is `padded` if the silence
    /// after it ends on a multiple of 1024 bytes, else `nul`; neither is `chunk`.
    Auto,
    /// Up to `\n`; a `\r` before it goes.
    Line,
    /// Up to a NUL byte.
    Nul,
    /// This many bytes (2 to 65,536), of which the text up to the first NUL counts and the rest is
    /// garbage.
    Padded(usize),
    /// Whatever arrived, once [`SILENCE`] passes.
    Chunk,
}

impl FromStr for Framing {
    type Err = String;

    fn from_str(text: &str) -> Result<Framing, String> {
        match text {
            "auto" => Ok(Framing::Auto),
            "line" => Ok(Framing::Line),
            "nul" => Ok(Framing::Nul),
            "padded" => Ok(Framing::Padded(PADDED_BYTES)),
            "chunk" => Ok(Framing::Chunk),
            other => match other.strip_prefix("padded:") {
                None => Err("expected auto, line, nul, padded[:N] or chunk".to_owned()),
                Some(size) => match size.parse() {
                    Ok(size @ 2..=PADDED_BYTES_MAX) => Ok(Framing::Padded(size)),
                    Ok(_) | Err(_) => Err(format!(
                        "padded takes 2 to {PADDED_BYTES_MAX} bytes, not '{size}'"
                    )),
                },
            },
        }
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Framing::Auto => f.write_str("auto"),
            Framing::Line => f.write_str("line"),
            Framing::Nul => f.write_str("nul"),
            Framing::Padded(size) => write!(f, "padded:{size}"),
            Framing::Chunk => f.write_str("chunk"),
        }
    }
}

/// Appends `message` to `out` as a peer with this framing expects it. [`Framing::Auto`] stands for
/// a peer that has not shown its framing yet: it gets `padded`, which suits the most C programs.
///
/// One message stays one: where the framing's own delimiter is inside the message, a space takes
/// its place. The exception is a text too long for `padded`: it goes out as several frames, cut
/// between characters, since nothing may be lost.
pub fn encode(framing: Framing, message: &[u8], out: &mut Vec<u8>) {
    match framing {
        Framing::Line => {
            let text = message.strip_suffix(b"\n").unwrap_or(message);
            push_without(text, b'\n', out);
            out.push(b'\n');
        }
        Framing::Nul => {
            push_without(message, 0, out);
            out.push(0);
        }
        Framing::Padded(size) => encode_padded(size, message, out),
        Framing::Auto => encode_padded(PADDED_BYTES, message, out),
        // An empty chunk would be no message at all, and the turn would be lost with it.
        Framing::Chunk if message.is_empty() => out.push(b'\n'),
        Framing::Chunk => out.extend_from_slice(message),
    }
}

fn encode_padded(size: usize, message: &[u8], out: &mut Vec<u8>) {
    let mut rest = message;
    loop {
        let (piece, after) = rest.split_at(cut_at(rest, size - 1));
        push_without(piece, 0, out);
        out.resize(out.len() + size - piece.len(), 0);
        rest = after;
        if rest.is_empty() {
            return;
        }
    }
}

fn push_without(text: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    let replaced = text
        .iter()
        .map(|&byte| if byte == delimiter { b' ' } else { byte });
    out.extend(replaced);
}

/// What happens to a message that is longer than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Excess {
    /// [`Decoder::next`] says [`Overlong`], and says it again.
    Refused,
    /// It is cut between characters; the rest is the next message.
    Cut,
}

/// A peer's message is longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlong;

/// Cuts one peer's stream into messages, whatever the pieces in which it arrives.
#[derive(Debug)]
pub struct Decoder {
    framing: Framing,
    excess: Excess,
    text_bytes_max: usize,
    bytes: Vec<u8>,
    taken: usize,
    searched: usize,
    begun: Time,
    latest: Time,
    finished: bool,
}

impl Decoder {
    /// A decoder for messages of at most `text_bytes_max` bytes (at least 1), delimiters aside.
    /// A longer one is [`Overlong`].
    pub fn new(framing: Framing, text_bytes_max: usize) -> Decoder {
        Decoder::with(framing, text_bytes_max, Excess::Refused)
    }

    /// A decoder for the lines that our own user types: one of more than `text_bytes_max` bytes is
    /// cut between characters, and the rest is the next message.
    pub fn for_typed_lines(text_bytes_max: usize) -> Decoder {
        Decoder::with(Framing::Line, text_bytes_max, Excess::Cut)
    }

    fn with(framing: Framing, text_bytes_max: usize, excess: Excess) -> Decoder {
        Decoder {
            framing,
            excess,
            text_bytes_max: text_bytes_max.max(1),
            bytes: Vec::new(),
            taken: 0,
            searched: 0,
            begun: Time::ZERO,
            latest: Time::ZERO,
            finished: false,
        }
    }

    /// The framing in force: [`Framing::Auto`] until the first message has decided it.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// How many more bytes it takes for the message at hand. A peer that is read no further than
    /// this leaves what comes next in the kernel. At least 1 as long as [`Decoder::next`] says
    /// `Ok(None)`, except in the silence that ends a full `auto` or `chunk`.
    pub fn read_limit(&self) -> usize {
        let full = match self.framing {
            Framing::Padded(size) => size,
            // Two frames at least, so that a single one waits for its silence.
            Framing::Auto => (self.text_bytes_max / PADDED_BYTES + 2) * PADDED_BYTES,
            Framing::Line | Framing::Nul | Framing::Chunk => self.text_bytes_max + "\r\n".len(),
        };
        full.saturating_sub(self.pending().len())
    }

    /// Takes bytes that arrived at `now`. More than the [`read_limit`](Decoder::read_limit) is no error.
    pub fn receive(&mut self, bytes: &[u8], now: Time) {
        if self.pending().is_empty() {
            self.begun = now;
        }
        self.latest = now;
        if self.taken > 0 && self.taken >= self.bytes.len() / 2 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Forgets what has arrived and was not taken.
    pub fn discard(&mut self) {
        self.bytes = Vec::new();
        self.taken = 0;
        self.searched = 0;
    }

    /// No more bytes will come: what is left is the last message.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// Whether [`Decoder::finish`] was called.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// When to ask [`Decoder::next`] again though nothing arrives, because silence means something.
    pub fn wake_at(&self) -> Option<Time> {
        let silence_counts = match self.framing {
            Framing::Auto | Framing::Chunk => !self.pending().is_empty(),
            Framing::Line | Framing::Nul | Framing::Padded(_) => false,
        };
        silence_counts.then(|| self.latest.after(SILENCE))
    }

    /// When the message at hand began to arrive, if one did.
    pub fn begun_at(&self) -> Option<Time> {
        (!self.pending().is_empty()).then_some(self.begun)
    }

    /// Counts the time of the message at hand from `now`: its sender has just been given the turn.
    pub fn restart(&mut self, now: Time) {
        self.begun = now;
    }

    /// The next whole message, without its delimiter. `silent_until` is until when
    /// everything that was sent has been received: until then silence is silence.
    ///
    /// # Errors
    /// [`Overlong`] if it is longer than allowed; never of typed lines.
    pub fn next(&mut self, silent_until: Time) -> Result<Option<Vec<u8>>, Overlong> {
        if self.framing == Framing::Auto {
            self.decide(silent_until);
        }
        let found = match self.framing {
            Framing::Auto => None,
            Framing::Line => self.delimited(b'\n'),
            Framing::Nul => self.delimited(0),
            Framing::Padded(size) => self.padded(size),
            Framing::Chunk => self.chunk(silent_until),
        };
        let text_length = match found {
            Some(cut) => cut.text,
            None if self.pending().len() > self.text_bytes_max + 1 => self.undelimited_length(),
            None => return Ok(None),
        };
        if text_length <= self.text_bytes_max {
            return Ok(found.map(|cut| self.take(cut)));
        }
        match self.excess {
            Excess::Refused => Err(Overlong),
            Excess::Cut => {
                let at = cut_at(self.pending(), self.text_bytes_max);
                Ok(Some(self.take(Cut { text: at, all: at })))
            }
        }
    }

    /// The length of a text whose end is not in sight. A frame of `padded`, and an `auto` that may
    /// become one, have their own bound and are judged when they are whole.
    fn undelimited_length(&self) -> usize {
        match self.framing {
            Framing::Padded(_) => 0,
            Framing::Auto => self.searched,
            Framing::Line | Framing::Nul | Framing::Chunk => self.pending().len(),
        }
    }

    fn pending(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    fn is_silent(&self, silent_until: Time) -> bool {
        self.finished || silent_until >= self.latest.after(SILENCE)
    }

    fn decide(&mut self, silent_until: Time) {
        let length = self.pending().len();
        let fresh = &self.bytes[self.taken + self.searched..];
        let first = fresh.iter().position(|&byte| byte == b'\n' || byte == 0);
        self.searched += first.unwrap_or(fresh.len());
        let first = first.map(|_| self.pending()[self.searched]);
        self.framing = match first {
            Some(b'\n') => Framing::Line,
            // It is too long, and is no other thing for having arrived at once.
            Some(_) if self.searched > self.text_bytes_max => Framing::Auto,
            Some(_) if self.read_limit() == 0 && self.looks_padded() => {
                Framing::Padded(PADDED_BYTES)
            }
            Some(_) if self.read_limit() == 0 => Framing::Nul,
            _ if length == 0 || !self.is_silent(silent_until) => Framing::Auto,
            Some(_) if length.is_multiple_of(PADDED_BYTES) => Framing::Padded(PADDED_BYTES),
            Some(_) => Framing::Nul,
            None => Framing::Chunk,
        };
    }

    /// A guess for a client that sends so much at once that there is no silence to go by: padding
    /// has NULs in a row, or few of them for its length.
    fn looks_padded(&self) -> bool {
        let pending = self.pending();
        let nuls = pending.iter().filter(|&&byte| byte == 0).count();
        pending.windows(2).any(|two| two == [0, 0]) || nuls <= 2 * pending.len() / PADDED_BYTES
    }

    fn delimited(&mut self, delimiter: u8) -> Option<Cut> {
        let fresh = &self.bytes[self.taken + self.searched..];
        let Some(at) = fresh.iter().position(|&byte| byte == delimiter) else {
            self.searched = self.pending().len();
            return self.rest();
        };
        let end = self.searched + at;
        let carriage = delimiter == b'\n' && self.pending()[..end].ends_with(b"\r");
        Some(Cut {
            text: end - usize::from(carriage),
            all: end + 1,
        })
    }

    fn padded(&self, size: usize) -> Option<Cut> {
        if self.pending().len() < size {
            return self.rest().map(|cut| self.until_nul(cut.all));
        }
        Some(self.until_nul(size))
    }

    fn until_nul(&self, all: usize) -> Cut {
        let frame = &self.pending()[..all];
        let text = frame.iter().position(|&byte| byte == 0).unwrap_or(all);
        Cut { text, all }
    }

    fn chunk(&self, silent_until: Time) -> Option<Cut> {
        let all = self.pending().len();
        (all > 0 && self.is_silent(silent_until)).then_some(Cut { text: all, all })
    }

    /// What is left when the stream has ended.
    fn rest(&self) -> Option<Cut> {
        let all = self.pending().len();
        (self.finished && all > 0).then_some(Cut { text: all, all })
    }

    fn take(&mut self, cut: Cut) -> Vec<u8> {
        let message = self.pending()[..cut.text].to_vec();
        self.taken += cut.all;
        self.searched = 0;
        // What is left arrived with it.
        self.begun = self.latest;
        if self.taken == self.bytes.len() {
            self.bytes = Vec::new();
            self.taken = 0;
        }
        message
    }
}

/// A message at the front of what is pending: its text, and all that goes with it.
#[derive(Clone, Copy)]
struct Cut {
    text: usize,
    all: usize,
}
