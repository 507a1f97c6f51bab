//! A service that also makes calls of its own, and judges what it is told of them: [`Event::Connected`]
//! once, before anything else, and never of a call that failed; of that, the right error. What else it is told
//! of goes to the service within.

use std::collections::BTreeSet;
use std::time::Duration;

use super::fate::{ANSWER_TIME_MAX, Fate, GREETING};
use super::pour::Pour;
use crate::protocol::{CloseReason, Context, Event, Peer, PeerId, Service, StateName};

/// When a call that is answered or refused must have been told of.
const PATIENCE: Duration = ANSWER_TIME_MAX.saturating_mul(2);
/// Until then what a server says with its answer is said to have come at the latest: the kernel may hold
/// it back for some milliseconds.
const GREETING_TIME_MAX: Duration = Duration::from_millis(10);

/// A service that is probed by calls.
#[derive(Debug)]
pub(super) struct Probing<S> {
    pub(super) inner: S,
    /// The first thing that was wrong.
    pub(super) wrong: Option<String>,
    /// The calls that are not closed, and those that were notified since somebody last asked.
    pub(super) present: BTreeSet<PeerId>,
    pub(super) notified: Vec<PeerId>,
}

/// Where a peer comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin<O> {
    Inner(O),
    /// The process has called it.
    Called,
}

/// One peer's machine.
#[derive(Debug)]
pub(super) enum Session<S> {
    Inner(S),
    Called(Call),
    Pouring(Pour),
}

#[derive(Debug)]
pub(super) struct Call {
    fate: Fate,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// There is no answer yet.
    Calling,
    /// There is, and so much was said.
    Listening(usize),
    /// Everything was heard.
    Over,
}

impl<S> Probing<S> {
    pub(super) fn new(inner: S) -> Probing<S> {
        Probing {
            inner,
            wrong: None,
            present: BTreeSet::new(),
            notified: Vec::new(),
        }
    }

    /// Keeps what is wrong, if something is and nothing was before.
    fn inspect(&mut self, verdict: Result<(), String>) {
        self.wrong = self.wrong.take().or(verdict.err());
    }

    fn ended(&mut self, (fate, is_connected): (Fate, bool), reason: CloseReason, is_right: bool) {
        let is_known = match reason {
            CloseReason::Broken(number) => fate
                .errors(is_connected)
                .iter()
                .any(|fault| fault.errno() == Some(number)),
            CloseReason::Finished
            | CloseReason::Idle
            | CloseReason::WriteStalled
            | CloseReason::Lingered
            | CloseReason::Evicted
            | CloseReason::Aborted
            | CloseReason::Stopped => is_right,
        };
        let words = || format!("a call that is {fate:?} ends as {reason:?}");
        self.inspect(is_known.then_some(()).ok_or_else(words));
    }

    fn step_call(&mut self, cx: &mut Context<'_>, call: &mut Call, event: Event<'_>) {
        let fate = call.fate;
        call.stage = match (&call.stage, event) {
            (Stage::Calling, Event::Connected) if matches!(fate, Fate::Answered | Fate::Reset) => {
                cx.set_timer(Some(cx.now().after(GREETING_TIME_MAX)));
                Stage::Listening(0)
            }
            (Stage::Calling, Event::TimerExpired(_)) if fate == Fate::TimedOut => Stage::Calling,
            // It is not waited for.
            (Stage::Calling, Event::Stopping) => Stage::Over,
            (Stage::Calling, Event::Notified)
            | (Stage::Listening(_), Event::Notified | Event::Stopping) => return,
            (&Stage::Listening(count), Event::Received(bytes)) => {
                Stage::Listening(count + bytes.len())
            }
            (&Stage::Listening(count), Event::Eof | Event::TimerExpired(_))
                if count == GREETING.len() =>
            {
                cx.close();
                Stage::Over
            }
            // A timer may have been due before it left.
            (
                Stage::Over,
                Event::Notified | Event::Stopping | Event::Eof | Event::TimerExpired(_),
            ) => return,
            (
                stage @ (Stage::Calling | Stage::Listening(_) | Stage::Over),
                Event::Received(_)
                | Event::Eof
                | Event::Connected
                | Event::TimerExpired(_)
                | Event::Writable,
            ) => {
                let words = format!("a call that is {fate:?} gets {event:?} in {stage:?}");
                return self.inspect(Err(words));
            }
        };
    }
}

impl<S: Service> Service for Probing<S> {
    type Session = Session<S::Session>;
    type Origin = Origin<S::Origin>;

    fn open(
        &mut self,
        cx: &mut Context<'_>,
        origin: Origin<S::Origin>,
        peer: &Peer<'_>,
    ) -> Session<S::Session> {
        match (origin, peer.address) {
            (Origin::Inner(origin), _) => Session::Inner(self.inner.open(cx, origin, peer)),
            (Origin::Called, address) => {
                self.present.insert(peer.id);
                let fate = Fate::of(address.unwrap_or(Fate::Refused.address()));
                if fate == Fate::Slow {
                    return Session::Pouring(Pour::open(cx, PATIENCE));
                }
                cx.set_timer(Some(cx.now().after(PATIENCE)));
                let stage = Stage::Calling;
                Session::Called(Call { fate, stage })
            }
        }
    }

    fn step(&mut self, cx: &mut Context<'_>, session: &mut Session<S::Session>, event: Event<'_>) {
        match session {
            Session::Inner(session) => return self.inner.step(cx, session, event),
            Session::Called(call) => self.step_call(cx, call, event),
            Session::Pouring(pour) => {
                let verdict = pour.step(cx, event);
                self.inspect(verdict);
            }
        }
        if event == Event::Notified {
            self.notified.push(cx.me());
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, session: Session<S::Session>, reason: CloseReason) {
        match session {
            Session::Inner(session) => return self.inner.close(cx, session, reason),
            Session::Called(call) => {
                let is_connected = !matches!(call.stage, Stage::Calling);
                // It may be told to leave before it has heard everything.
                let is_right = reason == CloseReason::Stopped
                    || is_connected && reason == CloseReason::Finished;
                self.ended((call.fate, is_connected), reason, is_right);
            }
            Session::Pouring(pour) => {
                let is_right = pour.may_end(reason);
                self.ended((Fate::Slow, pour.is_connected()), reason, is_right);
            }
        }
        self.present.remove(&cx.me());
    }

    fn read_limit(&self, session: &Session<S::Session>) -> usize {
        match session {
            Session::Inner(session) => self.inner.read_limit(session),
            Session::Called(_) | Session::Pouring(_) => usize::MAX,
        }
    }

    fn state(&self, session: &Session<S::Session>) -> StateName {
        match session {
            Session::Inner(session) => self.inner.state(session),
            Session::Called(_) | Session::Pouring(_) => StateName {
                protocol: "probe",
                state: "calling",
            },
        }
    }
}
