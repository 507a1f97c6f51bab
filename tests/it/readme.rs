//! The README's commands, run as a reader would run them. In a `console` block a line after `$ ` is
//! a command for the shell, and what follows is what it must show.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::Server;

const DEFAULT_PORTS: [(&str, &str); 4] = [
    ("hello", "9190"),
    ("echo", "12345"),
    ("chat", "5000"),
    ("explore", "7070"),
];

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

/// What this server serves, with the ports of the README.
fn ports(server: &Server) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    let all = DEFAULT_PORTS.iter();
    all.filter(|(name, _)| server.serves(name))
}

/// `text` with the ports of the README in place of those of the server, or the other way round.
fn with_ports(text: &str, server: &Server, to_default: bool) -> String {
    ports(server).fold(text.to_owned(), |text, (name, default)| {
        let port = server.address(name).port().to_string();
        if to_default {
            text.replace(&port, default)
        } else {
            text.replace(default, &port)
        }
    })
}

fn has_netcat() -> bool {
    let has = Command::new("sh")
        .args(["-c", "nc -h 2>&1 | grep -q OpenBSD"])
        .status();
    has.is_ok_and(|status| status.success())
}

/// What the shell shows for a command, in a folder of its own.
fn shown_by(command: &str, folder: &std::path::Path) -> String {
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_epollo"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .env("PATH", path)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace('\0', "");
    if text.is_empty() || text.ends_with('\n') {
        text
    } else {
        text + "\n"
    }
}

#[test]
fn the_readmes_commands_show_what_it_says() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let markdown = std::fs::read_to_string(readme).unwrap();
    let folder = std::env::temp_dir().join(format!("epollo-readme-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut server = None;
    let mut run = 0;
    for (command, expected) in commands(&markdown) {
        let command = command.replace("cargo run --release --", "epollo");
        if let Some(options) = command.strip_prefix("epollo serve") {
            let services = ["hello=0", "echo=0", "chat=0"];
            let options = options.split_whitespace().map(|option| match option {
                "--explore" => "--explore=0",
                option => option,
            });
            let options: Vec<&str> = services.into_iter().chain(options).collect();
            let started = Server::start(&options);
            let listening: Vec<String> = ports(&started)
                .map(|(name, _)| format!("listening {name} {}\n", started.address(name)))
                .collect();
            assert_eq!(
                with_ports(&listening.concat(), &started, true),
                expected,
                "{command}"
            );
            server = Some(started);
            run += 1;
            continue;
        }
        if command.contains("nc ") && !has_netcat() {
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED {command}: OpenBSD netcat is not installed (Debian package netcat-openbsd)"
            );
            continue;
        }
        let server = server.as_ref().expect("the README serves first");
        assert_eq!(
            shown_by(&with_ports(&command, server, false), &folder),
            expected,
            "{command}"
        );
        run += 1;
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(run >= 4, "the README has commands");
}
