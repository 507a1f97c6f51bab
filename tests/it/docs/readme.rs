//! The README's commands, typed as a reader would type them, in the terminals that it names. In a
//! `console` block a line after `$ ` is a command for the shell, and what follows is what it must show.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::docs::tutorial::free_port;
use crate::support::terminal::Terminal;

/// What the shell says when it waits for a command.
const PROMPT: &str = "@@ ";

/// Those of the services and of the page, when nothing else is said.
const DEFAULT_PORTS: [&str; 4] = ["9190", "12345", "5000", "7070"];

/// The commands of a Markdown text, each with what it shows.
pub fn commands(markdown: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    let mut is_console = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| is_console) {
            commands.push((command.to_owned(), String::new()));
        } else if is_console {
            let (_, shown) = commands.last_mut().expect("a command first");
            shown.push_str(line);
            shown.push('\n');
        }
    }
    commands
}

/// What stands in a block, and in which terminal.
struct Block {
    terminal: String,
    kind: String,
    lines: Vec<String>,
}

/// The blocks before which a terminal is named. Whatever is typed has one.
fn blocks(markdown: &str, terminal: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut paragraph = String::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let lines = lines.by_ref().take_while(|line| *line != "```");
            let lines = lines.map(str::to_owned).collect();
            let paragraph = std::mem::take(&mut paragraph);
            let named = paragraph.split(terminal).nth(1);
            match named.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()) {
                Some(number) => blocks.push(Block {
                    terminal: number.to_owned(),
                    kind: kind.to_owned(),
                    lines,
                }),
                None => assert_ne!(kind, "console", "in which terminal? {lines:?}"),
            }
        } else if line.is_empty() {
            // What is said right before a block is said of it.
            let mut following = lines.clone();
            if !following.next().is_some_and(|next| next.starts_with("```")) {
                paragraph.clear();
            }
        } else {
            paragraph += line;
            paragraph.push('\n');
        }
    }
    blocks
}

/// The README's ports, and free ones in their place.
struct Ports(Vec<(&'static str, String)>);

impl Ports {
    fn free() -> Ports {
        Ports(
            DEFAULT_PORTS
                .map(|port| (port, free_port().to_string()))
                .into(),
        )
    }

    fn in_place(&self, text: &str) -> String {
        // By way of a name each: a free port may have the digits of one that is still to be replaced.
        let name = |place: usize| format!("<port {place}>");
        let ports = || self.0.iter().enumerate();
        let named = ports().fold(text.to_owned(), |text, (place, (port, _))| {
            text.replace(port, &name(place))
        });
        ports().fold(named, |text, (place, (_, free))| {
            text.replace(&name(place), free)
        })
    }

    /// A command of the README as it is typed here: with the binary that is tested, on free ports.
    fn typed(&self, command: &str) -> String {
        let command = command.replace("cargo run --release --", "epollo");
        let command = command.replace("--explore", "--explore=7070");
        let command = match command.strip_prefix("epollo serve") {
            None => command,
            Some(options) => match options.strip_prefix(" echo ") {
                Some(options) => format!("epollo serve echo=12345 {options}"),
                None => format!("epollo serve hello=9190 echo=12345 chat=5000{options}"),
            },
        };
        self.in_place(&command)
    }
}

fn has_netcat() -> bool {
    let has = Command::new("sh")
        .args(["-c", "nc -h 2>&1 | grep -q OpenBSD"])
        .status();
    has.is_ok_and(|status| status.success())
}

/// A bash that waits for a command.
fn bash(folder: &Path) -> Terminal {
    let programs = Path::new(env!("CARGO_BIN_EXE_epollo")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("setsid");
    command.args([
        "--ctty",
        "bash",
        "--norc",
        "--noprofile",
        "--noediting",
        "-i",
    ]);
    command.current_dir(folder).env("PATH", path);
    command
        .env("PS1", PROMPT)
        .env("TERM", "dumb")
        .env("HISTFILE", "/dev/null");
    let mut terminal = Terminal::of(&mut command);
    terminal.until(PROMPT);
    terminal
}

/// Types a command; it must show these lines and, unless it serves on, come to its end.
fn types(terminal: &mut Terminal, command: &str, shown: &[String], goes_on: bool) {
    terminal.type_in(&format!("{command}\n"));
    terminal.until("\r\n");
    if goes_on {
        for line in shown {
            terminal.until(&format!("{line}\r\n"));
        }
        return;
    }
    let text = terminal.until(PROMPT).replace(['\0', '\r'], "");
    let text = text.strip_suffix(PROMPT).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines, shown, "{command}");
}

/// A line of a trace without what differs each time: when it was, in which turn, how long it took, a port.
fn timeless(line: &str) -> String {
    let mut shown: Vec<&str> = Vec::new();
    for word in line.split_whitespace().skip(2) {
        match (word.trim_end_matches(','), shown.last_mut()) {
            ("us" | "ms" | "s", Some(number)) => *number = "T",
            (address, _) if address.parse::<SocketAddr>().is_ok() => shown.push("A"),
            _ => shown.push(word),
        }
    }
    shown.join(" ")
}

/// Waits until all lines of a trace were shown, in this order.
fn shows_trace(terminal: &mut Terminal, lines: &[String]) {
    for line in lines {
        let line = timeless(line);
        while timeless(&terminal.until("\r\n")) != line {}
    }
}

fn read(page: &str) -> String {
    std::fs::read_to_string(format!("{}/{page}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_readmes_commands_show_what_it_says_in_the_terminals_that_it_names() {
    if !has_netcat() {
        eprintln!(
            "SKIPPED the README: OpenBSD netcat is not installed (Debian package netcat-openbsd)"
        );
        return;
    }
    let folder = std::env::temp_dir().join(format!("epollo-readme-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let ports = Ports::free();
    let mut terminals: BTreeMap<String, Terminal> = BTreeMap::new();
    let mut run = 0;
    for block in blocks(&read("README.md"), "erminal ") {
        let terminal = terminals
            .entry(block.terminal)
            .or_insert_with(|| bash(&folder));
        if block.kind == "text" {
            shows_trace(terminal, &block.lines);
        }
        if block.kind != "console" {
            continue;
        }
        let mut lines = block.lines.iter().peekable();
        while let Some(line) = lines.next() {
            if line == "^C" {
                terminal.type_in("\u{3}");
                terminal.until(PROMPT);
                continue;
            }
            let command = line.strip_prefix("$ ").expect("a command first");
            let mut shown = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ") && *line != "^C") {
                shown.push(ports.in_place(line));
            }
            types(
                terminal,
                &ports.typed(command),
                &shown,
                command.contains(" serve"),
            );
            run += 1;
        }
    }
    drop(terminals);
    // Nothing is left of what was tried.
    std::fs::remove_dir(&folder).unwrap();
    assert!(run >= 10, "the README has commands");
}

#[test]
fn both_readmes_name_the_same_terminals() {
    let named = |page, word| -> Vec<String> {
        blocks(&read(page), word)
            .into_iter()
            .map(|block| block.terminal)
            .collect()
    };
    assert_eq!(
        named("docs/ko/README.md", "터미널 "),
        named("README.md", "erminal ")
    );
}
