//! One line on a terminal that says how far a run is; nothing in a pipe.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::load::{Load, Stage};
use crate::protocol::Time;

/// How often the line changes.
const STEP: Duration = Duration::from_millis(200);

/// The line.
pub(super) struct Progress {
    bar: ProgressBar,
    next: Time,
    prefix: String,
}

impl Progress {
    /// On standard error, if that is a terminal that nothing else is told on.
    pub(super) fn new(is_alone: bool) -> Progress {
        let target = if is_alone && io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(ProgressStyle::with_template("{msg}").expect("a template that makes sense"));
        Progress {
            bar,
            next: Time::ZERO,
            prefix: String::new(),
        }
    }

    /// Says which of several runs follows.
    pub(super) fn begin(&mut self, which: String) {
        self.prefix = which;
        self.next = Time::ZERO;
    }

    /// Shows where the run is.
    pub(super) fn show(&mut self, load: &Load, now: Time) {
        if now < self.next || self.bar.is_hidden() {
            return;
        }
        self.next = now.after(STEP);
        let (stands, wanted) = load.connected();
        let answers = load.book.answers;
        let measured = now.since(load.book.since.min(now)).as_secs();
        let what = match load.stage {
            Stage::Connecting => format!("connecting: {stands} of {wanted}"),
            Stage::Warming(_) => format!("warming up: {answers} answers"),
            Stage::Measuring => format!("measuring: {measured} s, {} answers", load.book.echoes),
            Stage::Draining(_) | Stage::Over => "waiting for the last answers".to_owned(),
        };
        self.bar.set_message(format!("{}{what}", self.prefix));
        self.bar.tick();
    }

    /// Takes the line away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
