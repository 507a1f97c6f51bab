//! What happens between two turns of a loop that is looked at: browsers get their updates, and what they
//! asked for is fetched. Nothing happens here while nobody looks.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use mio::net::TcpStream;
use socket2::Socket;

use super::broadcast::{Data, Question};
use super::http::{Reply, Status};
use super::session::TICK;
use super::stats::Totals;
use super::{ExplorerReactor, Origin, metrics, snapshot};
use crate::protocol::{Service, Time};
use crate::reactor::{self, Holdings, OsStream, Policy};
use crate::trace::Observer;

/// How often the table is sent.
const TABLE_EVERY: Duration = Duration::from_millis(500);
/// What the kernel may keep for a demo client: little, so that one that does not read is soon seen.
const DEMO_BUFFER_BYTES: usize = 16 * 1024;
/// What a demo client is held to.
const DEMO_POLICY: Policy = Policy {
    linger: Some(Duration::from_secs(1)),
    // It floods and hears the echo: not to read while it owes would be to wait for itself.
    reads_while_owing: true,
    ..Policy::UNLIMITED
};
/// Segments as on an Ethernet. With those of loopback, 64 KiB, the kernel would keep megabytes on the
/// sending side too.
const DEMO_SEGMENT_BYTES: u32 = 1460;

/// Runs the loop until the service asks to stop; the same as
/// [`Reactor::run`](crate::reactor::Reactor::run), with somebody looking.
///
/// # Errors
/// Only if the kernel cannot wait any more.
pub fn run<S: Service, O: Observer>(reactor: &mut ExplorerReactor<S, O>) -> io::Result<()> {
    let mut pump = Pump {
        is_watched: false,
        ticked: Time::ZERO,
        tabled: Time::ZERO,
        before: Totals::default(),
    };
    while reactor.keeps_going() {
        reactor.turn()?;
        pump.answer(reactor);
        pump.tell(reactor);
    }
    assert_eq!(
        reactor.holdings(),
        Holdings::default(),
        "a run gives everything back"
    );
    Ok(())
}

struct Pump {
    is_watched: bool,
    /// When the last tick was sent, and what the totals were.
    ticked: Time,
    before: Totals,
    tabled: Time,
}

impl Pump {
    /// Fetches what browsers asked for.
    fn answer<S: Service, O: Observer>(&mut self, reactor: &mut ExplorerReactor<S, O>) {
        for (peer, question) in reactor.service_mut().broadcast.take_questions() {
            let reply = match question {
                Question::Metrics { is_open } => metrics::reply(reactor, is_open),
                Question::Connect(address) => Self::connect(reactor, address),
            };
            reactor.service_mut().broadcast.reply(peer, reply);
            reactor.notify(peer);
        }
    }

    fn connect<S: Service, O: Observer>(
        reactor: &mut ExplorerReactor<S, O>,
        address: SocketAddr,
    ) -> Reply {
        if !reactor.service().broadcast.demos.has_room() {
            return Reply::error(Status::CONFLICT, "too many demo clients; close one");
        }
        let dialled = dial(address).and_then(|(stream, socket, own)| {
            let stream = OsStream::Tcp(stream);
            reactor.attach_connecting(
                stream,
                Origin::Demo,
                DEMO_POLICY,
                format_args!("{own} (demo)"),
            )?;
            let demos = &mut reactor.service_mut().broadcast.demos;
            Ok((demos.lend(socket, own, address), own))
        });
        match dialled {
            Ok((number, own)) => {
                let body = serde_json::json!({ "client": number, "address": own.to_string() });
                Reply::json(Status::OK, &body)
            }
            Err(error) => {
                let words = format!("cannot connect: {}", crate::system::reason(&error));
                Reply::error(Status::CONFLICT, &words)
            }
        }
    }

    /// Sends all browsers what is new, if it is time.
    fn tell<S: Service, O: Observer>(&mut self, reactor: &mut ExplorerReactor<S, O>) {
        let now = reactor.now();
        let (service, (recorder, _)) = reactor.service_and_observer();
        let is_watched = !service.broadcast.streams().is_empty();
        recorder.watch(is_watched);
        if is_watched && !self.is_watched {
            (self.ticked, self.before) = (now, recorder.totals);
            self.tabled = Time::ZERO;
        }
        self.is_watched = is_watched;
        if !is_watched || now.since(self.ticked) < TICK {
            return;
        }
        let tick = snapshot::tick(recorder, now, self.ticked, &self.before);
        (self.ticked, self.before) = (now, recorder.totals);
        service.broadcast.publish("tick", Data::Tick(tick));
        if let Some(turns) = recorder.take_turns() {
            service.broadcast.publish("turns", Data::Written(turns));
        }
        if now.since(self.tabled) >= TABLE_EVERY {
            self.tabled = now;
            let table = snapshot::table(reactor.directory(), reactor.peers(), now);
            reactor
                .service_mut()
                .broadcast
                .publish("table", Data::Written(table));
        }
        for peer in reactor.service().broadcast.streams().to_vec() {
            reactor.notify(peer);
        }
    }
}

/// A connection to one of our own services: the stream, its socket once more, its own address.
fn dial(address: SocketAddr) -> io::Result<(TcpStream, Socket, SocketAddr)> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    let address = SocketAddr::new(ip, address.port());
    let stream = reactor::dial(address, |socket| {
        socket.set_tcp_mss(DEMO_SEGMENT_BYTES)?;
        socket.set_recv_buffer_size(DEMO_BUFFER_BYTES)
    })?;
    let own = stream.local_addr()?;
    let handle = stream.as_fd().try_clone_to_owned()?.into();
    Ok((stream, handle, own))
}
