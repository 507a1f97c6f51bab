//! The counts of a run: how long what took, how many answers were right, and what was wrong with the
//! others. Nothing is decided by them.

use std::collections::HashSet;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::payload::Name;
use super::verify::Finding;
use crate::protocol::Time;
use crate::report::{Quantiles, Second, Wrongs};

/// The longest time that a histogram distinguishes.
const LONGEST_NS: u64 = 3600 * 1_000_000_000;
/// Digits that it keeps: an error of 0.1 % at most.
const DIGITS: u8 = 3;
/// Words about one kind of wrong answer, at most.
const WORDS_MAX: usize = 5;
/// Names of wrong answers that are remembered to match lost with crossed ones, at most.
const NAMES_MAX: usize = 100_000;

/// A request under way.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub due: Time,
    pub sent: Time,
    /// One of the number that ends the run, if a number does.
    pub is_ordered: bool,
}

/// Everything that is counted.
pub struct Recorder {
    /// Requests count that were due from then on, and before this.
    pub since: Time,
    pub until: Time,
    /// Right answers to those.
    pub echoes: u64,
    /// Right answers of the whole run.
    pub answers: u64,
    pub answered_last: Time,
    pub wrongs: Wrongs,
    words: Vec<(&'static str, String)>,
    pub response: Histogram<u64>,
    pub service: Histogram<u64>,
    pub lag: Histogram<u64>,
    pub connect: Histogram<u64>,
    pub turn: Histogram<u64>,
    pub timeline: Vec<Second>,
    second: Histogram<u64>,
    second_echoes: u64,
    second_cpu_ns: Option<u64>,
    /// Requests that count as lost as long as no answer is found elsewhere, and how many more there
    /// are than could be remembered.
    lost_names: HashSet<Name>,
    lost_unnamed: u64,
    lost_greetings: u64,
    crossed_names: HashSet<Name>,
}

impl Recorder {
    pub fn new() -> Recorder {
        let histogram =
            || Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).expect("bounds that make sense");
        Recorder {
            since: Time::NEVER,
            until: Time::NEVER,
            echoes: 0,
            answers: 0,
            answered_last: Time::ZERO,
            wrongs: Wrongs::default(),
            words: Vec::new(),
            response: histogram(),
            service: histogram(),
            lag: histogram(),
            connect: histogram(),
            turn: histogram(),
            timeline: Vec::new(),
            second: histogram(),
            second_echoes: 0,
            second_cpu_ns: None,
            lost_names: HashSet::new(),
            lost_unnamed: 0,
            lost_greetings: 0,
            crossed_names: HashSet::new(),
        }
    }

    /// From now on it counts.
    pub fn begin(&mut self, now: Time, until: Time) {
        self.since = now;
        self.until = until;
    }

    /// Whether a request that was due then counts.
    pub fn counts(&self, due: Time) -> bool {
        self.since <= due && due < self.until
    }

    /// A request of an open loop that was due then is sent in this turn; how long a turn takes is reported
    /// apart.
    pub fn asked(&mut self, due: Time, now: Time) {
        if self.counts(due) {
            self.lag.saturating_record(nanoseconds(due, now));
        }
    }

    /// A turn of the loop began and ended.
    pub fn turned(&mut self, began: Time, now: Time) {
        if self.counts(now) {
            self.turn.saturating_record(nanoseconds(began, now));
        }
    }

    /// A right answer came.
    pub fn answered(&mut self, request: Request, now: Time) {
        self.answered_last = now;
        self.answers += 1;
        let response = nanoseconds(request.due, now);
        if self.since <= now {
            self.second.saturating_record(response);
            self.second_echoes += 1;
        }
        // Due in the turn in which the warm-up ends, it may belong to either side.
        let counts = if self.until == Time::NEVER {
            request.is_ordered
        } else {
            self.counts(request.due)
        };
        if counts {
            self.echoes += 1;
            self.response.saturating_record(response);
            self.service
                .saturating_record(nanoseconds(request.sent, now));
        }
    }

    /// Something was found out about connection `connection`; whether a request is done with.
    pub fn found(&mut self, connection: u32, finding: Finding) -> bool {
        let name = |sequence| Name {
            connection,
            sequence,
        };
        match finding {
            Finding::Answered(_) => return true,
            Finding::Changed(sequence) => {
                self.wrongs.changed += 1;
                let which = words(name(sequence));
                self.say("changed", format_args!("{which} came back changed"));
                return true;
            }
            Finding::Missing(sequence) => {
                self.lose(name(sequence));
                return true;
            }
            Finding::Late(sequence) => {
                self.wrongs.reordered += 1;
                self.find_again(name(sequence));
                let which = words(name(sequence));
                self.say(
                    "reordered",
                    format_args!("{which} arrived after a later one"),
                );
            }
            Finding::Doubled(sequence) => {
                self.wrongs.duplicated += 1;
                let which = words(name(sequence));
                self.say("duplicated", format_args!("{which} arrived twice"));
            }
            Finding::Crossed(name) => self.cross(name, connection),
            Finding::Surplus(bytes) => {
                self.wrongs.changed += 1;
                let what = format_args!(
                    "connection {connection} received {bytes} bytes that it never sent"
                );
                self.say("changed", what);
            }
            Finding::LostTrack => {
                self.say("broken", format_args!("connection {connection} is abandoned: after a wrong byte, payloads this short cannot be distinguished"));
            }
        }
        false
    }

    /// This request will not be answered any more.
    pub fn lose(&mut self, name: Name) {
        if self.crossed_names.contains(&name) {
            return;
        }
        if self.lost_names.len() < NAMES_MAX {
            self.lost_names.insert(name);
        } else {
            self.lost_unnamed += 1;
        }
    }

    /// Requests that were never answered, and greetings that never came.
    pub fn lost(&self) -> u64 {
        self.lost_names.len() as u64 + self.lost_unnamed + self.lost_greetings
    }

    /// What may have counted as lost came late. It did not, if it had come on another connection before.
    fn find_again(&mut self, name: Name) {
        let was_named = self.lost_names.remove(&name);
        // With more of them than can be remembered it may have been one: rather one loss too many
        // is reported than a real one hidden.
        let may_have_crossed =
            self.crossed_names.len() == NAMES_MAX || self.crossed_names.contains(&name);
        if !was_named && !may_have_crossed {
            self.lost_unnamed = self.lost_unnamed.saturating_sub(1);
        }
    }

    fn cross(&mut self, name: Name, connection: u32) {
        self.wrongs.crossed += 1;
        self.lost_names.remove(&name);
        if self.crossed_names.len() < NAMES_MAX {
            self.crossed_names.insert(name);
        }
        let which = words(name);
        let what = format_args!("{which} was answered on connection {connection}");
        self.say("crossed", what);
    }

    /// A greeting that is not what the first one was.
    pub fn changed_greeting(&mut self, got: usize, first: usize) {
        self.wrongs.changed += 1;
        let words = match got {
            0 => "a connection ended without a greeting".to_owned(),
            _ => format!("a greeting of {got} bytes differs from the first one of {first}"),
        };
        self.say("changed", format_args!("{words}"));
    }

    /// A connection that waited for its greeting to the end of the run.
    pub fn lose_greeting(&mut self) {
        self.lost_greetings += 1;
        let what = format_args!("a connection received no complete greeting");
        self.say("lost", what);
    }

    /// Connections that were not established in time, of all that were wanted.
    pub fn never_stood(&mut self, missing: usize, wanted: usize, patience: Duration) {
        self.wrongs.broken += missing as u64;
        let seconds = patience.as_secs();
        self.say(
            "broken",
            format_args!(
                "{missing} of {wanted} connections could not be established within {seconds} s \
                 (is the server's backlog full? try fewer with -c, or --connect-rate)"
            ),
        );
    }

    /// A connection ended before its time.
    pub fn broke(&mut self, how: std::fmt::Arguments<'_>) {
        self.wrongs.broken += 1;
        self.say("broken", how);
    }

    fn say(&mut self, kind: &'static str, words: std::fmt::Arguments<'_>) {
        let alike = self.words.iter().filter(|(other, _)| *other == kind);
        if alike.count() < WORDS_MAX {
            self.words.push((kind, words.to_string()));
        }
    }

    /// What was wrong, for people: the first few of each kind.
    pub fn words(&self) -> Vec<String> {
        let mut lost: Vec<Name> = self.lost_names.iter().copied().collect();
        lost.sort_by_key(|name| (name.sequence, name.connection));
        let lost = lost.iter().take(WORDS_MAX);
        let lost = lost.map(|&name| format!("lost: {} was not answered in full", words(name)));
        let others = self.words.iter();
        let others = others.map(|(kind, words)| format!("{kind}: {words}"));
        lost.chain(others).collect()
    }

    /// A second of the measurement is over; `cpu_ns` is the server's total.
    pub fn end_second(&mut self, now: Time, cpu_ns: Option<u64>) {
        let before = self.second_cpu_ns.take();
        if now > self.since {
            self.timeline.push(Second {
                at: now.since(self.since).as_secs_f64(),
                echoes: self.second_echoes,
                p50: self.second.value_at_quantile(0.5),
                p99: self.second.value_at_quantile(0.99),
                max: self.second.max(),
                server_cpu_ns: cpu_ns
                    .zip(before)
                    .map(|(now, then)| now.saturating_sub(then)),
            });
        }
        self.second.reset();
        self.second_echoes = 0;
        self.second_cpu_ns = cpu_ns;
    }
}

fn words(name: Name) -> String {
    let Name {
        connection,
        sequence,
    } = name;
    format!("request {sequence} of connection {connection}")
}

pub(super) fn nanoseconds(from: Time, to: Time) -> u64 {
    to.as_nanos().saturating_sub(from.as_nanos())
}

/// The figures of a histogram that a report names.
pub(super) fn quantiles(histogram: &Histogram<u64>) -> Quantiles {
    if histogram.is_empty() {
        return Quantiles::default();
    }
    Quantiles {
        min: histogram.min(),
        mean: histogram.mean(),
        p50: histogram.value_at_quantile(0.5),
        p90: histogram.value_at_quantile(0.9),
        p99: histogram.value_at_quantile(0.99),
        p999: histogram.value_at_quantile(0.999),
        max: histogram.max(),
        count: histogram.len(),
    }
}

/// Percentile and value, finer where it is rarer: up to the last sample.
pub(super) fn curve(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    histogram
        .iter_quantiles(5)
        .map(|step| (step.quantile() * 100.0, step.value_iterated_to()))
        .collect()
}
