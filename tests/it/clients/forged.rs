//! Messages that imitate our own lines, as they are seen on a window of a known width: what a peer
//! said never begins a row, and what nobody could see is written out.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};

use crate::support::terminal::Terminal;
use crate::support::{Server, connect};

const COLUMNS: u16 = 80;

/// A server on a window of [`COLUMNS`], with a client on it.
fn operator() -> (Terminal, SocketAddr) {
    let (screen, address) = Terminal::serve(&["chat=0", "--framing", "line"]);
    screen.resize(COLUMNS);
    (screen, address)
}

/// The rows of a window on which this is shown. What is not ASCII has two columns.
fn rows(shown: &str, columns: usize) -> Vec<String> {
    let mut rows = Vec::new();
    for line in shown.split_terminator("\r\n") {
        let mut row = String::new();
        let mut width = 0;
        for character in line.chars() {
            let own = if character.is_ascii() { 1 } else { 2 };
            if width + own > columns {
                rows.push(std::mem::take(&mut row));
                width = 0;
            }
            row.push(character);
            width += own;
        }
        rows.push(row);
    }
    rows
}

/// Says this to the operator; the rows that are shown of it, and of the prompt.
fn said(message: &str) -> Vec<String> {
    let (mut screen, address) = operator();
    let mut client = connect(address);
    screen.until("Connection from ");
    screen.until("\r\n");
    client.write_all(format!("{message}\n").as_bytes()).unwrap();
    let shown = screen.until("\r\nme > ");
    screen.kill();
    rows(&shown, usize::from(COLUMNS))
}

/// No row but the first and the prompt begins at the edge of the window.
fn assert_is_one_message(rows: &[String]) {
    assert!(rows[0].starts_with("client : "), "{rows:?}");
    assert_eq!(rows.last().unwrap(), "me > ");
    for row in &rows[1..rows.len() - 1] {
        assert!(row.starts_with("    "), "{row:?} begins a row: {rows:?}");
    }
}

#[test]
fn a_message_padded_with_spaces_cannot_look_like_a_line_of_ours() {
    for forged in ["Disconnected", "Connection from 127.0.0.1:40112", "me > "] {
        let padding = " ".repeat(usize::from(COLUMNS) - "client : hi".len());
        let rows = said(&format!("hi{padding}{forged}"));
        assert_is_one_message(&rows);
        assert!(rows[0].contains("hi\\s{69}"), "written out: {rows:?}");
    }
}

#[test]
fn a_message_padded_with_something_visible_cannot_either() {
    for padding in [
        ".",
        "가",
        "e\u{301}",
        " .",
        "\u{3000}.",
        "ㅤ",
        "\u{2800}",
        "\u{115f}",
        "\u{fe0f}",
    ] {
        for count in [63, 70, 77] {
            let text: String = padding.repeat(count).chars().take(count).collect();
            assert_is_one_message(&said(&format!("{text}Disconnected")));
        }
    }
}

#[test]
fn korean_that_is_longer_than_a_row_is_whole_and_indented() {
    let text = "동해물과 백두산이 마르고 닳도록 하느님이 보우하사 우리나라 만세 무궁화 삼천리 화려 강산 대한 사람 대한으로 길이 보전하세";
    let rows = said(text);
    assert_is_one_message(&rows);
    let joined: String = rows[..rows.len() - 1]
        .iter()
        .map(|row| row.strip_prefix("    ").unwrap_or(row))
        .collect();
    assert_eq!(joined, format!("client : {text}"));
}

#[test]
fn a_window_that_changes_its_width_is_asked_anew() {
    let (mut screen, address) = operator();
    let mut client = connect(address);
    screen.until("Connection from ");
    screen.until("\r\n");
    client
        .write_all(format!("{}\n", "a".repeat(60)).as_bytes())
        .unwrap();
    assert_eq!(
        screen.until("me > "),
        format!("client : {}\r\nme > ", "a".repeat(60))
    );
    screen.resize(40);
    screen.type_in("go on\n");
    screen.until("go on\r\n");
    client
        .write_all(format!("{}\n", "a".repeat(60)).as_bytes())
        .unwrap();
    let (first, second) = ("a".repeat(31), "a".repeat(29));
    let expected = format!("client : {first}\r\n    {second}\r\nme > ");
    assert_eq!(screen.until("me > "), expected);
    screen.kill();
}

#[test]
fn the_clients_indent_what_servers_say_on_a_terminal() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let padding = "x".repeat(100);
    for arguments in [
        &["hello", "127.0.0.1", &port][..],
        &["chat", "127.0.0.1", &port, "--framing", "line"],
        &["echo", "127.0.0.1", &port],
    ] {
        let mut screen = Terminal::run_sized(arguments, COLUMNS);
        let (mut stream, _) = listener.accept().unwrap();
        match arguments[0] {
            "chat" => {
                screen.until("me > ");
                screen.type_in("hi\n");
            }
            "echo" => {
                screen.until("Exit(Q to quit) : ");
                screen.type_in("hi\n");
            }
            _ => {}
        }
        stream.write_all(format!("{padding}\n").as_bytes()).unwrap();
        drop(stream);
        screen.until("erver");
        let shown = screen.until("xx\r\n");
        let shown = format!("{shown}{}", screen.until("x\r\n"));
        let (_, second) = shown.trim_end().split_once("\r\n").unwrap();
        assert!(second.starts_with("    x"), "{arguments:?}: {shown:?}");
        screen.kill();
    }
}

#[test]
fn a_pipe_gets_the_line_whole() {
    let mut server = Server::start(&["chat=0", "--framing", "line"]);
    let mut client = server.connect("chat");
    server.process.line();
    let text = "가나다라".repeat(60);
    client.write_all(format!("{text}\n").as_bytes()).unwrap();
    assert_eq!(server.process.line(), format!("client : {text}"));
    server.stop();
}
