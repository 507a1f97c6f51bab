//! After Ctrl-Z and `fg` the prompt is drawn again: the shell has written over the screen meanwhile.

use std::process::Command;

use rustix::process::Signal;

use super::{client, come, line, say};
use crate::support::terminal::Terminal;

#[test]
fn a_client_that_was_stopped_draws_its_prompt_again() {
    for (name, prompt) in [("chat", "me > "), ("echo", "Exit(Q to quit) : ")] {
        let (mut screen, server) = client(&[name]);
        screen.until(prompt);
        screen.stop_and_continue();
        screen.until(prompt);
        drop(server);
        screen.last_words();
    }
}

#[test]
fn an_operator_whose_server_was_stopped_is_asked_again() {
    let (mut screen, address) = Terminal::serve(&["chat=0", "--framing", "line"]);
    let (mut client, _) = come(&mut screen, address);
    say(&mut client, "hi");
    screen.until("me > ");
    screen.stop_and_continue();
    screen.until("me > ");
    screen.type_in("ho\n");
    assert_eq!(line(&mut client), "ho\n");
    screen.until("ho\r\n");
    // With nobody to answer there is nothing to draw.
    screen.stop_and_continue();
    say(&mut client, "hi");
    screen.shows("client : hi\r\nme > ");
    screen.signal(Signal::TERM);
    assert_eq!(screen.last_words().0, 0);
}

#[test]
fn ctrl_z_and_fg_bring_the_prompt_back() {
    let mut shell = Command::new("setsid");
    let script = "set -m; \"$@\"; echo stopped; read go; fg";
    shell.args(["--ctty", "--wait", "bash", "-c", script, "bash"]);
    shell.args([
        env!("CARGO_BIN_EXE_epollo"),
        "serve",
        "chat=0",
        "--framing",
        "line",
    ]);
    let mut screen = Terminal::of(&mut shell);
    let address = screen.until_listening();
    let (mut client, _) = come(&mut screen, address);
    say(&mut client, "hi");
    screen.until("me > ");
    screen.type_in("half\u{1a}");
    screen.until("stopped\r\n");
    screen.type_in("\n");
    screen.until("me > ");
    screen.type_in("ho\n");
    assert_eq!(line(&mut client), "ho\n");
    screen.type_in("\u{3}");
    screen.last_words();
}
