//! The load as a Service: connections that ask, connections that are silent, and the conductor that
//! says when the run warms up, is measured and ends. It opens no socket: whom to call next is asked
//! of it ([`Load::next_call`]).

use std::io;
use std::time::Duration;

use super::pace::Pace;
use super::payload::Payloads;
use super::plan::{Arrivals, Plan, Workload};
use super::recorder::Recorder;
use super::requester::{Budget, Orders, Requester};
use crate::protocol::{PeerId, StateName, Time};
use crate::system::reason;

mod conduct;
mod step;

/// Where a peer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The signals of our user, and the clock of the run.
    Conductor,
    /// A connection that stays silent.
    Silent,
    /// A connection that asks.
    Active,
    /// A connection that a server of chat matches with the last one that asks: it sends back what it receives.
    Partner,
}

/// One peer's machine.
pub enum Session {
    /// Nobody to load: our user's signals.
    Conductor,
    /// A connection that stays silent.
    Silent(Call),
    /// A connection that sends back what it receives.
    Partner(Call),
    /// A connection with requests.
    Active(Call, Box<Requester>),
    /// A connection to hello, with what it has been sent.
    Greeted(Call, Vec<u8>),
    /// It ended as it should, or it is not read any more.
    Done,
}

impl Session {
    /// How its connection is made, of one that may still end before its time.
    fn call(&self) -> Option<&Call> {
        match self {
            Session::Silent(call)
            | Session::Partner(call)
            | Session::Active(call, _)
            | Session::Greeted(call, _) => Some(call),
            Session::Conductor | Session::Done => None,
        }
    }
}

/// A connection being made.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    due: Time,
    began: Time,
    stands: bool,
    is_ordered: bool,
}

/// The stage of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Not all connections are established yet.
    Connecting,
    /// Under load, not measured before this time.
    Warming(Time),
    /// What comes back counts.
    Measuring,
    /// Nothing more is asked; answers may come until then.
    Draining(Time),
    /// The run ends.
    Over,
}

impl Stage {
    fn state(self) -> StateName {
        let state = match self {
            Stage::Connecting => "connecting",
            Stage::Warming(_) => "warming",
            Stage::Measuring => "measuring",
            Stage::Draining(_) => "draining",
            Stage::Over => "over",
        };
        StateName {
            protocol: "bench",
            state,
        }
    }
}

/// The service of `epollo bench`.
pub struct Load {
    plan: Plan,
    orders: Orders,
    /// What was counted and measured.
    pub recorder: Recorder,
    /// The stage of the run.
    pub stage: Stage,
    /// Our user ended it early.
    pub was_interrupted: bool,
    /// The stage changed in this turn, or a second of the measurement is over: since when.
    pub mark: Option<Time>,
    conductor: Option<PeerId>,
    /// Connections that ask and are established; they are notified when the load begins.
    active: Vec<PeerId>,
    /// Calls made, those that stand, those that ended; of connections that last.
    made: Tally,
    stands: Tally,
    ended: Tally,
    /// Connections that asked, at the end of the run: those that got an answer, and those that never did.
    served: usize,
    unserved: usize,
    progress_at: Time,
    /// Why the first connection failed that could not be established.
    unreachable: Option<Unreachable>,
    /// Calls that failed: all, and those since one stood.
    failed: usize,
    failed_in_a_row: usize,
    /// The call that is being made.
    calling: Option<Call>,
    /// When connections are due where they are counted out.
    dialling: Option<Pace>,
    next_second: Time,
    greeting: Option<Vec<u8>>,
}

/// Why a server cannot be reached, in words, and what may help.
#[derive(Clone, Debug)]
pub struct Unreachable {
    /// What the kernel said, or that nothing came in time.
    pub why: String,
    /// What to try, in parentheses; empty if nothing is known to help.
    pub remedy: &'static str,
    /// No other call will fare better.
    is_final: bool,
}

impl Unreachable {
    /// Why a call failed.
    pub fn of(error: &io::Error) -> Unreachable {
        let is_refused = error.kind() == io::ErrorKind::ConnectionRefused;
        // That the source address is ours was seen before the run.
        let is_out_of_ports = error.kind() == io::ErrorKind::AddrNotAvailable;
        let (why, remedy) = if is_refused {
            let remedy = " (is the server running, and on this port?)";
            (reason(error), remedy)
        } else if is_out_of_ports {
            let remedy = " (those of closed connections are in TIME-WAIT for 60 s: wait, or try --source-ip)";
            ("no local port is free".to_owned(), remedy)
        } else {
            (reason(error), "")
        };
        Unreachable {
            why,
            remedy,
            is_final: is_refused,
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    silent: usize,
    active: usize,
    partners: usize,
}

impl Tally {
    fn count(&mut self, origin: Origin) {
        match origin {
            Origin::Silent => self.silent += 1,
            Origin::Partner => self.partners += 1,
            Origin::Active | Origin::Conductor => self.active += 1,
        }
    }

    fn all(self) -> usize {
        self.silent + self.active + self.partners
    }
}

impl Load {
    /// A load that has not begun.
    pub fn new(plan: Plan) -> Load {
        let orders = Orders {
            payloads: Payloads::new(plan.size, plan.seed),
            pipeline: plan.pipeline,
            framing: (plan.service == Workload::Chat).then_some(plan.framing),
            budget: Budget::Left(0),
            under_way: 0,
            busy_since: Time::ZERO,
        };
        Load {
            plan,
            orders,
            recorder: Recorder::new(),
            stage: Stage::Connecting,
            was_interrupted: false,
            mark: None,
            conductor: None,
            active: Vec::new(),
            made: Tally::default(),
            stands: Tally::default(),
            ended: Tally::default(),
            served: 0,
            unserved: 0,
            progress_at: Time::ZERO,
            unreachable: None,
            failed: 0,
            failed_in_a_row: 0,
            calling: None,
            dialling: None,
            next_second: Time::NEVER,
            greeting: None,
        }
    }

    /// What was asked for.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Connections that stand, of how many.
    pub fn connected(&self) -> (usize, usize) {
        (self.stands.all(), self.plan.sockets())
    }

    /// Some connections were answered and others never: what that says of the server, for people.
    pub fn serves_few(&self) -> Option<String> {
        let (served, all) = (self.served, self.served + self.unserved);
        let is_few = served > 0 && self.unserved > 0 && (served == 1 || 2 * served <= all);
        let clients = if served == 1 {
            "one client".to_owned()
        } else {
            format!("{served} clients")
        };
        is_few.then(|| {
            format!(
                "{served} of {all} connections got answers, the others none: the server seems to serve \
                 {clients} at a time (try -c {served})"
            )
        })
    }

    /// Payload bytes of an answer.
    pub fn answer_bytes(&self) -> usize {
        match (self.plan.service, &self.greeting) {
            (Workload::Hello, greeting) => greeting.as_ref().map_or(0, Vec::len),
            (Workload::Echo | Workload::Chat, _) => self.plan.size,
        }
    }

    /// Whether a connection is to be made now, and which; then it is to be opened at once.
    pub fn next_call(&mut self, now: Time) -> Option<Origin> {
        if self.made.all() == 0 {
            self.progress_at = now;
        }
        if self.stage == Stage::Connecting && self.made.all() == 0 {
            let rate = self.plan.connect_rate;
            let pace = |rate| Pace::new(now, rate, Arrivals::Fixed, (0, 1), self.plan.seed);
            self.dialling = rate.map(pace);
        }
        let origin = self.wants_call(now)?;
        let due = self.dialling.as_mut().map_or(now, Pace::take);
        self.made.count(origin);
        let asks = self.plan.service == Workload::Hello && origin == Origin::Active;
        if asks && self.plan.rate.is_some() {
            self.recorder.asked(due, now);
        }
        self.calling = Some(Call {
            due,
            began: now,
            stands: false,
            is_ordered: asks && self.orders.send(now),
        });
        Some(origin)
    }

    fn wants_call(&self, now: Time) -> Option<Origin> {
        if self.dialling.as_ref().is_some_and(|pace| pace.due() > now) {
            return None;
        }
        match self.stage {
            Stage::Connecting if self.made.silent < self.plan.idle => Some(Origin::Silent),
            // In the order in which the server shall match them: one after the other.
            Stage::Connecting
                if self.plan.pairs && self.made.all() > self.stands.all() + self.failed =>
            {
                None
            }
            Stage::Connecting if self.plan.pairs && self.made.partners < self.made.active => {
                Some(Origin::Partner)
            }
            Stage::Connecting | Stage::Warming(_) | Stage::Measuring => {
                let is_hello = self.plan.service == Workload::Hello;
                let is_early = is_hello && self.stage == Stage::Connecting;
                let open = self.made.active - self.ended.active;
                let is_enough = if is_hello { open } else { self.made.active };
                let is_spent = is_hello && self.orders.budget.is_spent();
                (is_enough < self.plan.connections && !is_early && !is_spent)
                    .then_some(Origin::Active)
            }
            Stage::Draining(_) | Stage::Over => None,
        }
    }

    /// A call that could not even be made.
    pub fn call_failed(&mut self, origin: Origin, error: &io::Error) {
        self.calling = None;
        self.ended.count(origin);
        if self.plan.service == Workload::Hello && origin == Origin::Active {
            self.orders.under_way -= 1;
        }
        self.could_not_connect(error);
    }

    fn could_not_connect(&mut self, error: &io::Error) {
        let unreachable = Unreachable::of(error);
        self.recorder
            .broke(format_args!("cannot connect: {}", unreachable.why));
        self.unreachable.get_or_insert(unreachable);
        self.failed += 1;
        self.failed_in_a_row += 1;
    }

    /// Why the server cannot be reached, once it is known: no connection was ever established.
    pub fn unreachable(&self) -> Option<&Unreachable> {
        let is_connected = self.connected().0 > 0;
        let is_over = self.made.all() == self.ended.all();
        let is_certain = |unreachable: &&Unreachable| unreachable.is_final || is_over;
        let unreachable = self.unreachable.as_ref().filter(is_certain);
        unreachable.filter(|_| !is_connected)
    }

    /// The run is over, or has waited long enough, and no connection was established or refused.
    fn give_up_connecting(&mut self, waited: Duration) {
        let is_silent = self.connected().0 == 0 && self.made.all() > 0;
        if is_silent && !self.was_interrupted {
            self.unreachable.get_or_insert(Unreachable {
                why: format!("no answer within {:.0} s", waited.as_secs_f64()),
                remedy: " (is the address right, and is there a firewall in between?)",
                is_final: true,
            });
        }
    }
}
