//! What browsers get between two turns: a tick of figures, and the table of connections. Times
//! are nanoseconds of the kernel's clock unless their name says otherwise.

use std::collections::BTreeMap;

use serde::Serialize;

use super::stats::{Lengths, StatsObserver, Totals};
use super::{DEMO, PAGE};
use crate::protocol::Time;
use crate::reactor::{Interest, PeerView};
use crate::trace::Directory;

/// Rows of the table; of so many connections a reader sees nothing anyway.
const ROWS_MAX: usize = 200;
/// Rows for the page's own connections and its demo clients.
const OWN_ROWS_MAX: usize = 40;

/// Figures of the time since the last one.
#[derive(Debug, Serialize)]
pub(super) struct Tick {
    t: u64,
    span: u64,
    #[serde(flatten)]
    totals: Totals,
    peers: BTreeMap<&'static str, u64>,
    turn_ns: Option<Lengths>,
}

/// What has happened since `before`.
pub(crate) fn tick(recorder: &mut StatsObserver, now: Time, since: Time, before: &Totals) -> Tick {
    Tick {
        t: now.as_nanos(),
        span: now.as_nanos() - since.as_nanos(),
        totals: recorder.totals.since(before),
        peers: recorder.peers.clone(),
        turn_ns: recorder.take_lengths(),
    }
}

#[derive(Serialize)]
struct Table<'a> {
    total: usize,
    rows: Vec<Row<'a>>,
    states: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
}

#[derive(Serialize)]
struct Row<'a> {
    peer: String,
    name: &'a str,
    protocol: &'static str,
    state: &'static str,
    interest: &'static str,
    r#in: u64,
    out: u64,
    outbox: usize,
    idle_ms: u64,
    timer_ms: Option<u64>,
    halves: String,
}

/// The connections as they are now: those that moved last, in the order of their ids. `total` counts
/// also those that have no row.
pub(crate) fn table(
    directory: &Directory,
    peers: impl Iterator<Item = PeerView>,
    now: Time,
) -> Vec<u8> {
    let mut states: BTreeMap<_, BTreeMap<_, u64>> = BTreeMap::new();
    let (mut own, mut clients) = (Vec::new(), Vec::new());
    for peer in peers {
        let machine = states.entry(peer.state.protocol).or_default();
        *machine.entry(peer.state.state).or_insert(0) += 1;
        match peer.state.protocol {
            PAGE | DEMO => own.push(peer),
            _ => clients.push(peer),
        }
    }
    let total = own.len() + clients.len();
    keep_latest(&mut clients, ROWS_MAX);
    keep_latest(&mut own, OWN_ROWS_MAX);
    clients.append(&mut own);
    clients.sort_unstable_by_key(|peer| peer.id);
    let rows = clients
        .iter()
        .map(|peer| row(directory, peer, now))
        .collect();
    let table = Table {
        total,
        rows,
        states,
    };
    serde_json::to_vec(&table).expect("numbers and names")
}

/// Those that moved last.
fn keep_latest(peers: &mut Vec<PeerView>, count: usize) {
    if peers.len() > count {
        peers.select_nth_unstable_by_key(count, |peer| std::cmp::Reverse(peer.active));
        peers.truncate(count);
    }
}

fn row<'a>(directory: &'a Directory, peer: &PeerView, now: Time) -> Row<'a> {
    let known = directory.peer(peer.id);
    let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(0);
    let timer = (peer.deadline < Time::NEVER).then(|| millis(peer.deadline.since(now)));
    Row {
        peer: peer.id.to_string(),
        name: known.map_or("", |known| known.name.as_str()),
        protocol: peer.state.protocol,
        state: peer.state.state,
        interest: match peer.interest {
            Interest::Readable => "read",
            Interest::Writable => "write",
            Interest::Both => "both",
        },
        r#in: known.map_or(0, |known| known.bytes_in),
        out: known.map_or(0, |known| known.bytes_out),
        outbox: peer.unsent,
        idle_ms: millis(now.since(peer.active)),
        timer_ms: timer,
        halves: format!("{}/{}", peer.inbound, peer.outbound),
    }
}
