//! Turns against a model that is as dumb as can be: strict alternation, nothing lost or doubled.

use std::collections::BTreeMap;

use epollo::protocol::PeerId;
use epollo::protocol::framing::Framing;
use epollo::protocol::turns::{Message, Order, Side, Turns};
use proptest::prelude::*;

use super::cases;

#[derive(Clone, Copy, Debug)]
enum Action {
    Open(Side, Order),
    Dissolve,
    Say(Side),
    Hear(Side),
    Leave(Side),
}

fn action() -> impl Strategy<Value = Action> {
    let side = || prop_oneof![Just(Side::Remote), Just(Side::Host)];
    let order = prop_oneof![Just(Order::Strict), Just(Order::FreeRemote)];
    prop_oneof![
        1 => (side(), order).prop_map(|(first, order)| Action::Open(first, order)),
        1 => Just(Action::Dissolve),
        8 => side().prop_map(Action::Say),
        8 => side().prop_map(Action::Hear),
        1 => side().prop_map(Action::Leave),
    ]
}

/// A conversation as a log: who said what, who heard how much, who left.
struct Log {
    first: Side,
    order: Order,
    said: Vec<(Side, u8)>,
    heard: usize,
    left: Option<Side>,
}

impl Log {
    fn turn(&self) -> Side {
        self.said
            .last()
            .map_or(self.first, |(side, _)| side.other())
    }

    fn may_speak(&self, side: Side) -> bool {
        let is_free = side == Side::Remote && self.order == Order::FreeRemote;
        (self.turn() == side || is_free) && self.heard == self.said.len() && self.left.is_none()
    }
}

fn remote(number: u32) -> PeerId {
    PeerId {
        slot: number,
        generation: 1,
    }
}

const HOST: PeerId = PeerId {
    slot: 99,
    generation: 1,
};

fn peer(number: u32, side: Side) -> PeerId {
    match side {
        Side::Remote => remote(number),
        Side::Host => HOST,
    }
}

fn message(text: u8) -> Message {
    Message {
        text: vec![text],
        framing: Framing::Line,
    }
}

/// Does one action to both and compares the answers.
fn compare(
    turns: &mut Turns,
    logs: &mut BTreeMap<u32, Log>,
    number: u32,
    action: Action,
    text: u8,
) {
    let id = remote(number);
    match (action, logs.get_mut(&number)) {
        (Action::Open(first, order), None) => {
            turns.open(id, HOST, first, order);
            let log = Log {
                first,
                order,
                said: Vec::new(),
                heard: 0,
                left: None,
            };
            logs.insert(number, log);
        }
        (Action::Open(..), Some(_)) => {}
        (Action::Dissolve, log) => {
            assert_eq!(turns.dissolve(id), log.map(|_| HOST));
            logs.remove(&number);
        }
        (Action::Say(side), log) => {
            let log = log.filter(|log| log.may_speak(side));
            let listener = log.map(|log| {
                log.said.push((side, text));
                peer(number, side.other())
            });
            assert_eq!(turns.say(id, side, message(text)), listener);
        }
        (Action::Hear(side), log) => {
            let waiting = log.filter(|log| log.heard < log.said.len() && log.turn() == side);
            let expected = waiting.map(|log| {
                log.heard += 1;
                message(log.said[log.heard - 1].1)
            });
            assert_eq!(turns.hear(id, side), expected);
        }
        (Action::Leave(side), None) => assert_eq!(turns.leave(id, side), None),
        (Action::Leave(side), Some(log)) if log.left == Some(side.other()) => {
            assert_eq!(turns.leave(id, side), None, "the partner knows already");
            logs.remove(&number);
        }
        (Action::Leave(side), Some(log)) => {
            log.left = Some(side);
            assert_eq!(turns.leave(id, side), Some(peer(number, side.other())));
        }
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn sides_alternate_and_every_message_is_heard_once(
        actions in prop::collection::vec((0_u32..3, action()), 0..200),
    ) {
        let mut turns = Turns::default();
        let mut logs = BTreeMap::new();
        for ((number, action), text) in actions.into_iter().zip((0..=u8::MAX).cycle()) {
            compare(&mut turns, &mut logs, number, action, text);
            for number in 0..3 {
                let log = logs.get(&number);
                prop_assert_eq!(turns.speaker(remote(number)).is_some(), log.is_some());
                for side in [Side::Remote, Side::Host] {
                    let may_speak = log.is_some_and(|log| log.may_speak(side));
                    prop_assert_eq!(turns.may_speak(remote(number), side), may_speak);
                    let is_deserted = log.is_none_or(|log| log.left == Some(side.other()));
                    prop_assert_eq!(turns.is_deserted(remote(number), side), is_deserted);
                }
            }
        }
        for log in logs.values() {
            let is_bound = |side| side == Side::Host || log.order == Order::Strict;
            let mut pairs = log.said.windows(2);
            let alternates = pairs.all(|pair| pair[0].0 != pair[1].0 || !is_bound(pair[0].0));
            prop_assert!(alternates, "{:?}", log.said);
            prop_assert!(log.heard + 1 >= log.said.len());
        }
    }
}
