//! Proxies between a client and our server. What a stream promises (its bytes, both of its ends, a reset, an end
//! when it is idle) is looked for on the far side of the proxy; a proxy may turn a reset into an end.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;

use rustix::process::Signal;
use socket2::SockRef;

use super::judge::{Judge, Running};
use super::{Folder, figure, matrix, quiet_addresses};
use crate::support::{
    PATIENCE, Random, Server, connect, eventually, fill, read_exactly, read_to_end, sockets_at,
};

const ECHO_BYTES: usize = 10_000_000;
const OPEN: &str = "epollo_connections{service=\"echo\"}";
const BROKEN: &str = "epollo_closed_total{reason=\"broken\"}";
const FINISHED: &str = "epollo_closed_total{reason=\"finished\"}";
const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// The configuration of a proxy: where it listens, and whom it connects to, of each service.
type Configuration = fn(folder: &Path, echo: [SocketAddr; 2], hello: [SocketAddr; 2]) -> String;
/// How it is started with the file.
type Start = fn(file: &str) -> Running;

#[derive(Clone, Copy)]
struct Kind {
    configuration: Configuration,
    start: Start,
}

/// A proxy in front of a server; the proxy ends with the test.
struct Proxied {
    server: Server,
    _proxy: Running,
    _folder: Folder,
    echo: SocketAddr,
    hello: SocketAddr,
}

impl Proxied {
    fn start(kind: Kind, options: &[&str]) -> Proxied {
        let services = ["hello=0", "echo=0", "--explore=127.0.0.1:0"];
        let server = Server::start(&[&services, options].concat());
        let [echo, hello] = quiet_addresses();
        let folder = Folder::new(&format!("proxy-{}", echo.ip()));
        let served = |service| server.address(service);
        let text =
            (kind.configuration)(&folder.0, [echo, served("echo")], [hello, served("hello")]);
        let file = folder.0.join("proxy.conf");
        std::fs::write(&file, text).unwrap();
        let mut proxy = (kind.start)(file.to_str().unwrap());
        proxy.end_input();
        eventually("the proxy listens", || {
            TcpStream::connect(echo).is_ok() && TcpStream::connect(hello).is_ok()
        });
        eventually("nobody is connected", || figure(&server, OPEN) == 0);
        Proxied {
            server,
            _proxy: proxy,
            _folder: folder,
            echo,
            hello,
        }
    }

    /// A connection through the proxy, over which a byte has come back.
    fn connected(&self) -> TcpStream {
        let mut client = connect(self.echo);
        client.write_all(b"x").unwrap();
        assert_eq!(read_exactly(&mut client, 1), b"x");
        client
    }
}

/// As many bytes as a path with its buffers does not hold come back, in order, while they are sent.
fn echo(proxied: &Proxied) -> &'static str {
    let mut client = connect(proxied.echo);
    let mut sending = client.try_clone().unwrap();
    let bytes = Random::new(14).bytes(ECHO_BYTES);
    let returned = std::thread::scope(|scope| {
        let sender = scope.spawn(|| sending.write_all(&bytes));
        let returned = read_exactly(&mut client, ECHO_BYTES);
        sender.join().unwrap().unwrap();
        returned
    });
    if returned == bytes { "yes" } else { "no" }
}

/// The client ends its half: the server hears of it behind all bytes, and its end comes behind the last one.
fn half_close(proxied: &Proxied) -> &'static str {
    let mut client = connect(proxied.echo);
    let bytes = Random::new(15).bytes(100_000);
    client.write_all(&bytes).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    if read_to_end(&mut client) == bytes {
        "yes"
    } else {
        "no"
    }
}

/// The server ends its half first; the client has not said anything.
fn server_half_close(proxied: &Proxied) -> &'static str {
    let mut client = connect(proxied.hello);
    if read_to_end(&mut client) == b"Hello World!\0" {
        "yes"
    } else {
        "no"
    }
}

/// Nothing stays of a client that resets; what the server saw of it.
fn client_reset(proxied: &Proxied) -> &'static str {
    let client = proxied.connected();
    let before = [BROKEN, FINISHED].map(|name| figure(&proxied.server, name));
    SockRef::from(&client)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(client);
    eventually("it has gone", || figure(&proxied.server, OPEN) == 0);
    let after = [BROKEN, FINISHED].map(|name| figure(&proxied.server, name));
    match [after[0] - before[0], after[1] - before[1]] {
        [1, 0] => "as a reset",
        [0, 1] => "as an end",
        [..] => "no",
    }
}

/// A client that does not read until nothing more can be sent gets everything afterwards.
fn slow_reader(proxied: &Proxied) -> &'static str {
    let mut client = proxied.connected();
    client.set_nonblocking(true).unwrap();
    let count = fill(&mut client).unwrap();
    client.set_nonblocking(false).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let returned = read_to_end(&mut client);
    let is_all = count > 0 && returned.len() == count && returned.iter().all(|&byte| byte == b'x');
    if is_all { "yes" } else { "no" }
}

/// A server that dies with a byte unread resets the connection (RFC 1122, 4.2.2.13); what the client sees of it.
fn server_reset(kind: Kind) -> &'static str {
    let mut proxied = Proxied::start(kind, &[]);
    let mut client = proxied.connected();
    proxied.server.process.signal(Signal::STOP);
    client.write_all(b"y").unwrap();
    let address = proxied.server.address("echo");
    eventually("a byte waits in the server's socket", || {
        let sockets = sockets_at(address);
        sockets
            .iter()
            .any(|socket| socket.state == procfs::net::TcpState::Established && socket.rx_queue > 0)
    });
    proxied.server.process.signal(Signal::KILL);
    proxied.server.process.wait();
    match client.read(&mut [0]) {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => "as a reset",
        Ok(0) => "as an end",
        Ok(_) | Err(_) => "no",
    }
}

/// The server ends a connection that is idle, and the client gets that end.
fn idle(kind: Kind) -> &'static str {
    let proxied = Proxied::start(kind, &["--idle-timeout", "300ms"]);
    let began = std::time::Instant::now();
    let mut client = proxied.connected();
    let is_ended = matches!(client.read(&mut [0]), Ok(0));
    let is_ours = began.elapsed() < PATIENCE / 4;
    if is_ended && is_ours { "yes" } else { "no" }
}

fn judged(judge: &Judge, kind: Kind) {
    let proxied = Proxied::start(kind, &[]);
    let mut verdicts = vec![
        ("10 MB echoed", echo(&proxied)),
        ("half-close of the client", half_close(&proxied)),
        ("half-close of the server", server_half_close(&proxied)),
        ("slow reader", slow_reader(&proxied)),
    ];
    eventually("all of them have left", || {
        figure(&proxied.server, OPEN) == 0
    });
    verdicts.push(("reset by the client", client_reset(&proxied)));
    drop(proxied);
    verdicts.push(("reset by the server", server_reset(kind)));
    verdicts.push(("idle", idle(kind)));
    matrix::holds("proxy", judge, &verdicts);
}

#[test]
fn haproxy_passes_on_what_a_stream_promises() {
    let asked = ["haproxy", "-v"];
    let Some(judge) = Judge::find("haproxy", &asked, "Debian package haproxy") else {
        return;
    };
    let configuration: Configuration = |_, [echo, served_echo], [hello, served_hello]| {
        format!(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 20s\n timeout server 20s\n\
             listen echo\n bind {echo}\n server epollo {served_echo}\n\
             listen hello\n bind {hello}\n server epollo {served_hello}\n"
        )
    };
    let start: Start = |file| Running::start(&["haproxy", "-db", "-f", file]);
    judged(
        &judge,
        Kind {
            configuration,
            start,
        },
    );
}

#[test]
fn nginx_passes_on_what_a_stream_promises() {
    let asked = [
        "sh",
        "-c",
        &format!("nginx -v && test -e {NGINX_STREAM} || exit 127"),
    ];
    let package = "Debian packages nginx and libnginx-mod-stream";
    let Some(judge) = Judge::find("nginx stream", &asked, package) else {
        return;
    };
    let configuration: Configuration = |folder, [echo, served_echo], [hello, served_hello]| {
        let folder = folder.display();
        format!(
            "load_module {NGINX_STREAM};\ndaemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\n\
             events {{}}\nstream {{\n access_log off;\n proxy_half_close on;\n\
             server {{ listen {echo}; proxy_pass {served_echo}; }}\n\
             server {{ listen {hello}; proxy_pass {served_hello}; }}\n}}\n"
        )
    };
    let start: Start = |file| Running::start(&["nginx", "-e", "stderr", "-c", file]);
    judged(
        &judge,
        Kind {
            configuration,
            start,
        },
    );
}
