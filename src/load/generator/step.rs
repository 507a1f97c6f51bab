//! How a session of the load handles its events. When it may ask is decided by the stage of
//! the run, in `conduct.rs`.

use std::io;

use super::{Call, Load, Origin, Session, Stage, Workload};
use crate::load::pace::Pace;
use crate::load::plan::Plan;
use crate::load::recorder::{Request, nanoseconds};
use crate::load::requester::Requester;
use crate::protocol::display::Escaped;
use crate::protocol::{CloseReason, Context, Event, Peer, Service, StateName, Time};
use crate::system::reason;

/// Bytes that are shown of what is no answer.
const STRANGE_BYTES_MAX: usize = 40;
/// The longest greeting that is compared.
const GREETING_BYTES_MAX: usize = 64 * 1024;

impl Load {
    /// The connection is established, as far as we know since now.
    fn stand(&mut self, call: &mut Call, origin: Origin, cx: &Context<'_>) {
        if std::mem::replace(&mut call.stands, true) {
            return;
        }
        let now = cx.now();
        self.progress_at = now;
        self.failed_in_a_row = 0;
        self.stands.count(origin);
        if origin == Origin::Active && self.plan.service != Workload::Hello {
            self.active.push(cx.me());
        }
        self.recorder
            .connect
            .saturating_record(nanoseconds(call.began, now));
    }

    fn step_active(
        &mut self,
        cx: &mut Context<'_>,
        requester: &mut Requester,
        event: Event<'_>,
    ) -> bool {
        let was_busy = self.orders.under_way > 0;
        let on_track = match event {
            Event::Received(bytes) => {
                requester.hear(cx, &mut self.orders, &mut self.recorder, bytes)
            }
            Event::TimerExpired(at) => {
                self.begin(requester, cx.now());
                requester.hear_messages(cx, at, &mut self.orders, &mut self.recorder)
            }
            Event::Connected | Event::Notified | Event::Writable => {
                self.begin(requester, cx.now());
                true
            }
            Event::Eof | Event::Stopping => false,
        };
        if on_track {
            requester.ask(cx, &mut self.orders, &mut self.recorder);
        } else {
            cx.abort();
        }
        if was_busy
            && self.orders.under_way == 0
            && let Some(conductor) = self.conductor
        {
            cx.notify(conductor);
        }
        on_track
    }

    fn begin(&self, requester: &mut Requester, now: Time) {
        let is_loading = matches!(self.stage, Stage::Warming(_) | Stage::Measuring);
        let begins = is_loading && !requester.is_paced();
        let Some(rate) = self.plan.rate.filter(|_| begins) else {
            return;
        };
        let Plan { arrivals, seed, .. } = self.plan;
        let place = (requester.number() as usize, self.plan.connections);
        requester.begin(Pace::new(now, rate, arrivals, place, seed));
    }

    fn verify_greeting(&mut self, call: Call, greeting: &[u8], now: Time) {
        let first = self.greeting.get_or_insert_with(|| greeting.to_vec());
        if first == greeting && !greeting.is_empty() {
            let request = Request {
                due: call.due,
                sent: call.began,
                is_ordered: call.is_ordered,
            };
            self.recorder.answered(request, now);
        } else {
            let first = first.len();
            self.recorder.changed_greeting(greeting.len(), first);
        }
    }

    /// The server sends no more on a connection.
    fn ended_by_server(&mut self, requester: &Requester) {
        let number = requester.number();
        let strange = requester.strange();
        let shown = Escaped(&strange[..strange.len().min(STRANGE_BYTES_MAX)]);
        if strange.is_empty() {
            self.recorder
                .broke(format_args!("the server closed connection {number}"));
        } else {
            self.recorder.broke(format_args!(
                "the server closed connection {number} after sending '{shown}', which is not an \
                 answer"
            ));
        }
    }

    /// A connection ended before its time.
    fn broke(&mut self, session: &Session, ending: CloseReason) {
        let CloseReason::Broken(number) = ending else {
            let what = format_args!("a connection ended: {ending:?}");
            return self.recorder.broke(what);
        };
        let error = io::Error::from_raw_os_error(number);
        if session.call().is_none_or(|call| call.stands) {
            let why = reason(&error);
            self.recorder
                .broke(format_args!("a connection broke: {why}"));
        } else {
            self.could_not_connect(&error);
        }
    }
}

impl Service for Load {
    type Session = Session;
    type Origin = Origin;

    fn open(&mut self, cx: &mut Context<'_>, origin: Origin, _peer: &Peer<'_>) -> Session {
        if origin == Origin::Conductor {
            self.conductor = Some(cx.me());
            cx.notify(cx.me());
            return Session::Conductor;
        }
        let call = self.calling.take().expect("a peer comes after its call");
        match (origin, self.plan.service) {
            (Origin::Silent | Origin::Conductor, _) => Session::Silent(call),
            (Origin::Partner, _) => Session::Partner(call),
            (Origin::Active, Workload::Hello) => Session::Greeted(call, Vec::new()),
            (Origin::Active, Workload::Echo | Workload::Chat) => {
                let number = self.made.active - 1;
                let number = u32::try_from(number).expect("descriptors are fewer");
                Session::Active(call, Box::new(Requester::new(number, &self.orders)))
            }
        }
    }

    fn step(&mut self, cx: &mut Context<'_>, session: &mut Session, event: Event<'_>) {
        match (&mut *session, event) {
            (Session::Conductor, Event::Received(_)) => {
                self.interrupt(cx);
                self.conduct(cx);
            }
            (Session::Conductor, Event::TimerExpired(_) | Event::Notified) => self.conduct(cx),
            (Session::Silent(call), Event::Connected) => self.stand(call, Origin::Silent, cx),
            (Session::Silent(_), Event::Eof) => {
                self.recorder
                    .broke(format_args!("the server closed an idle connection"));
                cx.abort();
            }
            (Session::Partner(call), Event::Connected) => self.stand(call, Origin::Partner, cx),
            (Session::Partner(_), Event::Received(bytes)) => cx.send_back(0..bytes.len()),
            (Session::Partner(_), Event::Eof) => {
                self.recorder
                    .broke(format_args!("the server closed a partner's connection"));
                cx.abort();
            }
            (
                Session::Active(call, requester),
                event @ (Event::Received(_)
                | Event::Connected
                | Event::TimerExpired(_)
                | Event::Notified
                | Event::Writable
                | Event::Eof),
            ) => {
                if event == Event::Connected {
                    self.stand(call, Origin::Active, cx);
                }
                if !self.step_active(cx, requester, event) && event == Event::Eof {
                    self.ended_by_server(requester);
                }
            }
            (Session::Greeted(call, _), Event::Connected) => {
                self.stand(call, Origin::Active, cx);
            }
            (Session::Greeted(_, greeting), Event::Received(bytes)) => {
                let room = GREETING_BYTES_MAX - greeting.len();
                greeting.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            (Session::Greeted(call, greeting), Event::Eof) => {
                let (call, greeting) = (*call, std::mem::take(greeting));
                self.verify_greeting(call, &greeting, cx.now());
                *session = Session::Done;
                cx.shutdown_write();
            }
            (
                Session::Conductor
                | Session::Silent(_)
                | Session::Partner(_)
                | Session::Active(..)
                | Session::Greeted(..)
                | Session::Done,
                Event::Received(_)
                | Event::Eof
                | Event::Connected
                | Event::TimerExpired(_)
                | Event::Notified
                | Event::Writable
                | Event::Stopping,
            ) => {}
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, mut session: Session, reason: CloseReason) {
        let is_expected = session.call().is_none() || self.stage == Stage::Over;
        if !is_expected && reason != CloseReason::Aborted {
            self.broke(&session, reason);
        }
        match &mut session {
            Session::Conductor => return,
            Session::Silent(_) => self.ended.silent += 1,
            Session::Partner(_) => self.ended.partners += 1,
            Session::Active(_, requester) => {
                self.ended.active += 1;
                self.served += usize::from(requester.was_answered());
                self.unserved += usize::from(is_expected && requester.is_unanswered());
                requester.give_up(&mut self.orders);
                if !self.was_interrupted {
                    requester.lose_unanswered(&mut self.recorder);
                }
            }
            Session::Greeted(..) | Session::Done => {
                let is_owed = matches!(session, Session::Greeted(..));
                if is_owed && is_expected && !self.was_interrupted {
                    self.recorder.lose_greeting();
                }
                self.ended.active += 1;
                self.orders.under_way -= 1;
            }
        }
        let is_waited_for = self.orders.under_way == 0 || self.stage == Stage::Connecting;
        if let Some(conductor) = self.conductor.filter(|_| is_waited_for) {
            cx.notify(conductor);
        }
    }

    fn read_limit(&self, session: &Session) -> usize {
        match session {
            Session::Active(_, requester) => requester.read_limit(),
            Session::Conductor
            | Session::Silent(_)
            | Session::Partner(_)
            | Session::Greeted(..)
            | Session::Done => usize::MAX,
        }
    }

    fn state(&self, session: &Session) -> StateName {
        let state = match session {
            Session::Conductor => return self.stage.state(),
            session if session.call().is_some_and(|call| !call.stands) => "connecting",
            Session::Silent(_) => "silent",
            Session::Partner(_) => "answering",
            Session::Active(..) => "asking",
            Session::Greeted(..) => "listening",
            Session::Done => "done",
        };
        StateName {
            protocol: self.plan.service.name(),
            state,
        }
    }
}
