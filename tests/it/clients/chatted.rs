//! Chat as people meet it: `epollo` on real terminals, with half a line in the keyboard's queue, with
//! partners that leave, stop and come back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, connect, eventually};

mod clients;
mod operator;
mod pairs;
mod stopped;

/// A client with lines, and its name.
fn come(screen: &mut Terminal, address: SocketAddr) -> (TcpStream, SocketAddr) {
    let stream = connect(address);
    let name = stream.local_addr().unwrap();
    screen.until(&format!("Connection from {name}\r\n"));
    (stream, name)
}

fn say(stream: &mut TcpStream, line: &str) {
    stream.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// The next line that it is sent.
fn line(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while text.last() != Some(&b'\n') {
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "ended after {text:?}");
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// Runs a client on a terminal against a server that is this test.
fn client(options: &[&str]) -> (Terminal, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let screen = Terminal::run(&[&[options[0], "127.0.0.1", &port], &options[1..]].concat());
    listener.set_nonblocking(true).unwrap();
    let mut accepted = None;
    eventually("it connects", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (stream, _) = accepted.unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    (screen, stream)
}
