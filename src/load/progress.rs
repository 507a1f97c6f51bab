//! One line on a terminal that says how far a run is: a bar, counts and the rate so far. In a pipe it
//! says nothing, and nothing is decided by it.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::generator::{Load, Stage};
use super::plan::End;
use crate::protocol::Time;
use crate::report::units;

/// How often the line changes.
const STEP: Duration = Duration::from_millis(200);
/// Where the bar ends; its position is a share of it.
const BAR_END: u64 = 1000;
const TEMPLATE: &str = "{prefix} [{bar:24}] {msg}";

/// The line.
pub struct Progress {
    bar: ProgressBar,
    next: Time,
    block: String,
}

impl Progress {
    /// On standard error, if that is a terminal and nothing else is printed there.
    pub fn new(is_alone: bool) -> Progress {
        let target = if is_alone && io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(BAR_END), target);
        let style = ProgressStyle::with_template(TEMPLATE).expect("a template that makes sense");
        bar.set_style(style.progress_chars("=> "));
        Progress {
            bar,
            next: Time::ZERO,
            block: String::new(),
        }
    }

    /// Says which of several runs follows.
    pub fn begin(&mut self, block: String) {
        self.block = block;
        self.next = Time::ZERO;
    }

    /// Shows where the run is.
    pub fn show(&mut self, load: &Load, now: Time) {
        if now < self.next || self.bar.is_hidden() {
            return;
        }
        self.next = now.after(STEP);
        match load.stage {
            Stage::Connecting => {
                let (stands, wanted) = load.connected();
                let share = stands as f64 / wanted.max(1) as f64;
                let counts = [stands, wanted].map(|count| units::count(count as u64));
                self.say("connecting", share, counts.join(" of "));
            }
            Stage::Warming(until) => {
                let all = load.plan().warmup.as_secs_f64();
                let elapsed = all - until.since(now).as_secs_f64();
                let share = elapsed / all.max(f64::MIN_POSITIVE);
                let words = format!("{elapsed:.1} of {} s", units::round(all));
                self.say("warming up", share, words);
            }
            Stage::Measuring => {
                let (share, words) = measured(load, now);
                self.say("measuring", share, words);
            }
            Stage::Draining(_) | Stage::Over => {
                let words = "waiting for the last answers".to_owned();
                self.say("finishing", 1.0, words);
            }
        }
    }

    /// What is done, the share of it that is done already, and more words.
    fn say(&self, doing: &str, share: f64, words: String) {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of the bar"
        )]
        let position = (share.clamp(0.0, 1.0) * BAR_END as f64) as u64;
        self.bar.set_prefix(format!("{}{doing}", self.block));
        self.bar.set_message(words);
        self.bar.set_position(position);
        self.bar.tick();
    }

    /// Takes the line away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// How much of the time, or of the requests, that end the measurement.
fn measured(load: &Load, now: Time) -> (f64, String) {
    let (_, many) = units::answers_of(load.plan().service.name());
    let echoes = load.recorder.echoes;
    let elapsed = now.since(load.recorder.since.min(now)).as_secs_f64();
    let rate = units::digits((echoes as f64 / elapsed.max(f64::MIN_POSITIVE)).round());
    match load.plan().end {
        End::After(duration) => {
            let all = duration.as_secs_f64();
            let (round, count) = (units::round(all), units::count(echoes));
            let words = format!("{elapsed:.1} of {round} s, {count} {many}, {rate}/s");
            (elapsed / all, words)
        }
        End::Requests(requests) => {
            let (count, all) = (units::count(echoes), units::count(requests));
            let words = format!("{count} of {all} {many}, {rate}/s");
            (echoes as f64 / requests as f64, words)
        }
    }
}
