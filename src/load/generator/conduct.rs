//! When a run warms up, is measured, drains and ends: the stages of a load, by time and by what came
//! back. What is sent and received on a connection is not decided here.

use std::time::Duration;

use super::{Load, Stage, Workload};
use crate::load::pace::Pace;
use crate::load::plan::{End, Plan};
use crate::load::requester::Budget;
use crate::protocol::{Context, Time};

/// How long answers may take once nothing more is asked.
const DRAIN: Duration = Duration::from_secs(5);
/// How long connecting may make no progress at all: the kernel has asked four times by then, the
/// last time after 7 s (tcp(7), `tcp_syn_retries`).
const CONNECT_PATIENCE: Duration = Duration::from_secs(8);
/// Calls of a load of hello that fail in a row until it ends: its server is gone.
const FAILED_IN_A_ROW_MAX: usize = 100;
/// How often the conductor looks, unless something is due earlier.
const LOOK: Duration = Duration::from_millis(20);

impl Load {
    /// When it is time to look again though nothing happens.
    fn looks_at(&self, now: Time) -> Time {
        let stage = match self.stage {
            Stage::Warming(until) | Stage::Draining(until) => until,
            Stage::Measuring => self.next_second.min(self.recorder.until),
            Stage::Connecting | Stage::Over => Time::NEVER,
        };
        let call = match self.wants_call(Time::NEVER) {
            Some(_) => self.dialling.as_ref().map_or(now, Pace::due),
            None => Time::NEVER,
        };
        now.after(LOOK).min(stage).min(call)
    }

    /// Moves on if it is time.
    pub fn conduct(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let waited = now.since(self.progress_at.min(now));
        if waited >= CONNECT_PATIENCE {
            self.give_up_connecting(waited);
        }
        match self.stage {
            Stage::Connecting => self.conduct_connecting(cx),
            Stage::Warming(until) if until <= now || self.is_deserted() => {
                self.begin_measuring(cx);
            }
            Stage::Measuring => {
                let is_answered = self.orders.budget.is_spent() && self.orders.under_way == 0;
                let is_given_up = self.is_given_up(now);
                if self.recorder.until <= now || is_answered {
                    self.end_measuring(now);
                } else if is_given_up {
                    self.end_measuring(now);
                    self.end(cx);
                } else if self.next_second <= now {
                    self.mark = Some(now);
                    self.next_second = self.next_second.after(Duration::from_secs(1));
                }
            }
            Stage::Draining(until) if until <= now || self.orders.under_way == 0 => self.end(cx),
            Stage::Warming(_) | Stage::Draining(_) | Stage::Over => {}
        }
        cx.set_timer(Some(self.looks_at(now)));
    }

    fn conduct_connecting(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let is_hello = self.plan.service == Workload::Hello;
        let (stands, all) = self.connected();
        let wanted = if is_hello { self.plan.idle } else { all };
        let settled = stands + self.failed;
        let is_stuck = now.since(self.progress_at) >= CONNECT_PATIENCE;
        if is_stuck && settled < wanted {
            self.recorder
                .never_stood(wanted - settled, wanted, CONNECT_PATIENCE);
        }
        if settled < wanted && !is_stuck {
            return;
        }
        let Plan { arrivals, seed, .. } = self.plan;
        let rate = self.plan.rate.or(self.plan.connect_rate);
        let rate = rate.filter(|_| is_hello);
        self.dialling = rate.map(|rate| Pace::new(now, rate, arrivals, (0, 1), seed));
        self.orders.budget = Budget::Unlimited;
        if self.plan.warmup.is_zero() {
            self.begin_measuring(cx);
        } else {
            self.stage = Stage::Warming(now.after(self.plan.warmup));
            self.mark = Some(now);
        }
        for &peer in &self.active {
            cx.notify(peer);
        }
    }

    fn begin_measuring(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let until = match self.plan.end {
            End::After(duration) => now.after(duration),
            End::Requests(requests) => {
                self.orders.budget = Budget::Left(requests);
                Time::NEVER
            }
        };
        self.recorder.begin(now, until);
        self.stage = Stage::Measuring;
        self.mark = Some(now);
        self.next_second = now.after(Duration::from_secs(1));
    }

    /// A number of requests ends the run, and the rest of them will not be answered.
    fn is_given_up(&self, now: Time) -> bool {
        let is_counted = self.orders.budget != Budget::Unlimited;
        let last = self.recorder.answered_last.max(self.recorder.since);
        let last = last.max(self.orders.busy_since);
        let is_owed = self.orders.under_way > 0;
        (is_counted && is_owed && now.since(last) >= DRAIN) || self.is_deserted()
    }

    /// Every connection that could ask is gone, or there is no server any more to greet one.
    fn is_deserted(&self) -> bool {
        match self.plan.service {
            Workload::Hello => self.failed_in_a_row >= FAILED_IN_A_ROW_MAX,
            Workload::Echo | Workload::Chat => self.ended.active >= self.plan.connections,
        }
    }

    fn end_measuring(&mut self, now: Time) {
        self.recorder.until = match self.plan.end {
            End::After(_) => now.min(self.recorder.until),
            End::Requests(_) => Time::from_nanos(self.recorder.answered_last.as_nanos() + 1),
        };
        self.orders.budget = Budget::Left(0);
        self.mark = Some(now);
        self.stage = Stage::Draining(now.after(DRAIN));
    }

    /// Our user has seen enough: what is under way is nobody's fault.
    pub fn interrupt(&mut self, cx: &mut Context<'_>) {
        self.was_interrupted = true;
        if self.stage == Stage::Measuring {
            self.end_measuring(cx.now());
        }
        self.end(cx);
    }

    fn end(&mut self, cx: &mut Context<'_>) {
        self.give_up_connecting(cx.now().since(self.progress_at.min(cx.now())));
        self.stage = Stage::Over;
        cx.stop();
    }
}
