//! Before a run: are there descriptors and source ports enough for it, and where do its connections come
//! from? It refuses a run that cannot succeed, with the remedy; it starts none.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use super::plan::Plan;
use super::sources::ports;
use crate::system::descriptors;

/// Descriptors of a run that are no connections: standard streams, epoll, files, counters.
const DESCRIPTORS_BESIDE: usize = 16;
/// How long a probe waits for an answer.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// Checks that a run can have what it needs; raises the fd limit as far as it may be. Returns where its
/// connections come from, in turn; nowhere leaves it to the kernel.
///
/// # Errors
/// One line for the user: what is missing, and what helps.
pub fn check(plan: &Plan) -> Result<Vec<IpAddr>, String> {
    let sockets = plan.sockets();
    check_descriptors(sockets, descriptors::raise_limit())?;
    let spread = plan.sources.as_ref().map(|all| all.spread(sockets));
    let spread = spread.unwrap_or_default();
    check_sources(&spread, plan.target)?;
    check_ports(sockets, plan.target, spread.len().max(1), ports())?;
    Ok(spread)
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

fn check_sources(spread: &[IpAddr], target: SocketAddr) -> Result<(), String> {
    for &source in spread {
        if source.is_ipv4() != target.is_ipv4() {
            let kind = |is_ipv4| if is_ipv4 { "IPv4" } else { "IPv6" };
            let (here, there) = (kind(source.is_ipv4()), kind(target.is_ipv4()));
            return Err(format!(
                "{target} ({there}) cannot be reached from {source} ({here})"
            ));
        }
        // A listener is the shortest way to ask.
        TcpListener::bind((source, 0)).map_err(|error| {
            let reason = crate::system::reason(&error);
            format!("cannot connect from {source}: {reason} ('ip address' lists the local ones)")
        })?;
    }
    Ok(())
}

fn check_ports(
    sockets: usize,
    target: SocketAddr,
    addresses: usize,
    ports: usize,
) -> Result<(), String> {
    let most = ports.saturating_mul(addresses);
    if sockets <= most {
        return Ok(());
    }
    let remedy = match target {
        SocketAddr::V4(target) if target.ip().is_loopback() => "try --source-ip 127.0.0.0/8",
        SocketAddr::V4(_) | SocketAddr::V6(_) => "name more of this machine with --source-ip A,B",
    };
    let from = match addresses {
        1 => "one address".to_owned(),
        count => format!("{count} addresses"),
    };
    Err(format!(
        "{sockets} connections to {target} need a port each, but {from} only has {most} ({remedy}, \
         or widen net.ipv4.ip_local_port_range)"
    ))
}

/// The plan with the first address of its server's name at which somebody listens, else the last. The
/// last one is not tried: a server that takes one client only would have had it.
pub fn settled(plan: Plan) -> Plan {
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
pub fn probe(address: SocketAddr) -> io::Result<()> {
    std::net::TcpStream::connect_timeout(&address, PROBE_PATIENCE).map(drop)
}
