//! A relay on tokio, current-thread: two clients, matched in order of arrival, receive each other's bytes.

use std::io;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpSocket, TcpStream};

const BACKLOG: u32 = 4096;

/// Serves until it is killed.
pub(crate) fn serve() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(accept())
}

async fn accept() -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(BACKLOG)?;
    loop {
        let (first, _) = listener.accept().await?;
        let (second, _) = listener.accept().await?;
        tokio::spawn(relay(first, second));
    }
}

async fn relay(mut first: TcpStream, mut second: TcpStream) -> io::Result<()> {
    first.set_nodelay(true)?;
    second.set_nodelay(true)?;
    copy_bidirectional(&mut first, &mut second).await?;
    Ok(())
}
