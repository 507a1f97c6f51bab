//! What did the user ask for? Arguments become a plan, the plan becomes a reactor with a service,
//! and what came of it becomes an exit code. No byte of a peer is interpreted here.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

mod args;
mod bench;
mod limits;
mod serve;
mod sim;
mod talk;
mod trace;
mod usage;
mod values;

use crate::protocol::display::Escaped;
use crate::system::log::{self, NoRoom};
use crate::system::{reason, signals};
use args::{Arguments, Command};

/// The exit code for what makes no sense.
const ASKED_WRONGLY: u8 = 2;

/// Why the program ends without success, in the words for its user.
#[derive(Debug)]
struct Failure {
    code: u8,
    words: String,
}

impl Failure {
    /// It failed at run time.
    fn at_work(words: impl fmt::Display) -> Failure {
        Failure {
            code: 1,
            words: words.to_string(),
        }
    }

    /// The operating system would not do something.
    fn cannot(what: &str, error: &io::Error) -> Failure {
        Failure::at_work(format_args!("cannot {what}: {}", reason(error)))
    }

    /// It was asked wrongly.
    fn asked_wrongly(words: impl fmt::Display) -> Failure {
        Failure {
            code: ASKED_WRONGLY,
            words: words.to_string(),
        }
    }

    /// The same, with how to ask for it if it was asked wrongly.
    fn with_usage(mut self, given: &[OsString]) -> Failure {
        if self.code == ASKED_WRONGLY {
            self.words += &usage::ending(given);
        }
        self
    }
}

/// The line that its user reads, whatever is in the words.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epollo: {}", Escaped(self.words.as_bytes()))
    }
}

/// Understands arguments and does nothing of what they ask. For fuzzing: no promise.
///
/// # Errors
/// The exit code and the line for arguments that make no sense.
#[doc(hidden)]
pub fn understand(arguments: impl Iterator<Item = OsString>) -> Result<(), (u8, String)> {
    let given: Vec<OsString> = args::with_equals(arguments).collect();
    let understood = parse(&given).map(|_| ());
    understood.map_err(|failure| (failure.code, failure.to_string()))
}

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    match run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where standard error is gone too, the exit code has to say it all.
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::from(failure.code)
        }
    }
}

fn run(arguments: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let given: Vec<OsString> = args::with_equals(arguments).collect();
    let arguments = match parse(&given)? {
        Ok(arguments) => arguments,
        Err(help) => {
            // `| head` closed it: that is no failure.
            let _ = help.print();
            return Ok(());
        }
    };
    // A simulated server has nothing to complain of unless it is watched, and then at leisure.
    let (log_default, no_room) = match matches!(arguments.command, Command::Sim(_)) {
        true => ("off", NoRoom::Wait),
        false => ("warn", NoRoom::Drop),
    };
    signals::outlive_full_files().map_err(|error| Failure::cannot("watch for SIGXFSZ", &error))?;
    let log = log::start(
        arguments.log.level(),
        arguments.log.color,
        log_default,
        no_room,
    );
    let done = match arguments.command {
        Command::Serve(arguments) => serve::run(*arguments, &log),
        Command::Hello(arguments) => talk::hello(&arguments, &log),
        Command::Echo(arguments) => talk::echo(&arguments, &log),
        Command::Chat(arguments) => talk::chat(arguments, &log),
        Command::Bench(arguments) => bench::run(&arguments, &log),
        Command::Sim(simulation) => sim::run(&simulation, arguments.log.is_quiet()),
    };
    log.end();
    done.map_err(|failure| failure.with_usage(&given))
}

/// What is asked for, or the help or version that is asked for instead.
fn parse(given: &[OsString]) -> Result<Result<Arguments, clap::Error>, Failure> {
    match Arguments::try_parse_from(given) {
        Err(error) if error.use_stderr() => {
            Err(Failure::asked_wrongly(usage::in_one_line(error, given)))
        }
        parsed => Ok(parsed),
    }
}

/// Prints what was asked for. A reader that went away (`| head`) is no failure.
fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::cannot("write to standard output", &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
