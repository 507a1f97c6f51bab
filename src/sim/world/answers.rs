//! Who must hear what: in a chat, and of what our user types, which goes to whoever has been shown first and
//! has no answer yet. It knows messages by speaker and number; who is still there it does not ask.

use std::collections::BTreeMap;

use crate::protocol::chat::Partner;
use crate::sim::client::Client;
use crate::sim::plan::Plan;
use crate::sim::talker::OPERATOR;

/// A message: its speaker, and which of the speaker's.
type Said = (usize, u32);

/// What was shown, and which answers have arrived.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// In which place each message was shown. One for which the terminal had no room has none.
    shown: BTreeMap<Said, usize>,
    /// By number of the answer: the place of what it answers, if that was shown.
    heard: BTreeMap<u32, Option<usize>>,
}

impl Answers {
    /// The terminal shows a line: `client 127.0.0.1:1024 : <3.0:text>`, or something else.
    pub(super) fn shown(&mut self, line: &str) {
        if let Some(said) = said_in(line) {
            let place = self.shown.len();
            self.shown.entry(said).or_insert(place);
        }
    }

    /// A client gets this answer after having said that.
    pub(super) fn heard(&mut self, answer: u32, said: Said) -> Result<(), String> {
        let place = self.shown.get(&said).copied();
        if self.heard.insert(answer, place).is_some() {
            return Err(format!("hears answer {answer}, and it was another's"));
        }
        let Some(place) = place else {
            return Ok(());
        };
        let before = self.heard.range(..answer).rev();
        let after = self.heard.range(answer + 1..);
        let is_early = before.filter_map(|(_, place)| *place).next() > Some(place);
        let is_late = after
            .filter_map(|(_, place)| *place)
            .next()
            .is_some_and(|next| next < place);
        if is_early || is_late {
            return Err(format!("hears answer {answer} out of its turn"));
        }
        Ok(())
    }
}

fn said_in(line: &str) -> Option<Said> {
    let (_, text) = line
        .strip_prefix("client")
        .and_then(|rest| rest.split_once(" : <"))?;
    let (speaker, number) = text.split(':').next()?.split_once('.')?;
    Some((speaker.parse().ok()?, number.parse().ok()?))
}

/// What is wrong with this client hearing that message now, if anything.
pub(super) fn is_out_of_place(
    plan: &Plan,
    listener: &Client,
    speaker: Option<&Client>,
    (serial, number): (usize, u32),
    is_second: bool,
) -> Option<String> {
    let mine = listener.talker()?;
    let wrong = |what: &str| Some(format!("hears {serial}.{number} {what}"));
    match plan.partner {
        Partner::Parrot if serial != listener.serial => wrong("of somebody else"),
        Partner::Parrot if number != mine.heard => wrong("out of order"),
        Partner::Parrot if number >= mine.said => wrong("before it was said"),
        Partner::Parrot | Partner::User => None,
        Partner::Operator if serial != OPERATOR => wrong("of somebody else"),
        Partner::Operator if mine.heard >= mine.said => wrong("out of turn"),
        Partner::Operator => None,
        Partner::Pair => {
            let Some(theirs) = speaker.and_then(Client::talker) else {
                return wrong("of nobody");
            };
            if mine.partner.is_some_and(|partner| partner != serial)
                || theirs
                    .partner
                    .is_some_and(|partner| partner != listener.serial)
            {
                return wrong("of somebody else's partner");
            }
            if number != mine.heard {
                return wrong("out of order");
            }
            if number >= theirs.said {
                return wrong("before it was said");
            }
            (mine.said < number + u32::from(!is_second))
                .then(|| format!("hears {serial}.{number} out of turn"))
        }
    }
}
