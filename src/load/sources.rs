//! The addresses that connections come from, and how many ports each of them has. None is opened here.

use std::fs::read_to_string;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

/// Connections from one address of a range at most, half the ports that Linux usually has: those of the
/// run before may still be in TIME-WAIT.
const CONNECTIONS_PER_ADDRESS: usize = 14_000;
/// The ports that Linux chooses from if nothing else is set (ip(7), `ip_local_port_range`).
const PORTS_DEFAULT: RangeInclusive<u16> = 32_768..=60_999;

/// The addresses of `--source-ip`, as they were named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources(Vec<IpNet>);

/// Understands `A,B` and `127.0.0.0/8`, IPv6 too.
///
/// # Errors
/// What is wrong with it, in words for the user.
pub fn parse_sources(text: &str) -> Result<Sources, String> {
    let parse = |word: &str| {
        let address = word.parse().map(|address: IpAddr| address.into());
        let net = address.or_else(|_| word.parse::<IpNet>());
        net.map_err(|_| {
            format!("'{word}' is not an address (try 127.0.0.1,127.0.0.2 or 127.0.0.0/8)")
        })
    };
    let nets: Vec<IpNet> = text.split(',').map(parse).collect::<Result<_, _>>()?;
    let is_mixed = nets
        .iter()
        .any(|net| net.addr().is_ipv4() != nets[0].addr().is_ipv4());
    if is_mixed {
        return Err("source addresses must be all IPv4 or all IPv6".to_owned());
    }
    Ok(Sources(nets))
}

impl Sources {
    /// The addresses for so many connections: all that were named one by one, and of ranges as many
    /// more as it takes to give none more than `CONNECTIONS_PER_ADDRESS`.
    pub fn spread(&self, connections: usize) -> Vec<IpAddr> {
        let per_address = CONNECTIONS_PER_ADDRESS.min(ports()).max(1);
        let needed = connections.div_ceil(per_address).max(1);
        let is_single = |net: &&IpNet| net.prefix_len() == net.max_prefix_len();
        let singles = self.0.iter().filter(is_single);
        let ranges = self.0.iter().filter(|net| !is_single(net));
        let missing = needed.saturating_sub(singles.clone().count());
        let hosts = ranges.flat_map(IpNet::hosts).take(missing);
        singles.map(IpNet::addr).chain(hosts).collect()
    }
}

/// How many ports a connection from one address can have.
pub(super) fn ports() -> usize {
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
