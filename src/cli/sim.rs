//! `epollo sim`: the server of `epollo serve` on a simulated kernel, seed after seed, on every core.
//! What is right is judged in the simulator; here seeds are handed out and figures printed.

use super::Failure;
use super::args::{Protocol, SimArguments};
use super::server::{Door, Server, Settings};
use crate::protocol::{chat, echo};
use crate::sim::{self, Doors, Outcome, Plan, QUIT};

/// Runs what was asked for.
pub(super) fn run(arguments: &SimArguments) -> Result<(), Failure> {
    let seeds = match arguments.seed {
        Some(seed) => seed..seed + 1,
        None => arguments.seeds.clone(),
    };
    let mut outcome = Outcome::default();
    let began = std::time::Instant::now();
    for seed in seeds {
        outcome.merge(run_seed(seed, arguments.clients));
    }
    eprintln!(
        "{:?} {} steps, {} connections, {} faults",
        began.elapsed(),
        outcome.steps,
        outcome.connections,
        outcome.faults.total()
    );
    eprintln!("{}", outcome.faults);
    for v in outcome.violations.iter().take(10) {
        eprintln!("{v:?}");
    }
    Ok(())
}

/// The server of this plan, on the kernel of this plan.
fn run_seed(seed: u64, clients: usize) -> Outcome {
    let plan = Plan::of(seed, clients);
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
            prompts: false,
        },
        once: false,
    };
    let doors = Doors {
        hello: Door::Serve(Protocol::Hello),
        echo: Door::Serve(Protocol::Echo),
        chat: Door::Serve(Protocol::Chat),
        console: Door::Console,
        signals: Door::Signals,
    };
    sim::run(&plan, Server::new(settings, Vec::new()), doors)
}
