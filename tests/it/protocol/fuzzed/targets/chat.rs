//! A chat played by a script of choices: who comes, speaks, stalls, resets and leaves, in any order.
//! Turns alternate, nothing is lost, doubled or sent too late, and nobody who is gone leaves a trace.

use epollo::protocol::PeerId;
use epollo::protocol::chat::{Chat, Origin, Partner, Settings};
use epollo::protocol::framing::{Framing, SILENCE, encode};

use super::choices::Choices;
use crate::protocol::script::Script;

mod ledger;

use ledger::Ledger;

const GUESTS_MAX: usize = 7;
/// The console speaks as this member.
const CONSOLE: usize = 99;

/// Plays one chat.
pub fn chat(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut play = Play::begin(&mut choices);
    while !choices.is_over() {
        play.act(&mut choices);
        play.look();
    }
    play.calm_down();
    play.end();
}

/// Somebody on a connection.
struct Remote {
    id: PeerId,
    /// How it writes; one that is wild writes anything.
    framing: Framing,
    has_finished: bool,
    said: usize,
}

struct Play {
    script: Script<Chat>,
    partner: Partner,
    framing: Framing,
    console: Option<PeerId>,
    console_has_finished: bool,
    typed: usize,
    remotes: Vec<Remote>,
    ledger: Ledger,
    /// Peers send any bytes: who said what can no more be told.
    is_wild: bool,
}

impl Play {
    fn begin(choices: &mut Choices<'_>) -> Play {
        let partners = [
            Partner::Operator,
            Partner::Pair,
            Partner::Parrot,
            Partner::User,
        ];
        let partner = choices.one_of(&partners);
        let framing = choices.one_of(&[
            Framing::Line,
            Framing::Nul,
            Framing::Padded(40),
            Framing::Padded(1024),
            Framing::Auto,
            Framing::Chunk,
        ]);
        let is_wild = choices.once_in(3);
        let prompts = choices.once_in(2);
        let settings = settings(partner, framing, is_wild, prompts);
        let read_bytes_max = choices.one_of(&[usize::MAX, 1, 3]);
        let mut script = Script::new(Chat::new(settings)).reading_at_most(read_bytes_max);
        if choices.once_in(4) {
            script = script.without_linger();
        }
        let console = match partner {
            Partner::Operator | Partner::User => Some(script.open(Origin::Console)),
            Partner::Pair | Partner::Parrot => None,
        };
        let mut play = Play {
            script,
            partner,
            framing,
            console,
            console_has_finished: false,
            typed: 0,
            remotes: Vec::new(),
            ledger: Ledger::new(partner, prompts),
            is_wild,
        };
        play.remote_comes(choices);
        play
    }

    fn act(&mut self, choices: &mut Choices<'_>) {
        let at = choices.below(self.remotes.len());
        match choices.below(24) {
            0..=2 => self.remote_comes(choices),
            3..=10 => self.remote_speaks(at, choices),
            11..=15 => self.console_types(choices),
            16 | 17 => self.script.advance(choices.pause()),
            18 => self.remote_finishes(at),
            19 => self.remote_stalls(at, choices),
            20 => self.nudge(at),
            21 => self.garbage(at, choices),
            22 if choices.once_in(3) => self.reset(at, choices),
            23 if choices.once_in(8) => self.stop(),
            _ => {}
        }
    }

    fn remote_comes(&mut self, choices: &mut Choices<'_>) {
        let most = match self.partner {
            Partner::User => 1,
            Partner::Operator | Partner::Pair | Partner::Parrot => GUESTS_MAX,
        };
        if self.script.has_stopped() || self.remotes.len() == most {
            return;
        }
        let framing = match self.framing {
            Framing::Auto => choices.one_of(&[
                Framing::Line,
                Framing::Nul,
                Framing::Padded(1024),
                Framing::Chunk,
            ]),
            Framing::Line | Framing::Nul | Framing::Padded(_) | Framing::Chunk => self.framing,
        };
        self.remotes.push(Remote {
            id: self.script.open(Origin::Remote),
            framing,
            has_finished: false,
            said: 0,
        });
        self.ledger.joined();
    }

    fn can_send(&self, at: usize) -> bool {
        let remote = &self.remotes[at];
        !remote.has_finished && self.script.ending(remote.id).is_none()
    }

    fn remote_speaks(&mut self, at: usize, choices: &mut Choices<'_>) {
        let shape = choices.byte();
        let filler = choices.text(usize::from(shape % 4));
        if !self.can_send(at) {
            return;
        }
        let remote = &mut self.remotes[at];
        let text = if shape > 250 {
            self.ledger.is_cut_off(at);
            "QUIT".to_owned()
        } else {
            remote.said += 1;
            format!("<{at}.{}{filler}>", remote.said - 1)
        };
        let mut bytes = Vec::new();
        encode(remote.framing, text.as_bytes(), &mut bytes);
        let id = remote.id;
        if shape % 8 == 7 {
            self.script.put(id, &bytes);
        } else {
            self.script.send(id, &bytes);
        }
        // Silence is what tells one message from the next, or what `auto` goes by.
        if matches!(self.framing, Framing::Auto | Framing::Chunk) && shape % 16 < 12 {
            self.script.advance(SILENCE);
        }
    }

    fn can_type(&self) -> bool {
        let console = self.console.filter(|_| !self.console_has_finished);
        console.is_some_and(|console| self.script.ending(console).is_none())
    }

    fn console_types(&mut self, choices: &mut Choices<'_>) {
        let shape = choices.byte();
        let filler = choices.text(usize::from(shape % 4));
        let Some(console) = self.console.filter(|_| self.can_type()) else {
            return;
        };
        match shape {
            250.. if choices.once_in(4) => {
                self.console_has_finished = true;
                self.ledger.console_has_ended = true;
                self.script.finish(console);
            }
            245.. => {
                self.ledger.console_has_ended = true;
                self.script.send(console, "QUIT\n");
            }
            _ => {
                let line = format!("<{CONSOLE}.{}{filler}>\n", self.typed);
                self.typed += 1;
                self.script.send(console, line);
            }
        }
    }

    fn remote_finishes(&mut self, at: usize) {
        if self.can_send(at) {
            self.remotes[at].has_finished = true;
            self.ledger.finishes(at);
            self.script.finish(self.remotes[at].id);
        }
    }

    fn remote_stalls(&mut self, at: usize, choices: &mut Choices<'_>) {
        let id = self.remotes[at].id;
        if self.script.ending(id).is_some() {
            return;
        }
        if choices.once_in(2) {
            self.script.block(id);
        } else {
            self.script.unblock(id);
        }
    }

    fn nudge(&mut self, at: usize) {
        self.script.nudge(self.remotes[at].id);
        if let Some(console) = self.console {
            self.script.nudge(console);
        }
    }

    /// Anything at all, from a remote or typed; only where nobody counts.
    fn garbage(&mut self, at: usize, choices: &mut Choices<'_>) {
        let pieces = choices.below(6);
        let bytes = choices.wire(pieces);
        if !self.is_wild || bytes.is_empty() {
            return;
        }
        match self.console {
            Some(console) if bytes.len().is_multiple_of(4) && self.can_type() => {
                self.script.send(console, bytes);
            }
            _ if self.can_send(at) => self.script.send(self.remotes[at].id, bytes),
            _ => {}
        }
    }

    fn reset(&mut self, at: usize, choices: &mut Choices<'_>) {
        match self.console {
            // A console that is gone answers nobody, and that is checked at the end of the play.
            Some(console) if self.is_wild && choices.once_in(3) => self.script.reset(console),
            _ => {
                self.ledger.is_cut_off(at);
                self.script.reset(self.remotes[at].id);
            }
        }
        self.script.settle();
    }

    fn stop(&mut self) {
        self.script.stop();
    }

    /// What everybody has been sent, put down and checked.
    fn look(&mut self) {
        for (at, remote) in self.remotes.iter().enumerate() {
            assert_eq!(self.script.sent_too_late(remote.id), 0, "sent to who left");
            let sent = self.script.sent(remote.id);
            if !self.is_wild {
                self.ledger.remote_hears(at, &sent);
            }
        }
        if let Some(console) = self.console {
            let sent = self.script.sent(console);
            assert!(std::str::from_utf8(&sent).is_ok());
            if !self.is_wild {
                self.ledger.console_hears(&sent);
            }
        }
        if !self.is_wild && self.is_exact() {
            self.ledger.check_turns();
        }
    }

    /// Whether messages stay apart however close together they are.
    fn is_exact(&self) -> bool {
        matches!(
            self.framing,
            Framing::Line | Framing::Nul | Framing::Padded(_)
        )
    }

    /// Everybody takes what waits for them, and time enough passes.
    fn calm_down(&mut self) {
        for remote in &self.remotes {
            if self.script.ending(remote.id).is_none() {
                self.script.unblock(remote.id);
            }
        }
        self.script.advance(SILENCE * 3);
        self.look();
        if !self.is_wild && self.is_exact() && !self.script.has_stopped() {
            let said: Vec<usize> = self.remotes.iter().map(|remote| remote.said).collect();
            self.ledger.check_that_all_is_said(&said, self.typed);
        }
    }

    fn end(&mut self) {
        let remotes = self.remotes.iter().map(|remote| remote.id);
        let mut ids: Vec<PeerId> = remotes.chain(self.console).collect();
        if self.typed.is_multiple_of(2) {
            ids.reverse();
        }
        for id in ids {
            self.script.reset(id);
            self.script.settle();
        }
        // There is no door to what a chat remembers; its `Debug` shows it.
        let left = format!("{:?}", self.script.service);
        for nothing in [
            "conversations: {}",
            "queue: []",
            "matched: {}",
            "console: None",
            "news: []",
        ] {
            assert!(
                left.contains(nothing),
                "all are gone, not {nothing}: {left}"
            );
        }
    }
}

fn settings(partner: Partner, framing: Framing, is_wild: bool, prompts: bool) -> Settings {
    Settings {
        partner,
        framing,
        quit: b"QUIT".to_vec(),
        message_bytes_max: if is_wild { 48 } else { 4096 },
        message_time_max: is_wild.then_some(SILENCE * 20),
        turn_time_max: (!prompts).then_some(SILENCE * 7),
        prompts,
    }
}
