//! Echo servers from elsewhere under our own clients and our load generator, each on a port that it says itself.

use super::judge::{Judge, Running, run};
use super::matrix;
use crate::support::Random;

const EPOLLO: &str = env!("CARGO_BIN_EXE_epollo");
const ECHO_BYTES: usize = 1_000_000;
const RIGHT: &str = "nothing: all echoes arrived once, in order and unchanged";

/// Every byte back, the end behind the last; the port in the first line.
const ASYNCIO: &str = "
import asyncio
async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(echo, '127.0.0.1', 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
";
const NODE: &str = "
const server = require('node:net').createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
";
/// socat says where it listens in its log.
const SOCAT: &str = "exec socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork EXEC:cat 2>&1";

/// The port in the first whole line that ends with one.
fn port_in(said: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(said);
    let whole = text.rsplit_once('\n')?.0;
    let mut ports = whole
        .lines()
        .filter_map(|line| line.rsplit([':', ' ']).next()?.parse().ok());
    ports.next()
}

fn judged(judge: &Judge, words: &[&str]) {
    let mut server = Running::start(words);
    assert!(server.comes(|seen| port_in(seen).is_some()), "it listens");
    let port = port_in(server.seen()).expect("it has come").to_string();
    let input = Random::new(16).bytes(ECHO_BYTES);
    let echo = run(&[EPOLLO, "echo", "127.0.0.1", &port], &input);
    assert!(echo.code == 0 && echo.out == input, "{}", echo.all());
    let bench = run(
        &[EPOLLO, "bench", "echo", &port, "-n", "1000", "-c", "8"],
        b"",
    );
    assert!(
        bench.code == 0 && bench.text().contains(RIGHT),
        "{}",
        bench.all()
    );
    let words = [EPOLLO, "chat", "--framing", "line", "127.0.0.1", &port];
    let chat = run(&words, "one\n안녕\nQUIT\n".as_bytes());
    let expected = "Connected\nserver : one\nserver : 안녕\nDisconnected\n";
    assert_eq!((chat.code, &*chat.text()), (0, expected), "{}", chat.all());
    let verdicts = [
        ("`epollo echo`", "1 MB, any bytes"),
        ("`epollo bench`", "nothing wrong"),
        ("`epollo chat`", "yes"),
    ];
    matrix::holds("server", judge, &verdicts);
}

#[test]
fn our_clients_talk_to_socat() {
    let asked = ["socat", "-V"];
    let Some(judge) = Judge::find("socat TCP-LISTEN", &asked, "Debian package socat") else {
        return;
    };
    judged(&judge, &["sh", "-c", SOCAT]);
}

#[test]
fn our_clients_talk_to_asyncio() {
    let asked = ["/usr/bin/python3", "-V"];
    let Some(judge) = Judge::find("asyncio server", &asked, "Debian package python3") else {
        return;
    };
    judged(&judge, &["/usr/bin/python3", "-c", ASYNCIO]);
}

#[test]
fn our_clients_talk_to_node() {
    let asked = ["node", "--version"];
    let Some(judge) = Judge::find("node server", &asked, "Debian package nodejs") else {
        return;
    };
    judged(&judge, &["node", "-e", NODE]);
}
