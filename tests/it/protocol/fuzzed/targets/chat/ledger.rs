//! Who said what to whom in a chat whose messages are numbered, `<speaker.number text>`: it is told
//! what everybody was sent and knows what that must be. It knows nothing of the machines.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use epollo::protocol::chat::Partner;

use super::CONSOLE;

/// What one remote heard and did.
#[derive(Debug, Default)]
struct Member {
    /// How many messages it heard.
    heard: usize,
    /// How many of its own were shown on the console.
    shown: usize,
    latest_typed: Option<usize>,
    /// Who speaks to it, where that is another remote.
    partner: Option<usize>,
    has_finished: bool,
    /// It was reset, or it said the quit word: what it says later, or it is told, may be lost.
    is_cut_off: bool,
}

/// The whole chat.
#[derive(Debug)]
pub(super) struct Ledger {
    partner: Partner,
    /// What is typed for nobody is thrown away. (Elsewhere the first turn of a pair has its time.)
    is_terminal: bool,
    members: Vec<Member>,
    typed_heard: BTreeSet<usize>,
    /// The quit word was typed, or the typing has ended.
    pub(super) console_has_ended: bool,
}

impl Ledger {
    pub(super) fn new(partner: Partner, is_terminal: bool) -> Ledger {
        Ledger {
            partner,
            is_terminal,
            members: Vec::new(),
            typed_heard: BTreeSet::new(),
            console_has_ended: false,
        }
    }

    pub(super) fn joined(&mut self) {
        self.members.push(Member::default());
    }

    pub(super) fn finishes(&mut self, at: usize) {
        self.members[at].has_finished = true;
    }

    pub(super) fn is_cut_off(&mut self, at: usize) {
        self.members[at].is_cut_off = true;
    }

    /// A remote was sent these bytes.
    pub(super) fn remote_hears(&mut self, at: usize, bytes: &[u8]) {
        for (speaker, number) in tags(bytes) {
            let heard = self.members[at].heard;
            self.members[at].heard += 1;
            match self.partner {
                Partner::Parrot => {
                    assert_eq!(
                        (speaker, number),
                        (at, heard),
                        "a parrot says what it hears"
                    );
                }
                Partner::Pair => {
                    assert_ne!(speaker, at, "nobody talks to himself");
                    assert_eq!(number, heard, "remote {at} hears all, once, and in order");
                    self.match_up(at, speaker);
                    self.match_up(speaker, at);
                }
                Partner::Operator | Partner::User => {
                    assert_eq!(speaker, CONSOLE, "remotes of a console hear nobody else");
                    assert!(self.members[at].latest_typed < Some(number), "in order");
                    assert!(self.typed_heard.insert(number), "one line, one remote");
                    self.members[at].latest_typed = Some(number);
                }
            }
        }
    }

    fn match_up(&mut self, at: usize, partner: usize) {
        let known = *self.members[at].partner.get_or_insert(partner);
        assert_eq!(known, partner, "remote {at} has one partner");
    }

    /// The console was sent these bytes.
    pub(super) fn console_hears(&mut self, bytes: &[u8]) {
        for (speaker, number) in tags(bytes) {
            let shown = self.members[speaker].shown;
            assert_eq!(number, shown, "all of remote {speaker}, once, and in order");
            self.members[speaker].shown += 1;
        }
    }

    /// Every two that talk: the first to speak with how many messages the other heard of it, and
    /// the second.
    fn talks(&self) -> Vec<[(usize, usize); 2]> {
        let members = self.members.iter().enumerate();
        match self.partner {
            Partner::Parrot => Vec::new(),
            Partner::Operator => members
                .map(|(at, member)| [(at, member.shown), (CONSOLE, member.heard)])
                .collect(),
            Partner::User => members
                .map(|(at, member)| [(CONSOLE, member.heard), (at, member.shown)])
                .collect(),
            Partner::Pair => members
                .filter_map(|(at, member)| {
                    let other = member.partner.filter(|&other| other > at)?;
                    let talk = [(at, self.members[other].heard), (other, member.heard)];
                    self.in_order(talk)
                })
                .collect(),
        }
    }

    /// The earlier one speaks first, unless it was silent for too long: then it is whoever was heard
    /// more often, if anybody can tell.
    fn in_order(&self, talk: [(usize, usize); 2]) -> Option<[(usize, usize); 2]> {
        let [one, other] = talk;
        match one.1.cmp(&other.1) {
            _ if self.is_terminal => Some(talk),
            Ordering::Greater => Some(talk),
            Ordering::Less => Some([other, one]),
            Ordering::Equal => None,
        }
    }

    /// Turns alternate, where messages stay apart.
    pub(super) fn check_turns(&self) {
        for [(first, by_first), (second, by_second)] in self.talks() {
            // The server that a user talks with may say what it likes.
            let is_free = self.partner == Partner::User && by_second > by_first;
            let is_alternate = by_first == by_second || by_first == by_second + 1 || is_free;
            assert!(
                is_alternate,
                "{first} was heard {by_first} times and {second} {by_second} times"
            );
        }
    }

    /// Nothing waits that could be said: whoever's turn it is has said all it has to say, unless
    /// somebody who is needed for it is gone.
    pub(super) fn check_that_all_is_said(&self, said: &[usize], typed: usize) {
        for (at, member) in self.members.iter().enumerate() {
            if self.partner == Partner::Parrot && !member.is_cut_off {
                assert_eq!(member.heard, said[at], "the parrot says everything to {at}");
            }
            if self.partner == Partner::User && !member.is_cut_off && !self.console_has_ended {
                assert_eq!(member.shown, said[at], "what {at} says is shown at once");
            }
        }
        let throws_away = self.is_terminal && self.partner == Partner::Operator;
        // Which of a server's messages answer the user, numbers do not tell.
        if self.console_has_ended || throws_away || self.partner == Partner::User {
            return;
        }
        for [(first, by_first), (second, by_second)] in self.talks() {
            let (speaker, heard, listener, heard_of_listener) = if by_first == by_second {
                (first, by_first, second, by_second)
            } else {
                (second, by_second, first, by_first)
            };
            let is_there = |who: usize| who == CONSOLE || !self.members[who].is_cut_off;
            // Whoever has ended its half stays until it has said what it sent before.
            let stays = listener == CONSOLE
                || !self.members[listener].has_finished
                || heard_of_listener < said[listener];
            if !is_there(speaker) || !is_there(listener) || !stays {
                continue;
            }
            if speaker != CONSOLE {
                assert_eq!(heard, said[speaker], "{speaker} may say all to {listener}");
            } else if self.members.iter().all(Member::is_steady) {
                assert_eq!(self.typed_heard.len(), typed, "{listener} waits for a line");
            }
        }
    }
}

impl Member {
    fn is_steady(&self) -> bool {
        !self.has_finished && !self.is_cut_off
    }
}

/// The numbered messages in these bytes, whatever is between them.
fn tags(bytes: &[u8]) -> Vec<(usize, usize)> {
    let text = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    for part in text.split('<').skip(1) {
        let (tag, _) = part.split_once('>').expect("a whole message");
        let end = tag.find(|letter: char| letter != '.' && !letter.is_ascii_digit());
        let numbers = &tag[..end.unwrap_or(tag.len())];
        let (speaker, number) = numbers.split_once('.').expect("who said which");
        let parse = |digits: &str| digits.parse().expect("a number of ours");
        found.push((parse(speaker), parse(number)));
    }
    found
}
