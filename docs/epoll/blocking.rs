//! One client at a time. Every call waits, and while it waits for one, it serves no other.
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::env::args;
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> Result<()> {
    let port = args().nth(1).unwrap_or_default();
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("listening {}", listener.local_addr()?);
    loop {
        println!("    accept: asleep");
        let (client, address) = listener.accept()?;
        println!("    accept: {address}");
        if let Err(error) = serve(client) {
            println!("    {error}");
        }
    }
}

fn serve(mut client: TcpStream) -> Result<()> {
    let mut buffer = [0; 4096];
    loop {
        println!("    read: asleep");
        let count = client.read(&mut buffer)?;
        println!("    read: {count} bytes");
        if count == 0 {
            return Ok(());
        }
        client.write_all(&buffer[..count])?;
        println!("    write: {count} bytes");
    }
}
