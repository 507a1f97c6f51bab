//! Single values of the command line, from words to what they mean. What is wrong with the words is
//! said here, and what to do.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::num::IntErrorKind;
use std::ops::Range;
use std::time::Duration;

use log::LevelFilter;

use crate::services::Protocol;

/// A duration, or none. (A name of its own, so that clap does not take it for an option left out.)
pub(super) type Limit = Option<Duration>;

/// Unsent bytes that the kernel keeps for a peer, or as many as it likes.
pub(super) type SendBuffer = Option<u32>;

/// The bytes of a greeting.
pub(super) type Greeting = Vec<u8>;

fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// A service and where it listens.
#[derive(Clone, Debug)]
pub(super) struct ServiceAddress {
    pub(super) protocol: Protocol,
    pub(super) address: ListenAddress,
}

pub(super) fn parse_service(text: &str) -> Result<ServiceAddress, String> {
    let (name, address) = match text.split_once('=') {
        Some((name, address)) => (name, Some(address)),
        None => (text, None),
    };
    let protocol = Protocol::named(name).ok_or_else(|| {
        let remedy = match name.parse::<u16>() {
            Ok(_) if address.is_none() => format!("echo={name}"),
            Ok(_) | Err(_) => "hello, echo or chat".to_owned(),
        };
        format!("there is no service '{name}' (try {remedy})")
    })?;
    let address = match address {
        Some(address) => parse_address(address)?,
        None => ListenAddress::Socket(protocol.default_address()),
    };
    Ok(ServiceAddress { protocol, address })
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListenAddress {
    Socket(SocketAddr),
    /// To be looked up when it is time to listen.
    Named(String, u16),
}

impl ListenAddress {
    /// All that it stands for, in the order in which to try them.
    ///
    /// # Errors
    /// Those of getaddrinfo(3).
    pub(super) fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        match self {
            ListenAddress::Socket(address) => Ok(vec![*address]),
            ListenAddress::Named(name, port) => {
                Ok((name.as_str(), *port).to_socket_addrs()?.collect())
            }
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Socket(address) => address.fmt(f),
            ListenAddress::Named(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

pub(super) fn parse_address(text: &str) -> Result<ListenAddress, String> {
    parse_address_from(0, text)
}

/// The address of a server, which has no port 0.
pub(super) fn parse_remote_address(text: &str) -> Result<ListenAddress, String> {
    parse_address_from(1, text)
}

fn parse_address_from(lowest: u16, text: &str) -> Result<ListenAddress, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        let port = parse_port(lowest, port)?;
        if !text.contains(':') {
            return Ok(ListenAddress::Socket(local(port)));
        }
        if is_name(host) {
            return Ok(ListenAddress::Named(host.to_owned(), port));
        }
    }
    let remedy = || match (host.parse::<Ipv6Addr>(), text.parse::<IpAddr>()) {
        (Ok(_), _) if is_number => format!(" (try [{host}]:{port})"),
        (_, Ok(IpAddr::V6(_))) => format!(" (try [{text}]:PORT)"),
        (_, Ok(IpAddr::V4(_))) => format!(" (try {text}:PORT)"),
        (_, Err(_)) => " (PORT, IP:PORT, [IPV6]:PORT or NAME:PORT)".to_owned(),
    };
    let address = text.parse().map(ListenAddress::Socket);
    address.map_err(|_| format!("'{text}' is not an address{}", remedy()))
}

/// Whether this may be the name of a host; what has only digits and dots is an address, or a wrong one.
fn is_name(text: &str) -> bool {
    let may_be_in_it = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_in_no_address = |byte: u8| !byte.is_ascii_digit() && byte != b'.';
    text.bytes().all(may_be_in_it) && text.bytes().any(is_in_no_address)
}

/// The HOST of a client, which has its port in the next word.
pub(super) fn parse_host(text: &str) -> Result<String, String> {
    let bare = |host: &str| {
        let inner = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        inner.unwrap_or(host).to_owned()
    };
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let has_port = !host.is_empty()
        && port.parse::<u16>().is_ok()
        && (!host.contains(':') || host.ends_with(']'));
    match has_port {
        true => Err(format!(
            "host and port are separate arguments (try {} {port})",
            bare(host)
        )),
        false if text.is_empty() => Err("the host is empty (give a name or an address)".to_owned()),
        false => Ok(bare(text)),
    }
}

fn parse_port(lowest: u16, text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(port) if port >= lowest => Ok(port),
        Ok(_) => Err(format!("port {text} is too low ({lowest} to 65535)")),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => {
            Err(format!("port {text} is too high ({lowest} to 65535)"))
        }
        Err(_) => Err(format!("'{text}' is not a port ({lowest} to 65535)")),
    }
}

pub(super) fn parse_count(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|&count| count > 0)
        .ok_or_else(|| format!("'{text}' is not a positive whole number"))
}

/// `A..B`: from A up to B, B not among them.
pub(super) fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let parsed = text.split_once("..").and_then(|(first, end)| {
        let range = first.parse().ok()?..end.parse().ok()?;
        (range.start < range.end).then_some(range)
    });
    parsed.ok_or_else(|| format!("'{text}' is not a range of seeds (try 0..100)"))
}

pub(super) fn parse_seed(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is not a seed (0 to {})", u64::MAX))
}

pub(super) fn parse_steps(text: &str) -> Result<u64, String> {
    parse_positive(text, "100M")
}

/// 100, 1k, 100M; `example` is what to try instead of what is no number.
pub(super) fn parse_positive(text: &str, example: &str) -> Result<u64, String> {
    let number = parse_size::Config::new().with_decimal().parse_size(text);
    let number = number.ok().filter(|&number| number > 0);
    number.ok_or_else(|| format!("'{text}' is not a positive whole number (try {example})"))
}

/// The most clients that a simulation has.
const CLIENTS_MAX: usize = 10_000_000;

pub(super) fn parse_clients(text: &str) -> Result<usize, String> {
    let count = parse_positive(text, "1k")?;
    usize::try_from(count)
        .ok()
        .filter(|&count| count <= CLIENTS_MAX)
        .ok_or_else(|| format!("{count} clients are too many ({CLIENTS_MAX} at most)"))
}

pub(super) fn parse_backlog(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is not a number of connections"))
}

pub(super) fn parse_level(text: &str) -> Result<LevelFilter, String> {
    text.parse().map_err(|_| {
        format!("'{text}' is not a level (try off, error, warn, info, debug or trace)")
    })
}

pub(super) fn parse_remote_port(text: &str) -> Result<u16, String> {
    parse_port(1, text)
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text)
        .map_err(|_| format!("'{text}' is not a duration (try 500ms, 2s, 5m or 1h)"))
}

pub(super) fn parse_limit(text: &str) -> Result<Limit, String> {
    match text {
        "none" => Ok(None),
        text => match parse_duration(text) {
            Ok(Duration::ZERO) => Err(format!("'{text}' is too short (try none)")),
            Ok(duration) => Ok(Some(duration)),
            Err(_) => Err(format!(
                "'{text}' is not a duration (try 500ms, 2s, 5m, 1h or none)"
            )),
        },
    }
}

pub(super) fn parse_size(text: &str) -> Result<usize, String> {
    parse_size::Config::new()
        .with_binary()
        .parse_size(text)
        .ok()
        .and_then(|size| usize::try_from(size).ok())
        .ok_or_else(|| format!("'{text}' is not a size in bytes (try 64, 4k or 1M)"))
}

pub(super) fn parse_send_buffer(text: &str) -> Result<SendBuffer, String> {
    if text == "kernel" {
        return Ok(None);
    }
    let size = parse_size(text)
        .ok()
        .and_then(|size| u32::try_from(size).ok());
    match size {
        Some(size) if size > 0 => Ok(Some(size)),
        Some(_) | None => Err(format!(
            "'{text}' is not a size from 1 byte to 4 GiB (try 128k, or kernel)"
        )),
    }
}

/// The largest `--max-message`.
const MESSAGE_BYTES_LIMIT: usize = 16 << 20;

pub(super) fn parse_message_size(text: &str) -> Result<usize, String> {
    match parse_size(text)? {
        size @ 1..=MESSAGE_BYTES_LIMIT => Ok(size),
        _ => Err(format!("a message may have 1 to 16M bytes, not {text}")),
    }
}

pub(super) fn parse_word(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(['\n', '\0']) {
        return Err(
            "a quit word must have at least one character and no line end or NUL".to_owned(),
        );
    }
    Ok(text.to_owned())
}

pub(super) fn parse_greeting(text: &str) -> Result<Greeting, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let (byte, length) = parse_escape(escape).ok_or_else(|| {
            let escape: String = escape.chars().take(if escape.starts_with('x') { 3 } else { 1 }).collect();
            format!("unknown escape '\\{escape}' (use \\n \\r \\t \\0 \\\\ or \\xNN with two hexadecimal digits)")
        })?;
        bytes.push(byte);
        rest = &escape[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

fn parse_escape(escape: &str) -> Option<(u8, usize)> {
    match escape.as_bytes().first()? {
        b'n' => Some((b'\n', 1)),
        b'r' => Some((b'\r', 1)),
        b't' => Some((b'\t', 1)),
        b'0' => Some((0, 1)),
        b'\\' => Some((b'\\', 1)),
        b'x' => {
            let digits = escape.get(1..3)?;
            let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let byte = u8::from_str_radix(digits, 16).ok()?;
            is_hexadecimal.then_some((byte, 3))
        }
        _ => None,
    }
}
