//! What is said of arguments that make no sense: one line that names what is wrong, how it is written and
//! where to read more. Which arguments those are is decided by clap and `values.rs`.

use std::ffi::OsString;

use clap::error::{ContextKind, ErrorKind};
use clap::{ArgMatches, Command, CommandFactory};

use super::args::Arguments;

/// What clap has to say of these arguments, without its paragraphs: what is wrong, how to write it, where
/// to read more.
pub(super) fn in_one_line(mut error: clap::Error, given: &[OsString]) -> String {
    let port = misplaced_port(&error, given).map(|port| format!(" (try echo={port})"));
    if port.is_some() {
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::Suggested);
    }
    let variable = variable_of(&error, given);
    let variable = variable.map(|name| format!(" (from the environment variable {name})"));
    what_is_wrong(&error) + &port.or(variable).unwrap_or_default() + &ending(given)
}

fn what_is_wrong(error: &clap::Error) -> String {
    use ErrorKind::{DisplayHelpOnMissingArgumentOrSubcommand, MissingSubcommand};
    if [DisplayHelpOnMissingArgumentOrSubcommand, MissingSubcommand].contains(&error.kind()) {
        return "no command given".to_owned();
    }
    let text = error.render().to_string();
    let before_usage = text.split("\n\nUsage:").next().unwrap_or_default();
    let before_help = before_usage.split("\n\nFor more information").next();
    let lines = before_help.unwrap_or_default().lines().map(str::trim);
    let words: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    let words = words.join(" ").replace(" tip: ", "; ");
    words.trim_start_matches("error: ").to_owned()
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
