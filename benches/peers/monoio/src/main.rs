//! Echo on monoio, a runtime for io_uring: a task with a buffer of its own for every connection, as in its examples.

use std::io;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{ListenerOpts, TcpListener, TcpStream};
use monoio::{IoUringDriver, RuntimeBuilder};

const BACKLOG: i32 = 4096;
const BUFFER_BYTES: usize = 8 * 1024;
const ENTRIES: u32 = 4096;

fn main() -> io::Result<()> {
    let mut runtime = RuntimeBuilder::<IoUringDriver>::new()
        .with_entries(ENTRIES)
        .build()?;
    runtime.block_on(accept())
}

async fn accept() -> io::Result<()> {
    let options = ListenerOpts::new().backlog(BACKLOG);
    let listener = TcpListener::bind_with_config("127.0.0.1:0", &options)?;
    loop {
        let (stream, _) = listener.accept().await?;
        monoio::spawn(echo(stream));
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    loop {
        let (count, filled) = stream.read(buffer).await;
        if count? == 0 {
            return Ok(());
        }
        let (written, emptied) = stream.write_all(filled).await;
        written?;
        buffer = emptied;
        buffer.clear();
    }
}
