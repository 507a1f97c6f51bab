//! A simulated chat client: what it says, in which framing, and what it makes of what it hears. Its
//! messages carry their speaker and number, so that a lost, doubled or crossed one is recognised.

use super::plan::{Plan, QUIT};
use super::random::{Random, scrambled};
use crate::protocol::chat::Partner;
use crate::protocol::framing::{Framing, PADDED_BYTES};

/// Who is named as the speaker of what our user types.
pub(super) const OPERATOR: usize = 999_999_999;
/// What a server says to a client that takes too long over a message.
pub(super) const LATE: &[u8] = b"message took too long";
/// A `padded` client leaves what was in its buffer behind the NUL.
const GARBAGE: &[u8] = b"\nleft over from <before> ";

#[derive(Debug)]
pub(super) struct Talker {
    /// How it cuts its messages.
    style: Framing,
    /// How many it says.
    messages: u32,
    pub(super) said: u32,
    /// It has begun the next one.
    pub(super) is_saying: bool,
    /// It does not wait for its turn.
    is_eager: bool,
    /// It says the quit word at last.
    quits: bool,
    has_quit: bool,
    /// Its last message is longer than allowed.
    breaks_rule: bool,
    /// Its one message has no end in sight: it comes byte by byte.
    dribbles: bool,
    pub(super) heard: u32,
    /// Its partner spoke first.
    pub(super) is_second: bool,
    pub(super) partner: Option<usize>,
    /// The server said that it took too long.
    pub(super) was_late: bool,
    /// What it has received of a message that is not whole yet.
    word: Vec<u8>,
}

/// Something that a chat client receives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A message with its speaker and number, exactly as said.
    Message(usize, u32),
    /// The quit word, or why it is refused.
    Word(Vec<u8>),
}

impl Talker {
    pub(super) fn draw(plan: &Plan, rng: &mut Random) -> Talker {
        let style = if plan.framing == Framing::Auto {
            rng.one_of(&[
                Framing::Line,
                Framing::Nul,
                Framing::Padded(PADDED_BYTES),
                Framing::Chunk,
            ])
        } else {
            plan.framing
        };
        // Only silence distinguishes these: they wait for their turn.
        let is_cut_by_silence = match style {
            Framing::Chunk => true,
            Framing::Nul => plan.framing == Framing::Auto,
            Framing::Auto | Framing::Line | Framing::Padded(_) => false,
        };
        let is_unbounded = matches!(style, Framing::Line | Framing::Nul | Framing::Chunk);
        let dribbles = plan.has_silent_clients
            && plan.partner != Partner::Pair
            && matches!(plan.framing, Framing::Line | Framing::Nul)
            && rng.happens(1, 8);
        let messages = u32::try_from(rng.below(6)).expect("small");
        Talker {
            style,
            messages: if dribbles { 1 } else { messages },
            said: 0,
            is_saying: false,
            is_eager: !is_cut_by_silence && rng.happens(1, 2),
            quits: rng.happens(1, 2),
            has_quit: false,
            breaks_rule: !dribbles && is_unbounded && rng.happens(1, 16),
            dribbles,
            heard: 0,
            is_second: false,
            partner: None,
            was_late: false,
            word: Vec::new(),
        }
    }

    /// Whole messages handed to the kernel, the quit word not among them.
    pub(super) fn said(&self) -> u32 {
        self.said
    }

    pub(super) fn breaks_rule(&self) -> bool {
        self.breaks_rule
    }

    pub(super) fn dribbles(&self) -> bool {
        self.dribbles
    }

    /// Bytes that are no whole message yet.
    pub(super) fn unheard(&self) -> &[u8] {
        &self.word
    }

    /// It has said something, at least in part.
    pub(super) fn has_begun(&self) -> bool {
        self.said > 0 || self.is_saying || self.has_quit
    }

    /// It has begun to say the quit word.
    pub(super) fn has_quit(&self) -> bool {
        self.has_quit
    }

    fn may_speak(&self) -> bool {
        self.is_eager || self.said < self.heard + u32::from(!self.is_second)
    }

    pub(super) fn has_said_everything(&self) -> bool {
        self.said == self.messages && !self.is_saying && (self.has_quit || !self.quits)
    }

    pub(super) fn has_its_answers(&self) -> bool {
        self.heard + u32::from(self.is_second) >= self.said
    }

    /// Appends the next message to `out`, if it is time for one.
    pub(super) fn next(&mut self, plan: &Plan, serial: usize, rng: &mut Random, out: &mut Vec<u8>) {
        if self.has_quit || !self.may_speak() {
            return;
        }
        if self.said < self.messages {
            let is_last = self.said + 1 == self.messages;
            let text = if self.dribbles {
                out.resize(plan.message_bytes_max, b'x');
                return;
            } else if is_last && self.breaks_rule {
                vec![b'x'; plan.message_bytes_max + 1 + rng.below(40)]
            } else {
                message(plan, serial, self.said)
            };
            encode(self.style, &text, rng, out);
        } else if self.quits {
            self.has_quit = true;
            encode(self.style, QUIT, rng, out);
        }
    }

    /// What it was about to say is said.
    pub(super) fn said_it(&mut self) {
        if std::mem::take(&mut self.is_saying) && !self.has_quit {
            self.said += 1;
        }
    }

    /// Cuts what the server sends at the marks that every message carries, in whatever framing.
    pub(super) fn hear(&mut self, plan: &Plan, bytes: &[u8]) -> Result<Vec<Heard>, String> {
        let mut heard = Vec::new();
        for &byte in bytes {
            let is_in_message = self.word.first() == Some(&b'<');
            match byte {
                b'\n' | 0 if is_in_message => {}
                b'\n' | 0 if self.word.is_empty() => {}
                b'\n' | 0 => heard.push(Heard::Word(std::mem::take(&mut self.word))),
                b'>' if is_in_message => {
                    let word = std::mem::take(&mut self.word);
                    heard.push(understood(plan, &word[1..])?);
                }
                b'<' if !self.word.is_empty() => {
                    return Err(format!("{:?} before a message", text_of(&self.word)));
                }
                byte => self.word.push(byte),
            }
        }
        Ok(heard)
    }
}

fn understood(plan: &Plan, inside: &[u8]) -> Result<Heard, String> {
    let garbled = || format!("no message of anybody: {:?}", text_of(inside));
    let head = inside
        .split(|&byte| byte == b':')
        .next()
        .unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| garbled())?;
    let (serial, number) = head.split_once('.').ok_or_else(garbled)?;
    let serial = serial.parse().map_err(|_| garbled())?;
    let number = number.parse().map_err(|_| garbled())?;
    let whole = message(plan, serial, number);
    if whole.get(1..whole.len() - 1) != Some(inside) {
        return Err(garbled());
    }
    Ok(Heard::Message(serial, number))
}

fn text_of(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// The message with this number of this speaker: the same whenever it is asked for.
pub(super) fn message(plan: &Plan, serial: usize, number: u32) -> Vec<u8> {
    let rng = &mut Random::new(scrambled(
        plan.seed ^ (serial as u64) << 32 ^ u64::from(number),
    ));
    let mut text = format!("<{serial}.{number}:").into_bytes();
    let most = match plan.framing {
        Framing::Padded(size) => size - 1,
        // A `nul` client's burst must not end where a `padded` one's would.
        Framing::Auto => 1_000,
        Framing::Line | Framing::Nul | Framing::Chunk => plan.message_bytes_max,
    };
    let most = most.min(plan.message_bytes_max);
    let length = match rng.below(8) {
        0 if serial != OPERATOR => most,
        1 if serial != OPERATOR => rng.below(most),
        _ => text.len() + rng.below(30),
    };
    let is_hostile = serial != OPERATOR && rng.happens(1, 8);
    while text.len() + 4 < length {
        match rng.below(4) {
            0 => text.extend(
                "가나다라마바사아자차카타파하"
                    .chars()
                    .nth(rng.below(14))
                    .map_or([0; 3], |character| {
                        let mut bytes = [0; 3];
                        character.encode_utf8(&mut bytes);
                        bytes
                    }),
            ),
            1 if is_hostile => text.push(rng.one_of(b"\x1b\x07\t\x80\xff\xc2\xe2\x7f")),
            _ => text.push(rng.one_of(b"abcdefghij KLMNOP,.")),
        }
    }
    while text.len() + 1 < length {
        text.push(b'.');
    }
    text.push(b'>');
    text
}

fn encode(style: Framing, text: &[u8], rng: &mut Random, out: &mut Vec<u8>) {
    out.extend_from_slice(text);
    match style {
        Framing::Line if rng.happens(1, 4) => out.extend_from_slice(b"\r\n"),
        Framing::Line => out.push(b'\n'),
        Framing::Nul => out.push(0),
        Framing::Padded(size) => {
            out.push(0);
            let garbage = GARBAGE.iter().copied().cycle();
            out.extend(garbage.take((size - 1).saturating_sub(text.len())));
        }
        Framing::Chunk | Framing::Auto => {}
    }
}
