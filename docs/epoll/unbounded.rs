//! Broken on purpose: it reads from a client that does not read, as long as that client likes to send.
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::collections::{HashMap, VecDeque};
use std::env::args;
use std::io::{Error, ErrorKind, Read, Result, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);
/// A connection, and what it is still owed.
type Client = (TcpStream, VecDeque<u8>);

fn main() -> Result<()> {
    let address = format!("127.0.0.1:{}", args().nth(1).unwrap_or_default());
    let mut listener = TcpListener::bind(address.parse().map_err(Error::other)?)?;
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening {}", listener.local_addr()?);
    let mut events = Events::with_capacity(64);
    let mut clients: HashMap<Token, Client> = HashMap::new();
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
                    poll.registry().register(
                        &mut client,
                        last,
                        Interest::READABLE | Interest::WRITABLE,
                    )?;
                    clients.insert(last, (client, VecDeque::new()));
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
fn serve((stream, outbox): &mut Client) -> Result<bool> {
    let mut buffer = [0; 65536];
    let is_ended = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break true,
            // BROKEN: nothing ever stops it.
            Ok(count) => outbox.extend(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break false,
            Err(error) => return Err(error),
        }
    };
    while !outbox.is_empty() {
        match stream.write(outbox.as_slices().0) {
            Ok(count) => drop(outbox.drain(..count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                println!("    outbox: {} bytes", outbox.len());
                return Ok(true);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(!is_ended)
}
