//! A script of what both ends of some connections do, and the two machines that act it out side by
//! side. Every answer of one is held against the other's before the next step.

use epollo::reactor::{Batch, Interest, Readiness, Target};
use epollo::sim::Received;

use super::link::Link;
use super::machine::FarEnds;
use super::real::{self, RealMachine};
use super::simulation::{self, SimMachine};

/// One thing that happens. Connections are numbered as they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Connect,
    Far(usize, Act),
    Wait,
    Accept,
    Our(usize, Call),
    CloseListener,
}

/// What a far end does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Send(usize),
    Finish,
    Reset,
    Close,
    Receive(usize),
}

/// What our side does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Register(Interest),
    Reregister(Interest),
    Read(usize),
    Peek(usize),
    Write(usize),
    Shutdown,
    Close,
    /// Close so that nothing is left.
    Reset,
    Delivery,
    TakeError,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Count(usize),
    Bytes(Vec<u8>),
    Accepted(usize),
    Told(Vec<Readiness>, Batch),
    Far(Received),
    /// A far end's call failed, because of a reset.
    WasReset,
    Errno(i32),
    /// So many bytes are acknowledged, and whether that is all.
    Delivered(u64, bool),
    TookError(Option<i32>),
}

/// Both machines, and what they have done so far.
pub struct Both {
    /// What the script is called in a failure.
    name: String,
    pub simulated: SimMachine,
    pub real: RealMachine,
    pub links: Vec<Link>,
    steps: Vec<Step>,
}

impl Both {
    pub fn new(name: impl Into<String>) -> Both {
        Both {
            name: name.into(),
            simulated: simulation::machine(1000),
            real: real::machine(),
            links: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Does this step on both machines, on which the same must come of it.
    pub fn take(&mut self, step: Step) -> Outcome {
        self.steps.push(step);
        if step == Step::Wait {
            self.await_acknowledgements();
        }
        if let Step::Our(number, Call::Delivery) = step {
            self.real.remote.await_delivery(number);
        }
        let sent = match step {
            Step::Far(number, _) => self.links[number].sent,
            Step::Connect | Step::Wait | Step::Accept | Step::Our(..) | Step::CloseListener => 0,
        };
        let simulated = self.simulated.take(step, sent);
        let real = self.real.take(step, sent);
        assert!(
            simulated == real,
            "they differ\n  simulated: {simulated:?}\n  real:      {real:?}",
        );
        self.note(step, &real);
        real
    }

    fn note(&mut self, step: Step, outcome: &Outcome) {
        let number = match step {
            Step::Connect => {
                if *outcome == Outcome::WasReset {
                    return;
                }
                self.links.push(Link::default());
                self.links.len() - 1
            }
            Step::Accept => {
                if let Outcome::Accepted(number) = *outcome {
                    self.links[number].is_accepted = true;
                }
                return;
            }
            Step::Far(number, act) => {
                self.links[number].note_act(act, outcome);
                number
            }
            Step::Our(number, call) => {
                self.links[number].note_call(call, outcome);
                match call {
                    Call::Write(_) | Call::Shutdown | Call::Close | Call::Reset => number,
                    Call::Register(_) | Call::Reregister(_) | Call::Read(_) | Call::Peek(_) => {
                        return;
                    }
                    Call::Delivery | Call::TakeError => return,
                }
            }
            Step::Wait => return,
            Step::CloseListener => {
                for number in 0..self.links.len() {
                    let link = &mut self.links[number];
                    if !link.is_accepted {
                        link.is_closed = true;
                        link.is_broken = true;
                        self.settle(number);
                    }
                }
                return;
            }
        };
        self.settle(number);
    }

    /// Before these the answer to a wait is a matter of time.
    fn await_acknowledgements(&self) {
        for (number, link) in self.links.iter().enumerate() {
            let ours = self.real.ours[number].as_ref();
            if let Some(ours) = ours.filter(|_| link.is_shut && !link.is_broken) {
                self.real.remote.await_acknowledgement(number, ours);
            }
        }
    }

    fn settle(&mut self, number: usize) {
        let link = &self.links[number];
        let ours = self.real.ours[number].as_ref();
        self.real.remote.settle(number, ours, link);
    }

    /// A connection, accepted and watched for this, of which the first wait has told.
    pub fn open(&mut self, interest: Interest) -> usize {
        let number = self.links.len();
        self.take(Step::Connect);
        assert_eq!(self.take(Step::Accept), Outcome::Accepted(number));
        self.our(number, Call::Register(interest));
        self.take(Step::Wait);
        number
    }

    pub fn remote(&mut self, number: usize, act: Act) -> Outcome {
        self.take(Step::Far(number, act))
    }

    pub fn our(&mut self, number: usize, call: Call) -> Outcome {
        self.take(Step::Our(number, call))
    }

    /// What a wait tells: of whom, `r` for readable, `w` for writable, `+` for read on.
    pub fn wait(&mut self) -> String {
        told(&self.take(Step::Wait))
    }
}

/// The events of a wait, in order, as [`Both::wait`] says them.
pub fn told(outcome: &Outcome) -> String {
    let Outcome::Told(ready, Batch::Complete) = outcome else {
        panic!("{outcome:?} is no whole batch");
    };
    let events = ready.iter().map(|event| {
        let whom = match event.token.target() {
            Target::Listener(_) => "listener".to_owned(),
            Target::Waker => "waker".to_owned(),
            Target::Peer(id) => id.slot.to_string(),
        };
        let flags = [
            (event.is_readable(), "r"),
            (event.is_writable(), "w"),
            (event.must_drain(), "+"),
        ];
        let flags = flags.iter().filter(|(is_set, _)| *is_set);
        whom + ":" + &flags.map(|&(_, flag)| flag).collect::<String>()
    });
    events.collect::<Vec<_>>().join(" ")
}

impl Drop for Both {
    /// Says what was done before it failed.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        eprintln!("{}, whose last step failed:", self.name);
        for step in &self.steps {
            eprintln!("    {step:?}");
        }
        for (number, link) in self.links.iter().enumerate() {
            eprintln!("connection {number} before or after it: {link:?}");
        }
    }
}
