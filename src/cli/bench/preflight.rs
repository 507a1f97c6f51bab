//! Before a run: are there descriptors and source ports enough for it, and where do its connections come
//! from? It refuses a run that cannot succeed, with the remedy; it starts none.

use std::fs::read_to_string;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;
use mio::net::TcpStream;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use super::super::descriptors;
use super::plan::Plan;

/// Descriptors of a run that are no connections: standard streams, epoll, files, counters.
const DESCRIPTORS_BESIDE: usize = 16;
/// Connections from one address of a range at most, half the ports that Linux usually has: those of the
/// run before may still be in TIME-WAIT.
const CONNECTIONS_PER_ADDRESS: usize = 14_000;
/// The ports that Linux chooses from if nothing else is set (ip(7), `ip_local_port_range`).
const PORTS_DEFAULT: RangeInclusive<u16> = 32_768..=60_999;

/// How long a probe waits for an answer.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// What a run needs of the machine.
#[derive(Debug)]
pub(super) struct Needs<'a> {
    /// Connections open at once, silent ones too.
    pub(super) sockets: usize,
    pub(super) target: SocketAddr,
    /// Where they come from; none leaves it to the kernel.
    pub(super) sources: Option<&'a Sources>,
}

/// The addresses of `--source-ip`, as they were named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sources(Vec<IpNet>);

/// The addresses that a number of connections takes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spread(Vec<IpAddr>);

/// Understands `A,B` and `127.0.0.0/8`, IPv6 too.
///
/// # Errors
/// What is wrong with it, in words for the user.
pub(super) fn parse_sources(text: &str) -> Result<Sources, String> {
    let parse = |word: &str| {
        let address = word.parse().map(|address: IpAddr| address.into());
        let net = address.or_else(|_| word.parse::<IpNet>());
        net.map_err(|_| format!("'{word}' is no address (try 127.0.0.1,127.0.0.2 or 127.0.0.0/8)"))
    };
    let nets: Vec<IpNet> = text.split(',').map(parse).collect::<Result<_, _>>()?;
    let is_mixed = nets
        .iter()
        .any(|net| net.addr().is_ipv4() != nets[0].addr().is_ipv4());
    if is_mixed {
        return Err("source addresses are all IPv4 or all IPv6".to_owned());
    }
    Ok(Sources(nets))
}

impl Sources {
    /// The addresses for so many connections: all that were named one by one, and of ranges as many
    /// more as it takes to give none more than [`CONNECTIONS_PER_ADDRESS`].
    pub(super) fn spread(&self, connections: usize) -> Spread {
        let per_address = CONNECTIONS_PER_ADDRESS.min(ports()).max(1);
        let needed = connections.div_ceil(per_address).max(1);
        let is_single = |net: &&IpNet| net.prefix_len() == net.max_prefix_len();
        let singles = self.0.iter().filter(is_single);
        let ranges = self.0.iter().filter(|net| !is_single(net));
        let missing = needed.saturating_sub(singles.clone().count());
        let hosts = ranges.flat_map(IpNet::hosts).take(missing);
        Spread(singles.map(IpNet::addr).chain(hosts).collect())
    }
}

impl Spread {
    /// The source of the connection number `k`: they take turns.
    pub(super) fn nth(&self, k: usize) -> Option<IpAddr> {
        self.0.get(k % self.0.len().max(1)).copied()
    }
}

/// Checks that a run can have what it needs; raises the fd limit as far as it may be.
///
/// # Errors
/// One line for the user: what is missing, and what helps.
pub(super) fn check(needs: &Needs<'_>) -> Result<(), String> {
    check_descriptors(needs.sockets, descriptors::raise_limit())?;
    let spread = needs.sources.map(|sources| sources.spread(needs.sockets));
    if let Some(spread) = &spread {
        check_sources(spread, needs.target)?;
    }
    check_ports(needs, spread.as_ref(), ports())
}

fn check_descriptors(sockets: usize, limit: usize) -> Result<(), String> {
    let needed = sockets.saturating_add(DESCRIPTORS_BESIDE);
    if needed <= limit {
        return Ok(());
    }
    let most = limit.saturating_sub(DESCRIPTORS_BESIDE);
    Err(format!(
        "{sockets} connections need {needed} descriptors, the limit is {limit} (raise it with ulimit -n, \
         or ask for at most {most} connections)"
    ))
}

fn check_sources(spread: &Spread, target: SocketAddr) -> Result<(), String> {
    for &source in &spread.0 {
        if source.is_ipv4() != target.is_ipv4() {
            let kind = |is_ipv4| if is_ipv4 { "IPv4" } else { "IPv6" };
            let (here, there) = (kind(source.is_ipv4()), kind(target.is_ipv4()));
            return Err(format!(
                "from {source} ({here}) there is no way to {target} ({there})"
            ));
        }
        // A listener is the shortest way to ask.
        TcpListener::bind((source, 0)).map_err(|error| {
            let reason = super::super::reason(&error);
            format!("cannot connect from {source}: {reason} (ip address tells which it has)")
        })?;
    }
    Ok(())
}

fn check_ports(needs: &Needs<'_>, spread: Option<&Spread>, ports: usize) -> Result<(), String> {
    let addresses = spread.map_or(1, |spread| spread.0.len());
    let most = ports.saturating_mul(addresses);
    if needs.sockets <= most {
        return Ok(());
    }
    let is_loopback = needs.target.ip().is_loopback() && needs.target.is_ipv4();
    let remedy = match needs.target {
        SocketAddr::V4(_) if is_loopback => "try --source-ip 127.0.0.0/8",
        SocketAddr::V4(_) | SocketAddr::V6(_) => "name more of this machine with --source-ip A,B",
    };
    let from = match addresses {
        1 => "one address".to_owned(),
        count => format!("{count} addresses"),
    };
    Err(format!(
        "{} connections to {} need a port each, from {from} there are {most} ({remedy}, or widen \
         net.ipv4.ip_local_port_range)",
        needs.sockets, needs.target
    ))
}

/// How many ports a connection from one address can have.
fn ports() -> usize {
    let read = |name: &str| read_to_string(format!("/proc/sys/net/ipv4/{name}")).ok();
    let range = read("ip_local_port_range").and_then(|text| {
        let mut bounds = text.split_whitespace().map(|bound| bound.parse().ok());
        Some(bounds.next()??..=bounds.next()??)
    });
    let reserved = read("ip_local_reserved_ports").unwrap_or_default();
    count_ports(&range.unwrap_or(PORTS_DEFAULT), &reserved)
}

/// The ports of a range without the reserved ones: `8080,9000-9010`.
fn count_ports(range: &RangeInclusive<u16>, reserved: &str) -> usize {
    let parse = |part: &str| -> Option<RangeInclusive<u16>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    let reserved: Vec<_> = reserved.trim().split(',').filter_map(parse).collect();
    let is_free = |port: &u16| !reserved.iter().any(|range| range.contains(port));
    range.clone().filter(is_free).count()
}

/// The plan with the first address of its server's name at which somebody listens, else the last. The
/// last one is not tried: a server that takes one client only would have had it.
pub(super) fn settled(plan: Plan) -> Plan {
    let Some(&last) = plan.others.last() else {
        return plan;
    };
    let mut addresses = std::iter::once(&plan.target).chain(&plan.others);
    let is_reachable = |address: &&SocketAddr| **address == last || probe(**address).is_ok();
    let target = addresses.find(is_reachable).copied().unwrap_or(last);
    Plan { target, ..plan }
}

/// Whether somebody listens there: connects, and leaves at once.
///
/// # Errors
/// Why not.
pub(super) fn probe(address: SocketAddr) -> io::Result<()> {
    std::net::TcpStream::connect_timeout(&address, PROBE_PATIENCE).map(drop)
}

/// Begins to connect. It does not wait: whether it worked is known when the stream is writable.
///
/// # Errors
/// What the kernel refuses at once, such as that no port is left (`AddrNotAvailable`).
pub(super) fn connect(target: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(target), kind, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        // The port is chosen when the target is known, so that each target has all of them.
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&target.into()) {
        Err(error) if !is_in_progress(&error) => Err(error),
        Ok(()) | Err(_) => Ok(TcpStream::from_std(socket.into())),
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::INPROGRESS)
}
