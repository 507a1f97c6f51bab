//! `epollo sim`: the server of `epollo serve` on a simulated kernel, seed after seed, on every core.
//! What is right is judged in the simulator; here seeds are handed out and figures printed.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::ops::{Range, RangeInclusive};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use procfs::process::Process;

use super::args::SimArguments;
use super::{Failure, print};
use crate::protocol::{chat, echo};
use crate::reactor::{Holdings, Policy};
use crate::report::table::named;
use crate::services::{Origin, Protocol, Server, Settings};
use crate::sim::{self, Mass, Origins, Outcome, Plan, QUIT};

/// Seeds that are run if none are named.
const SEEDS_DEFAULT: Range<u64> = 0..100;
/// How many violations are spelled out; with so many, no further seed is begun.
const VIOLATIONS_SHOWN_MAX: usize = 10;
/// Characters of the names of figures.
const NAME_WIDTH: usize = 11;

thread_local! {
    /// Which seed this thread runs, for its last words.
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Runs what was asked for. If quiet, figures are not printed.
pub(super) fn run(arguments: &SimArguments, is_quiet: bool) -> Result<(), Failure> {
    let print_figures = |figures: &str| match is_quiet {
        true => Ok(()),
        false => print(figures.as_bytes()),
    };
    if let Some(count) = arguments.open {
        return open(count, print_figures);
    }
    // Whoever names a range names its end, so that the last seed of all is only run by its own name.
    let range = |seeds: Range<u64>| seeds.start..=seeds.end - 1;
    let seeds = match (arguments.seed, &arguments.seeds, arguments.steps) {
        (Some(seed), _, _) => seed..=seed,
        (None, Some(seeds), _) => range(seeds.clone()),
        (None, None, Some(_)) => 0..=u64::MAX,
        (None, None, None) => range(SEEDS_DEFAULT),
    };
    say_which_seed_panicked(arguments.clients);
    let began = Instant::now();
    let (outcome, runs) = run_all(arguments, seeds);
    print_figures(&report(&outcome, runs, began.elapsed()))?;
    verdict(arguments, &outcome)
}

/// Hands out the seeds to as many threads as there are cores.
fn run_all(arguments: &SimArguments, seeds: RangeInclusive<u64>) -> (Outcome, u64) {
    let bar = progress_bar(arguments, &seeds);
    let count = (seeds.end() - seeds.start()).saturating_add(1);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = usize::try_from(count).map_or(cores, |count| count.min(cores));
    let seeds = Mutex::new(seeds);
    let total = Mutex::new((Outcome::default(), 0));
    let steps_max = arguments.steps.unwrap_or(u64::MAX);
    let work = || loop {
        let is_enough = |so_far: &Outcome| {
            so_far.steps >= steps_max || so_far.violations.len() >= VIOLATIONS_SHOWN_MAX
        };
        if is_enough(&total.lock().expect("no thread panics").0) {
            return;
        }
        let Some(seed) = seeds.lock().expect("no thread panics").next() else {
            return;
        };
        SEED.set(Some(seed));
        let outcome = run_seed(&Plan::of(seed, arguments.clients));
        let mut total = total.lock().expect("no thread panics");
        total.0.merge(outcome);
        total.1 += 1;
        let (done, wrong) = (total.0.steps, total.0.violations.len());
        bar.set_position(if arguments.steps.is_some() {
            done
        } else {
            total.1
        });
        bar.set_message(format!("{} steps, {wrong} violations", millions(done)));
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    bar.finish_and_clear();
    let (mut outcome, runs) = total.into_inner().expect("no thread panics");
    outcome.violations.sort();
    (outcome, runs)
}

/// Shown on a terminal only.
fn progress_bar(arguments: &SimArguments, seeds: &RangeInclusive<u64>) -> ProgressBar {
    let count = (seeds.end() - seeds.start()).saturating_add(1);
    let length = arguments.steps.unwrap_or(count);
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(5));
    let style = ProgressStyle::with_template("{elapsed} {wide_bar} {percent}%  {msg}");
    bar.with_style(style.expect("the template is right"))
}

/// The server of this plan, on the kernel of this plan.
fn run_seed(plan: &Plan) -> Outcome {
    let settings = Settings {
        greeting: plan.greeting.clone(),
        echo: echo::Settings {
            quit: plan.echo_quit.clone(),
            print: plan.print,
        },
        chat: chat::Settings {
            partner: plan.partner,
            framing: plan.framing,
            quit: QUIT.to_vec(),
            message_bytes_max: plan.message_bytes_max,
            message_time_max: plan.policy.idle_timeout,
            turn_time_max: plan.turn_timeout,
            prompts: false,
        },
        columns: || None,
        once: false,
    };
    let origins = Origins {
        hello: Origin::Serve(Protocol::Hello),
        echo: Origin::Serve(Protocol::Echo),
        chat: Origin::Serve(Protocol::Chat),
        console: Origin::Console,
        signals: Origin::Signals,
    };
    sim::run(plan, Server::new(settings, Vec::new()), origins)
}

fn replay(seed: u64, clients: usize) -> String {
    format!("epollo sim --seed {seed} --clients {clients} -v")
}

/// An assertion of ours that fails is a finding too.
fn say_which_seed_panicked(clients: usize) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        if let Some(seed) = SEED.get() {
            // Where standard error is gone too, there is nobody to tell.
            let _ = writeln!(
                io::stderr(),
                "seed {seed} panics: {}",
                replay(seed, clients)
            );
        }
    }));
}

fn millions(count: u64) -> String {
    format!("{}.{:02} million", count / 1_000_000, count / 10_000 % 100)
}

fn report(outcome: &Outcome, runs: u64, took: Duration) -> String {
    let (steps, seconds) = (outcome.steps, took.as_secs_f64());
    let rate = steps as f64 / seconds / 1e6;
    let steps = format!("{steps} in {seconds:.1} s, {rate:.1} million per second");
    let figures = [
        ("seeds", runs.to_string()),
        ("steps", steps),
        ("connections", outcome.connections.to_string()),
        ("faults", outcome.faults.total().to_string()),
        ("violations", outcome.violations.len().to_string()),
    ];
    let figures = named(NAME_WIDTH, &figures);
    let faults = &outcome.faults;
    format!("{figures}faults by call, kind and state:\n{faults}")
}

fn verdict(arguments: &SimArguments, outcome: &Outcome) -> Result<(), Failure> {
    let mut words = String::new();
    for (seed, what) in outcome.violations.iter().take(VIOLATIONS_SHOWN_MAX) {
        let replay = replay(*seed, arguments.clients);
        // Writing to a string does not fail.
        let _ = writeln!(words, "seed {seed}: {what} ({replay})");
    }
    print(words.as_bytes())?;
    if let Some((seed, _)) = outcome.violations.first() {
        let who = match outcome.violations.len() {
            1 => "1 seed".to_owned(),
            count => format!("{count} seeds"),
        };
        let replay = replay(*seed, arguments.clients);
        return Err(Failure::at_work(format_args!(
            "{who} found a violation (replay with {replay})"
        )));
    }
    let missed = outcome.faults.missed();
    match missed.first() {
        Some((call, fault, state)) if arguments.all_faults => Err(Failure::at_work(format_args!(
            "faults never injected: {}, for example {call:?} {fault:?} {state:?} (try more --steps)",
            missed.len()
        ))),
        Some(_) | None => Ok(()),
    }
}

/// So many connections at once: what each costs in memory and time.
fn open(count: usize, print_figures: impl Fn(&str) -> Result<(), Failure>) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::cannot("simulate that many clients", &error);
    let server = echo::Echo::new(echo::Settings::default());
    let mut mass = Mass::new(count, server, (), Policy::default()).map_err(failed)?;
    let before = resident_bytes();
    mass.open().map_err(failed)?;
    let bytes = resident_bytes().saturating_sub(before);
    let each = bytes as f64 / count as f64;
    let memory = format!("{bytes} bytes, {each:.1} per connection (the server only)");
    let opened = format!("{count} open at once");
    print_figures(&named(
        NAME_WIDTH,
        &[("connections", opened), ("memory", memory)],
    ))?;
    let (steps, began) = (mass.steps(), Instant::now());
    let wrong = mass.echo().map_err(failed)?;
    let took = began.elapsed().as_secs_f64();
    let steps = mass.steps() - steps;
    let held = mass.close().map_err(failed)?;
    let rate = steps as f64 / took / 1e6;
    let left = format!("({}, {}, {})", held.peers, held.timers, held.buffered_bytes);
    let figures = [
        ("echoes", format!("{count} in {took:.2} s, {wrong} wrong")),
        ("steps", format!("{steps}, {rate:.1} million per second")),
        ("left", format!("{left} (peers, timers, bytes)")),
    ];
    print_figures(&named(NAME_WIDTH, &figures))?;
    if wrong > 0 || held != Holdings::default() {
        return Err(Failure::at_work(
            "an echo was wrong, or the server did not release everything",
        ));
    }
    Ok(())
}

/// What this process has in memory now (proc(5)); 0 where that is unknown.
fn resident_bytes() -> usize {
    let statm = Process::myself().and_then(|myself| myself.statm());
    let pages = statm.map_or(0, |statm| statm.resident);
    usize::try_from(pages).unwrap_or(0) * rustix::param::page_size()
}
