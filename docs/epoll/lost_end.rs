//! Broken on purpose: it takes every short read for the last, and so never reads an end that came with bytes.
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::collections::HashMap;
use std::env::args;
use std::io::{Error, ErrorKind, Read, Result, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);

fn main() -> Result<()> {
    let address = format!("127.0.0.1:{}", args().nth(1).unwrap_or_default());
    let mut listener = TcpListener::bind(address.parse().map_err(Error::other)?)?;
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening {}", listener.local_addr()?);
    let mut events = Events::with_capacity(64);
    let mut clients: HashMap<Token, TcpStream> = HashMap::new();
    let mut last = LISTENER;
    loop {
        println!("    asleep");
        while let Err(error) = poll.poll(&mut events, None) {
            if error.kind() != ErrorKind::Interrupted {
                return Err(error);
            }
        }
        for event in &events {
            if event.token() == LISTENER {
                println!("    ready: listener");
                while let Ok((mut client, _)) = listener.accept() {
                    last = Token(last.0 + 1);
                    println!("    accept: client {}", last.0);
                    poll.registry()
                        .register(&mut client, last, Interest::READABLE)?;
                    clients.insert(last, client);
                }
                continue;
            }
            println!("    ready: client {}", event.token().0);
            let client = clients.get_mut(&event.token());
            if client.is_some_and(|client| !serve(client).unwrap_or(false)) {
                println!("    close");
                clients.remove(&event.token());
            }
        }
    }
}

/// Whether the client is still there.
fn serve(client: &mut TcpStream) -> Result<bool> {
    let mut buffer = [0; 4096];
    loop {
        match client.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(count) => {
                println!("    read: {count} bytes");
                client.write_all(&buffer[..count])?;
                // BROKEN: no more bytes wait, but the end may, and the event that told of the bytes
                // told of the end as well.
                if count < buffer.len() {
                    return Ok(true);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        }
    }
}
