//! What a chat client must have received when it sees EOF: nobody else's words, no half message,
//! and everything that its partner said in turn.

use std::time::Duration;

use super::client::{Client, Stage};
use super::plan::{Plan, QUIT};
use super::talker::{LATE, Talker};
use crate::protocol::chat::Partner;

impl Client {
    pub(super) fn chat_saw_end(
        &self,
        plan: &Plan,
        heard: u32,
        partner: Option<&Client>,
        is_stopping: bool,
        was_stopped: bool,
    ) -> Result<(), String> {
        let Some(mine) = self.talker() else {
            return Ok(());
        };
        let words: [&[u8]; 4] = [
            QUIT,
            b"message too long",
            LATE,
            b"there is nobody to talk to",
        ];
        if !words.iter().any(|word| word.starts_with(mine.unheard())) {
            let rest = mine.unheard().escape_ascii();
            return Err(format!("heard half a message: {rest}"));
        }
        let has_ended_itself = self.is_finished() || mine.breaks_rule();
        if mine.was_late || mine.unheard() == LATE {
            return self.was_late(plan, was_stopped);
        }
        // Clients in a pair do not learn that one of them took too long.
        let may_be_late = was_stopped && plan.policy.idle_timeout.is_some();
        if may_be_late && plan.partner == Partner::Pair {
            return Ok(());
        }
        if is_stopping || has_ended_itself && plan.partner != Partner::Parrot {
            return Ok(());
        }
        let due = match (plan.partner, partner.and_then(Client::talker)) {
            (Partner::Parrot, _) if mine.breaks_rule() => heard,
            (Partner::Parrot, _) => mine.said(),
            (Partner::Pair, Some(theirs)) if partner.is_some_and(Client::is_blameless) => {
                theirs.said().min(mine.said() + u32::from(mine.is_second))
            }
            (Partner::Pair | Partner::Operator | Partner::User, _) => heard,
        };
        if heard < due {
            return Err(format!("heard {heard} messages of {due}"));
        }
        Ok(())
    }

    /// A message may take so long only if the server did not run meanwhile, or had little patience.
    fn was_late(&self, plan: &Plan, was_stopped: bool) -> Result<(), String> {
        match plan.policy.idle_timeout {
            Some(_) if self.talker().is_some_and(Talker::dribbles) => Ok(()),
            Some(limit) if was_stopped || limit < Duration::from_secs(5) => Ok(()),
            Some(_) | None => Err("learns that it took too long".to_owned()),
        }
    }

    /// It has shut its half or was about to say goodbye.
    fn is_finished(&self) -> bool {
        self.stage != Stage::Talking || self.talker().is_some_and(Talker::has_quit)
    }

    fn is_blameless(&self) -> bool {
        let breaks_rule = self.talker().is_some_and(Talker::breaks_rule);
        self.ledger.excuse.is_none() && !breaks_rule && !self.has_left
    }
}
