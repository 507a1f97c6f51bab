//! The client of the experiments: `ask PORT BYTES [stay|late]` sends, half-closes, and says what came
//! back. `stay`: without the half-close. `late`: it reads only once no more of its bytes are taken.
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::env::args;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// Longer than a server on the same machine needs for anything.
const SILENCE: Duration = Duration::from_secs(1);

fn main() -> Result<()> {
    let words: Vec<String> = args().skip(1).collect();
    let [port, bytes, manner @ ..] = words.as_slice() else {
        return Err(Error::other("usage: ask PORT BYTES [stay|late]"));
    };
    let total: usize = bytes.parse().map_err(Error::other)?;
    let manner = manner.first().map_or("", String::as_str);
    let stream = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    let mut sent = 0;
    if manner == "late" {
        send(&stream, &mut sent, total);
    }
    let (got, ended) = std::thread::scope(|scope| {
        scope.spawn(|| {
            send(&stream, &mut sent, total);
            if manner != "stay" {
                // If the server is gone already, `receive` tells.
                let _ = stream.shutdown(Shutdown::Write);
            }
        });
        receive(&stream, if manner == "stay" { total } else { usize::MAX })
    });
    match total.saturating_sub(got) {
        0 => println!("got {got} bytes, all{ended}"),
        missing => println!("got {got} bytes, {missing} are missing{ended}"),
    }
    Ok(())
}

/// Sends what is left of `total`, until the kernel has taken none for some time.
fn send(mut stream: &TcpStream, sent: &mut usize, total: usize) {
    while *sent < total {
        let count = (total - *sent).min(65536);
        match stream.write(&[b'x'; 65536][..count]) {
            Ok(count) => *sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return println!("sent {sent} bytes, and no more are taken");
            }
            Err(error) => return println!("sent {sent} bytes, then {:?}", error.kind()),
        }
        if *sent == total {
            println!("sent {sent} bytes");
        }
    }
}

/// Reads until the end, silence, or as many bytes as it wants.
fn receive(mut stream: &TcpStream, wanted: usize) -> (usize, String) {
    let mut got = 0;
    while got < wanted {
        match stream.read(&mut [0; 65536]) {
            Ok(0) => return (got, ", then the end".to_owned()),
            Ok(count) => got += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return (got, ", then silence".to_owned());
            }
            Err(error) => return (got, format!(", then {:?}", error.kind())),
        }
    }
    (got, String::new())
}
