//! One thread a client. Each may sleep in its own `read`.
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::env::args;
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> Result<()> {
    let port = args().nth(1).unwrap_or_default();
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("listening {}", listener.local_addr()?);
    for number in 1.. {
        let (client, _) = listener.accept()?;
        std::thread::Builder::new().spawn(move || match serve(number, client) {
            Ok(()) => println!("    thread {number}: the end"),
            Err(error) => println!("    thread {number}: {error}"),
        })?;
    }
    Ok(())
}

fn serve(number: u32, mut client: TcpStream) -> Result<()> {
    let mut buffer = [0; 4096];
    println!("    thread {number}: asleep in read");
    loop {
        let count = client.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        println!("    thread {number}: read {count} bytes");
        client.write_all(&buffer[..count])?;
    }
}
