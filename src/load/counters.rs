//! The costs of a run: the server's process and our own, sampled when a stage changes and at every
//! second. System calls are counted while the load warms up, since counting them costs the server
//! something; without a warm-up they are counted in the measurement.

use super::cost::{Sample, Watch};
use super::generator::{Load, Stage};
use crate::protocol::Time;
use crate::report::Cost;

/// What is watched, and what was seen when.
pub(super) struct Counters {
    generator: ProcessCounters,
    server: Option<ProcessCounters>,
    seconds: f64,
    began: Option<Time>,
    warnings: Vec<String>,
}

struct ProcessCounters {
    watch: Watch,
    at_first: Sample,
    at_begin: Option<Sample>,
    at_end: Option<Sample>,
    /// System calls and answers since they are counted.
    counting: Option<(Sample, u64)>,
    syscalls_per_echo: Option<f64>,
}

impl Counters {
    /// Watches ourselves, and the server if it is known.
    ///
    /// # Errors
    /// In words for the user: the server's process cannot be looked at.
    pub(super) fn of(server: Option<u32>) -> Result<Counters, String> {
        let mut generator = ProcessCounters::of(std::process::id())?;
        let mut server = server.map(ProcessCounters::of).transpose()?;
        let both = std::iter::once(&mut generator).chain(&mut server);
        let warnings = both.flat_map(|process| process.watch.missing()).collect();
        Ok(Counters {
            generator,
            server,
            seconds: 0.0,
            began: None,
            warnings,
        })
    }

    /// A stage of the run has changed, or a second is over.
    pub(super) fn mark(&mut self, load: &mut Load, at: Time) {
        let answers = load.recorder.answers;
        if let Err(words) = self.try_mark(load.stage, answers, at) {
            self.warnings.push(words);
        }
        if load.recorder.since <= at {
            let server = self.server.as_ref();
            let cpu = server.and_then(|server| server.watch.cpu().ok());
            let cpu = cpu.and_then(|cpu| u64::try_from(cpu.as_nanos()).ok());
            load.recorder.end_second(at, cpu);
        }
    }

    fn try_mark(&mut self, stage: Stage, answers: u64, at: Time) -> Result<(), String> {
        let both = std::iter::once(&mut self.generator).chain(&mut self.server);
        for process in both {
            process.mark(stage, answers, self.began.is_none())?;
        }
        match (stage, self.began) {
            (Stage::Measuring, None) => self.began = Some(at),
            (Stage::Draining(_), Some(began)) => self.seconds = at.since(began).as_secs_f64(),
            (Stage::Measuring, Some(_))
            | (Stage::Draining(_), None)
            | (Stage::Connecting | Stage::Warming(_) | Stage::Over, _) => {}
        }
        Ok(())
    }

    /// What the load cost us.
    pub(super) fn generator(&self, echoes: u64) -> Cost {
        self.generator
            .cost(echoes, self.seconds)
            .unwrap_or_default()
    }

    /// What it cost the server.
    pub(super) fn server(&self, echoes: u64) -> Option<Cost> {
        self.server.as_ref()?.cost(echoes, self.seconds)
    }

    /// What could not be looked at, in words.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }
}

impl ProcessCounters {
    fn of(pid: u32) -> Result<ProcessCounters, String> {
        let mut watch = Watch::of(pid)?;
        let at_first = watch.sample().map_err(|error| error.to_string())?;
        Ok(ProcessCounters {
            watch,
            at_first,
            at_begin: None,
            at_end: None,
            counting: None,
            syscalls_per_echo: None,
        })
    }

    fn mark(&mut self, stage: Stage, answers: u64, is_first: bool) -> Result<(), String> {
        let failed = |error: std::io::Error| error.to_string();
        match stage {
            Stage::Warming(_) => self.begin_counting(answers),
            Stage::Measuring if is_first => {
                if self.counting.is_some() {
                    self.end_counting(answers)?;
                } else {
                    self.begin_counting(answers);
                }
                self.at_begin = Some(self.watch.sample().map_err(failed)?);
            }
            Stage::Draining(_) => {
                self.at_end = Some(self.watch.sample().map_err(failed)?);
                self.end_counting(answers)?;
            }
            Stage::Connecting | Stage::Measuring | Stage::Over => {}
        }
        Ok(())
    }

    /// Where the kernel does not let us count them, there is no figure.
    fn begin_counting(&mut self, answers: u64) {
        if self.watch.count_syscalls().is_ok()
            && let Ok(sample) = self.watch.sample()
        {
            self.counting = Some((sample, answers));
        }
    }

    fn end_counting(&mut self, answers: u64) -> Result<(), String> {
        let Some((then, answers_then)) = self.counting.take() else {
            return Ok(());
        };
        let now = self.watch.sample().map_err(|error| error.to_string())?;
        self.watch.count_no_syscalls();
        let cost = now.since(&then, answers.saturating_sub(answers_then), 0.0);
        self.syscalls_per_echo = cost.syscalls_per_echo.filter(|_| answers > answers_then);
        Ok(())
    }

    fn cost(&self, echoes: u64, seconds: f64) -> Option<Cost> {
        let (begin, end) = (self.at_begin.as_ref()?, self.at_end.as_ref()?);
        Some(Cost {
            rss_before: self.at_first.since(&self.at_first, 0, 0.0).rss_before,
            syscalls_per_echo: self.syscalls_per_echo,
            ..end.since(begin, echoes, seconds)
        })
    }
}
