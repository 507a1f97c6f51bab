//! The clients that the page's buttons drive: each is the remote end of a connection to one of our
//! own services, and does what a button says. It never decides anything by itself but to leave when it is
//! left.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use serde::Deserialize;

use crate::protocol::{Context, Event, PeerId};
use crate::reactor::OUTBOX_BYTES_MAX;

/// Demo clients at the same time.
const CLIENTS_MAX: usize = 16;
/// What a flood is.
const FLOOD_BYTES: usize = 1024 * 1024;
/// What floods that were asked for one upon the other come to, at most.
const FLOODS_BYTES_MAX: usize = 16 * FLOOD_BYTES;
/// Text without an end: no newline, no NUL.
const HALF_FRAME: &[u8] = b"half of a mess";
const FLOOD_LINE: &[u8; 64] = b"a flood, a flood, a flood, a flood, a flood, a flood, a flood!!\n";
/// So many lines at a time: with a request for each, nothing else of that turn would be shown.
const FLOOD_LINES: usize = 256;

/// What a client is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Send(Vec<u8>),
    Flood,
    HalfClose,
    Reset,
    StopReading,
    ReadAgain,
    Close,
}

/// What a button asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A new client of this service.
    Connect(String),
    /// This client shall do that.
    Order(u32, Order),
}

#[derive(Deserialize)]
struct TryRequest {
    #[serde(rename = "do")]
    what: String,
    to: Option<String>,
    client: Option<u32>,
    text: Option<String>,
}

/// Understands the body of a request, or says why not.
pub(crate) fn parse(body: &[u8]) -> Result<Asked, String> {
    let request: TryRequest =
        serde_json::from_slice(body).map_err(|error| format!("cannot parse the body: {error}"))?;
    if request.what == "connect" {
        let to = request.to.ok_or("no service given (\"to\")")?;
        return Ok(Asked::Connect(to));
    }
    let order = match request.what.as_str() {
        "send" => Order::Send(request.text.ok_or("no text given (\"text\")")?.into_bytes()),
        "half-frame" => Order::Send(HALF_FRAME.to_vec()),
        "flood" => Order::Flood,
        "half-close" => Order::HalfClose,
        "reset" => Order::Reset,
        "stop-reading" => Order::StopReading,
        "read-again" => Order::ReadAgain,
        "close" => Order::Close,
        _ => return Err("unknown action (\"do\")".to_owned()),
    };
    let client = request.client.ok_or("no client given (\"client\")")?;
    Ok(Asked::Order(client, order))
}

#[derive(Debug, Default)]
pub(crate) struct Demos {
    clients: BTreeMap<u32, Client>,
    latest: u32,
}

#[derive(Debug)]
struct Client {
    peer: PeerId,
    /// `None` until it is known.
    line: Option<Line>,
    orders: VecDeque<Order>,
    is_reading: bool,
    has_finished: bool,
    flood_left: usize,
    /// What can still be sent before the server has taken something.
    room: usize,
}

/// The connection of a client: its own address, and the one that it has called.
#[derive(Debug)]
struct Line {
    own: SocketAddr,
    called: SocketAddr,
}

impl Demos {
    /// Whether there is a place for one more.
    pub(crate) fn has_room(&self) -> bool {
        self.clients.len() < CLIENTS_MAX
    }

    /// A client is there. Returns its number.
    pub(crate) fn arrived(&mut self, peer: PeerId) -> u32 {
        self.latest += 1;
        let client = Client {
            peer,
            line: None,
            orders: VecDeque::new(),
            is_reading: true,
            has_finished: false,
            flood_left: 0,
            room: OUTBOX_BYTES_MAX,
        };
        self.clients.insert(self.latest, client);
        self.latest
    }

    /// The client that has just arrived has this address of its own and called the other. Returns its
    /// number.
    pub(crate) fn called(&mut self, own: SocketAddr, called: SocketAddr) -> u32 {
        if let Some(client) = self.clients.get_mut(&self.latest) {
            client.line = Some(Line { own, called });
        }
        self.latest
    }

    /// Those that are there: number, own address, and whom each has called.
    pub(crate) fn present(&self) -> impl Iterator<Item = (u32, SocketAddr, SocketAddr)> {
        let addresses = |(&number, client): (&u32, &Client)| {
            let line = client.line.as_ref()?;
            Some((number, line.own, line.called))
        };
        self.clients.iter().filter_map(addresses)
    }

    /// A client is gone.
    pub(crate) fn left(&mut self, number: u32) {
        self.clients.remove(&number);
    }

    /// Gives an order; returns the peer to notify, or why the order is refused.
    pub(crate) fn order(&mut self, number: u32, order: Order) -> Result<PeerId, &'static str> {
        let client = self
            .clients
            .get_mut(&number)
            .ok_or("this client has already closed")?;
        if let Order::Send(bytes) = &order {
            let room = client.room.checked_sub(bytes.len());
            client.room = room.ok_or("the server accepts no more data from this client now")?;
        }
        client.orders.push_back(order);
        Ok(client.peer)
    }

    pub(crate) fn read_limit(&self, number: u32) -> usize {
        let is_reading = self.clients.get(&number).is_some_and(|c| c.is_reading);
        if is_reading { usize::MAX } else { 0 }
    }

    pub(crate) fn state(&self, number: u32) -> &'static str {
        match self.clients.get(&number) {
            Some(client) if !client.is_reading => "not reading",
            Some(client) if client.has_finished => "half-closed",
            Some(client) if client.flood_left > 0 => "flooding",
            Some(_) => "open",
            None => "gone",
        }
    }

    pub(crate) fn step(&mut self, cx: &mut Context<'_>, number: u32, event: Event<'_>) {
        let Some(client) = self.clients.get_mut(&number) else {
            return;
        };
        match event {
            Event::Connected | Event::Notified | Event::Writable => {
                while let Some(order) = client.orders.pop_front() {
                    client.obey(cx, order);
                }
                client.go_on_flooding(cx);
                client.room = cx.send_capacity();
            }
            // Whoever is left leaves.
            Event::Eof => client.finish(cx),
            Event::Stopping => cx.abort(),
            Event::Received(_) | Event::TimerExpired(_) => {}
        }
    }
}

impl Client {
    fn obey(&mut self, cx: &mut Context<'_>, order: Order) {
        match order {
            Order::Send(bytes) => cx.send(&bytes),
            Order::Flood => {
                self.flood_left = (self.flood_left + FLOOD_BYTES).min(FLOODS_BYTES_MAX);
            }
            Order::HalfClose => self.finish(cx),
            Order::Reset => cx.abort(),
            Order::StopReading => self.is_reading = false,
            Order::ReadAgain => self.is_reading = true,
            Order::Close => {
                self.is_reading = true;
                self.finish(cx);
                cx.close();
            }
        }
    }

    fn finish(&mut self, cx: &mut Context<'_>) {
        self.flood_left = 0;
        self.has_finished = true;
        cx.shutdown_write();
    }

    /// As much as goes; the rest when there is room again.
    fn go_on_flooding(&mut self, cx: &mut Context<'_>) {
        let piece = [*FLOOD_LINE; FLOOD_LINES];
        let piece = piece.as_flattened();
        while self.flood_left > 0 && cx.send_capacity() >= piece.len() {
            cx.send(piece);
            self.flood_left = self.flood_left.saturating_sub(piece.len());
        }
    }
}
