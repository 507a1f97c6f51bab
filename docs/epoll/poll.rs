//! One thread, many clients: poll(2) sleeps for all of them at once.
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::env::args;
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};

use rustix::event::{PollFd, PollFlags};

fn main() -> Result<()> {
    let port = args().nth(1).unwrap_or_default();
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("listening {}", listener.local_addr()?);
    let mut clients: Vec<TcpStream> = Vec::new();
    loop {
        // The whole list, each time: the listener first, then every client.
        let mut asked = vec![PollFd::new(&listener, PollFlags::IN)];
        asked.extend(
            clients
                .iter()
                .map(|client| PollFd::new(client, PollFlags::IN)),
        );
        println!("    poll: asleep, {} asked about", asked.len());
        let ready = rustix::io::retry_on_intr(|| rustix::event::poll(&mut asked, None))?;
        println!("    poll: {ready} ready");
        let is_ready: Vec<bool> = asked.iter().map(|fd| !fd.revents().is_empty()).collect();

        // What is ready does not block: one read, and back to poll. Gone clients are left out.
        let mut number = 0;
        clients.retain_mut(|client| {
            number += 1;
            !is_ready[number] || serve(number, client).unwrap_or(false)
        });
        if is_ready[0] {
            clients.push(listener.accept()?.0);
            println!("    accept: client {}", clients.len());
        }
    }
}

/// Whether the client is still there.
fn serve(number: usize, client: &mut TcpStream) -> Result<bool> {
    let mut buffer = [0; 4096];
    let count = client.read(&mut buffer)?;
    println!("    client {number}: read {count} bytes");
    client.write_all(&buffer[..count])?;
    Ok(count > 0)
}
