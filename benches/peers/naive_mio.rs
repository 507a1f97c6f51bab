//! Echo on mio in the manner of its example: read until it would block into a vector of its own for
//! each event, write what was read, and ask for room to write when the kernel takes no more.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};

const SERVER: Token = Token(0);
const EVENTS: usize = 128;
const BACKLOG: i32 = 4096;

struct Connection {
    stream: TcpStream,
    unsent: Vec<u8>,
    has_ended: bool,
}

/// Serves until it is killed.
pub(crate) fn serve() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(EVENTS);
    let mut listener = listen()?;
    poll.registry()
        .register(&mut listener, SERVER, Interest::READABLE)?;
    let mut connections = HashMap::new();
    let mut next = 1;
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() != SERVER {
                let is_done = match connections.get_mut(&event.token()) {
                    Some(connection) => handle(poll.registry(), connection, event).unwrap_or(true),
                    None => false,
                };
                if is_done && let Some(mut gone) = connections.remove(&event.token()) {
                    poll.registry().deregister(&mut gone.stream)?;
                }
                continue;
            }
            while let Ok((mut stream, _)) = listener.accept() {
                let token = Token(next);
                next += 1;
                stream.set_nodelay(true)?;
                poll.registry()
                    .register(&mut stream, token, Interest::READABLE)?;
                let connection = Connection {
                    stream,
                    unsent: Vec::new(),
                    has_ended: false,
                };
                connections.insert(token, connection);
            }
        }
    }
}

/// mio's own `bind` has a backlog of 128, too small for what comes here.
fn listen() -> io::Result<mio::net::TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(mio::net::TcpListener::from_std(socket.into()))
}

/// True if the connection is done.
fn handle(registry: &Registry, connection: &mut Connection, event: &Event) -> io::Result<bool> {
    let had_unsent = !connection.unsent.is_empty();
    if event.is_readable() {
        read_all(connection)?;
    }
    write_all(connection)?;
    let has_unsent = !connection.unsent.is_empty();
    if has_unsent != had_unsent {
        let interest = if has_unsent {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        registry.reregister(&mut connection.stream, event.token(), interest)?;
    }
    Ok(connection.has_ended && !has_unsent)
}

fn read_all(connection: &mut Connection) -> io::Result<()> {
    let mut received = vec![0; 4096];
    let mut count = 0;
    loop {
        match connection.stream.read(&mut received[count..]) {
            Ok(0) => {
                connection.has_ended = true;
                break;
            }
            Ok(more) => {
                count += more;
                if count == received.len() {
                    received.resize(count + 1024, 0);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    connection.unsent.extend_from_slice(&received[..count]);
    Ok(())
}

fn write_all(connection: &mut Connection) -> io::Result<()> {
    while !connection.unsent.is_empty() {
        match connection.stream.write(&connection.unsent) {
            Ok(count) => drop(connection.unsent.drain(..count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
