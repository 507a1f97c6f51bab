//! One run: a plan, a server, a reactor on a simulated kernel, and what came of it. Which server it
//! is, the caller says.

use std::mem;
use std::time::Duration;

use super::fate::Fate;
use super::fault::Tally;
use super::kernel::SimKernel;
use super::plan::Plan;
use super::probe::{Origin, Probing};
use super::random::Random;
use super::world::{SIGNALS, TERMINAL, World};
use crate::protocol::Service;
use crate::reactor::{ConnectOptions, Holdings, Kernel, Policy, Reactor};

/// How long clients take to read what is left for them.
const CLEARING_TIME: Duration = Duration::from_secs(3_600);
/// The buffers of a terminal: typed, shown.
const TERMINAL_BYTES: (usize, usize) = (4_096, 4_096);

/// How often the server calls out in a run, at most.
const CALLS_MAX: usize = 16;

/// Where the peers of a server come from.
#[derive(Clone, Copy, Debug)]
pub struct Origins<D> {
    /// Whom it greets.
    pub hello: D,
    /// Whom it echoes.
    pub echo: D,
    /// Who chats.
    pub chat: D,
    /// The user's terminal.
    pub console: D,
    /// Where a byte tells it to stop.
    pub signals: D,
}

/// What came of one or many runs.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Calls of the kernel, and acts of clients and of the user.
    pub steps: u64,
    /// Connections that the server accepted.
    pub connections: u64,
    /// Faults injected.
    pub faults: Tally,
    /// What was wrong, at most one thing a run, with its seed.
    pub violations: Vec<(u64, String)>,
}

impl Outcome {
    /// Adds what came of other runs.
    pub fn merge(&mut self, other: Outcome) {
        self.steps += other.steps;
        self.connections += other.connections;
        self.faults.merge(&other.faults);
        self.violations.extend(other.violations);
    }
}

/// Runs a server on the kernel and with the clients of a plan.
pub fn run<S: Service>(plan: &Plan, service: S, origins: Origins<S::Origin>) -> Outcome {
    let mut reactor = set_up(plan, service, origins);
    let mut caller = Caller {
        rng: Random::new(plan.seed ^ 0x00d1_a1ed),
        left: CALLS_MAX,
    };
    while reactor.keeps_going() && reactor.kernel_mut().environment.violation().is_none() {
        caller.call(&mut reactor);
        let result = reactor.turn();
        let probe = reactor.service_mut();
        let (wrong, notified) = (probe.wrong.take(), mem::take(&mut probe.notified));
        let present = probe.present.clone();
        let unsent = reactor.holdings().buffered_bytes;
        let kernel = reactor.kernel_mut();
        let heard = kernel.environment.thread.check(notified, &present);
        for wrong in wrong.into_iter().chain(heard.err()) {
            kernel.environment.accuse(wrong);
        }
        if let Err(error) = result {
            kernel.environment.accuse(format!("the loop ends: {error}"));
        }
        if unsent > plan.limits.unsent_bytes_max {
            kernel
                .environment
                .accuse(format!("{unsent} bytes are unsent"));
        }
    }
    let accepted = reactor.counters().accepted;
    let held = reactor.holdings();
    let kernel = reactor.kernel_mut();
    if kernel.environment.violation().is_none() {
        clear_up(kernel, held);
    }
    let violation = kernel.environment.violation().map(str::to_owned);
    Outcome {
        steps: kernel.steps() + kernel.environment.acts(),
        connections: accepted,
        faults: kernel.tally().clone(),
        violations: violation
            .map(|what| (plan.seed, what))
            .into_iter()
            .collect(),
    }
}

fn set_up<S: Service>(
    plan: &Plan,
    service: S,
    origins: Origins<S::Origin>,
) -> Reactor<SimKernel<World>, Probing<S>> {
    let mut kernel = SimKernel::new(plan.seed, plan.fault_profile, World::new(plan.clone()));
    let ports = [origins.hello, origins.echo, origins.chat]
        .map(|origin| (kernel.listener(plan.backlog), origin));
    kernel.net.memory_max = plan.memory_max;
    kernel.net.orphans_max = plan.orphans_max;
    for (listener, _) in ports {
        kernel.net.set_lowat(listener, plan.lowat);
    }
    let terminal = kernel.terminal(TERMINAL, TERMINAL_BYTES);
    let signals = kernel.terminal(SIGNALS, TERMINAL_BYTES);
    kernel.environment.open(terminal, signals);
    let waker = kernel.waker.clone();
    let mut reactor = Reactor::new(kernel, Probing::new(service), plan.limits);
    let handle = reactor.handle().expect("nothing is injected into it");
    let thread = &mut reactor.kernel_mut().environment.thread;
    thread.begin(handle, waker);
    let streams = [
        (signals, origins.signals, "signals"),
        (terminal, origins.console, "the terminal"),
    ];
    for (stream, origin, name) in streams {
        reactor
            .attach(
                stream,
                Origin::Inner(origin),
                Policy::default(),
                format_args!("{name}"),
            )
            .expect("nothing is injected into watching a terminal");
    }
    for (listener, origin) in ports {
        reactor
            .listen(listener, Origin::Inner(origin), plan.policy)
            .expect("nothing is injected into watching a listener");
    }
    reactor
}

/// Makes the server call out, now and then.
struct Caller {
    rng: Random,
    left: usize,
}

impl Caller {
    fn call<S: Service>(&mut self, reactor: &mut Reactor<SimKernel<World>, Probing<S>>) {
        let is_stopping = reactor.kernel_mut().environment.stopping_since().is_some();
        if is_stopping || self.left == 0 || !self.rng.happens(1, 64) {
            return;
        }
        self.left -= 1;
        let address = self.rng.one_of(&Fate::ALL).address();
        let policy = Policy {
            // It may be evicted.
            exempt_from_limits: true,
            ..Policy::default()
        };
        let called = if self.rng.happens(1, 2) {
            let source = None;
            reactor.connect(address, Origin::Called, ConnectOptions { policy, source })
        } else {
            let stream = reactor.kernel_mut().connect(address, None);
            stream.and_then(|(stream, own)| {
                reactor.attach_connecting(stream, Origin::Called, policy, format_args!("{own}"))
            })
        };
        // Without a descriptor there is no call.
        if let Ok(peer) = called {
            let now = reactor.now();
            let thread = &mut reactor.kernel_mut().environment.thread;
            thread.meet(peer, now);
        }
    }
}

/// The run has ended: lets the clients read what is left for them, then counts what is left of all.
fn clear_up(kernel: &mut SimKernel<World>, held: Holdings) {
    let (net, environment) = (&mut kernel.net, &mut kernel.environment);
    if held != Holdings::default() {
        environment.accuse(format!("what is left is not nothing: {held:?}"));
    }
    if net.descriptors() > 0 {
        environment.accuse(format!("{} descriptors are left", net.descriptors()));
    }
    if environment.stopping_since().is_none() {
        environment.accuse("the run ends without being stopped".to_owned());
    }
    environment.check_shutdown(net);
    let until = kernel.net.now.after(CLEARING_TIME);
    let is_busy = |kernel: &SimKernel<World>| {
        !kernel.environment.is_empty() || kernel.net.orphans() > 0 || !kernel.net.dials.is_empty()
    };
    while let Some(next) = kernel
        .next()
        .filter(|&next| next < until && is_busy(kernel))
    {
        kernel.net.now = kernel.net.now.max(next);
        kernel.act();
    }
    let (net, environment) = (&mut kernel.net, &mut kernel.environment);
    if !environment.is_empty() {
        let who = environment.stragglers();
        environment.accuse(format!("clients are left behind: {who}"));
    }
    environment.close(net);
    if net.open() > 0 {
        environment.accuse(format!("{} connections are left", net.open()));
    } else if (net.memory(), net.orphans()) != (0, 0) {
        let (memory, orphans) = (net.memory(), net.orphans());
        environment.accuse(format!(
            "the counters are wrong: {memory} bytes, {orphans} orphans"
        ));
    }
}
