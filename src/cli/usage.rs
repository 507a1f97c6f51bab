//! What is said of arguments that make no sense: one line that names what is wrong, how it is written and
//! where to read more. Which arguments those are is decided by clap and `values.rs`.

use std::error::Error as _;
use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, Error, ErrorFormatter, ErrorKind};
use clap::{ArgMatches, Command, CommandFactory};

use super::args::Arguments;

/// What clap has to say of these arguments: what is wrong, how to write it, where to read more.
pub(super) fn in_one_line(mut error: clap::Error, given: &[OsString]) -> String {
    let port = misplaced_port(&error, given).map(|port| format!(" (try echo={port})"));
    if port.is_some() {
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::Suggested);
    }
    let variable = variable_of(&error, given);
    let variable = variable.map(|name| format!(" (from the environment variable {name})"));
    let error = error.apply::<OneLine>();
    [Some(error.render().to_string()), port, variable]
        .into_iter()
        .flatten()
        .chain([ending(given)])
        .collect()
}

/// How clap writes an error: what is wrong, and what may have been meant.
struct OneLine;

impl ErrorFormatter for OneLine {
    fn format_error(error: &Error<OneLine>) -> StyledStr {
        let similar = |kind, what: &str| {
            let word = error.get(kind)?;
            Some(format!("; a similar {what} exists: '{word}'"))
        };
        let tips = [
            similar(ContextKind::SuggestedSubcommand, "subcommand"),
            similar(ContextKind::SuggestedArg, "argument"),
            similar(ContextKind::SuggestedValue, "value"),
            error
                .get(ContextKind::Suggested)
                .map(|tips| format!("; {tips}"))
                .filter(|tips| tips != "; "),
        ];
        let tips: String = tips.into_iter().flatten().collect();
        (what_is_wrong(error) + &tips).into()
    }
}

fn what_is_wrong(error: &Error<OneLine>) -> String {
    let of = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let argument = of(ContextKind::InvalidArg);
    let value = of(ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            "no command given".to_owned()
        }
        ErrorKind::InvalidSubcommand => {
            let word = of(ContextKind::InvalidSubcommand);
            format!("unrecognized subcommand '{word}'")
        }
        ErrorKind::UnknownArgument => format!("unexpected argument '{argument}' found"),
        ErrorKind::MissingRequiredArgument => {
            format!("the following required arguments were not provided: {argument}")
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            format!("a value is required for '{argument}' but none was supplied")
        }
        ErrorKind::InvalidValue => {
            let values = of(ContextKind::ValidValue);
            format!("invalid value '{value}' for '{argument}' [possible values: {values}]")
        }
        ErrorKind::ValueValidation => {
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            format!("invalid value '{value}' for '{argument}': {why}")
        }
        ErrorKind::TooManyValues => {
            format!("unexpected value '{value}' for '{argument}' found; no more were expected")
        }
        ErrorKind::ArgumentConflict => match of(ContextKind::PriorArg) {
            other if other == argument => {
                format!("the argument '{argument}' cannot be used multiple times")
            }
            other => format!("the argument '{argument}' cannot be used with '{other}'"),
        },
        other @ (ErrorKind::NoEquals
        | ErrorKind::TooFewValues
        | ErrorKind::WrongNumberOfValues
        | ErrorKind::InvalidUtf8
        | ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::Io
        | ErrorKind::Format
        | _) => {
            let words = other.as_str();
            words.unwrap_or("these arguments make no sense").to_owned()
        }
    }
}

/// How the command that these arguments call is written, and where to read more.
pub(super) fn ending(given: &[OsString]) -> String {
    let mut command = called(given);
    let usage = command.render_usage().to_string();
    // What follows the first line are the subcommands.
    let usage = usage.lines().next().unwrap_or_default();
    let usage = usage.trim_start_matches("Usage: ");
    let name = command.get_bin_name().unwrap_or(command.get_name());
    format!("; usage: {usage}; try '{name} --help'")
}

/// The command that these arguments call, as far as it exists: `epollo bench compare`.
fn called(given: &[OsString]) -> Command {
    let all = || Arguments::command().ignore_errors(true);
    let mut command = all();
    command.build();
    let understood = all().try_get_matches_from(given).ok();
    let mut matches = understood.as_ref();
    while let Some((name, below)) = matches.and_then(ArgMatches::subcommand) {
        let Some(next) = command.find_subcommand(name).cloned() else {
            break;
        };
        command = next;
        matches = Some(below);
    }
    command
}

/// The port of `serve --port 80`: a port is given with its service.
fn misplaced_port(error: &clap::Error, given: &[OsString]) -> Option<String> {
    let is_port = error.kind() == ErrorKind::UnknownArgument
        && error.get(ContextKind::InvalidArg)?.to_string() == "--port";
    if !is_port || called(given).get_name() != "serve" {
        return None;
    }
    let at = given.iter().position(|word| word == "--port");
    let next = at.and_then(|at| given.get(at + 1)?.to_str());
    let joined = given
        .iter()
        .find_map(|word| word.to_str()?.strip_prefix("--port="));
    let port = joined.or(next)?;
    port.parse::<u16>().ok().map(|port| port.to_string())
}

/// The environment variable that a refused value came from, if it came from one.
fn variable_of(error: &clap::Error, given: &[OsString]) -> Option<String> {
    let option = error.get(ContextKind::InvalidArg)?.to_string();
    let end = |letter: char| !letter.is_ascii_alphanumeric() && letter != '-';
    let option = option.split(end).next()?.strip_prefix("--")?;
    let name = format!("EPOLLO_{}", option.replace('-', "_").to_uppercase());
    // Neither the arguments nor the environment need be UTF-8.
    let value = std::env::var_os(&name)?;
    let refused = error
        .get(ContextKind::InvalidValue)
        .map(ToString::to_string);
    let is_its_own = refused.is_none_or(|refused| value.to_string_lossy() == refused);
    let long = format!("--{option}");
    let is_given = |argument: &OsString| {
        let argument = argument.to_string_lossy();
        let rest = argument.strip_prefix(&*long);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
            || is_short_of(option, &argument)
    };
    (is_its_own && !given.iter().any(is_given)).then_some(name)
}

/// Whether this argument is `-m 5` or `-m5`, where the option is `--max-conns`.
fn is_short_of(option: &str, argument: &str) -> bool {
    let command = Arguments::command();
    let options = command.get_subcommands().flat_map(Command::get_arguments);
    let mut shorts = options
        .filter(|argument| argument.get_long() == Some(option))
        .filter_map(clap::Arg::get_short);
    shorts.any(|short| argument.starts_with(&format!("-{short}")))
}
