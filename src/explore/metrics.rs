//! All figures as text that Prometheus reads (OpenMetrics), through its own library. Nothing is kept
//! between two readings: the counters are those of the reactor and the recorder.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};

use super::ExplorerReactor;
use super::http::{Reply, Status};
use super::stats::{BUCKETS_US, StatsObserver};
use crate::protocol::{CloseReason, Service};
use crate::trace::Observer;

type Labels = Vec<(&'static str, String)>;

/// The media type of what [`encode`] writes, and that of the older format: what OpenMetrics has besides
/// it, units and an end, are comments there.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything there is to know in figures.
pub(crate) fn reply<S: Service, O: Observer>(
    reactor: &mut ExplorerReactor<S, O>,
    is_open: bool,
) -> Reply {
    let registry = &mut Registry::with_prefix("epollo");
    of_reactor(registry, reactor);
    let (service, (recorder, _)) = reactor.service_and_observer();
    let broadcast = &service.broadcast;
    let help = "Connections to the explorer page";
    gauge(registry, "page_connections", help, broadcast.sessions());
    let help = "Browsers that follow the event stream";
    gauge(registry, "page_streams", help, broadcast.streams().len());
    let help = "Events not sent because a browser was too slow";
    counter(registry, "page_events_missed", help, broadcast.missed);
    of_recorder(registry, recorder, &broadcast.services);
    let mut text = String::new();
    if encode(&mut text, registry).is_err() {
        return Reply::text(Status::UNAVAILABLE, "the metrics cannot be written");
    }
    Reply {
        status: Status::OK,
        kind: if is_open { OPEN_METRICS } else { PROMETHEUS },
        body: text,
        extra: String::new(),
    }
}

fn of_reactor<S: Service, O: Observer>(registry: &mut Registry, reactor: &ExplorerReactor<S, O>) {
    let (holdings, counters) = (reactor.holdings(), reactor.counters());
    gauge(registry, "timers", "Timers that are set", holdings.timers);
    let help = "Memory used by unsent bytes";
    let unsent = ConstGauge::new(holdings.buffered_bytes);
    registry.register_with_unit("unsent", help, Unit::Bytes, unsent);
    let help = "Connections accepted, including those turned away afterwards";
    counter(registry, "accepted", help, counters.accepted);
    let help = "Connections turned away: closed at once because of a limit";
    counter(registry, "turned_away", help, counters.turned_away);
    let help = "Peers that broke a rule of their protocol";
    counter(registry, "refused", help, counters.refused);
    let help = "Pauses of accepting because the machine had no resources left for a connection";
    counter(registry, "accept_pauses", help, counters.accept_pauses);
}

fn of_recorder(
    registry: &mut Registry,
    recorder: &StatsObserver,
    services: &[(String, SocketAddr)],
) {
    let connections = Family::<Labels, Gauge<u64, AtomicU64>>::default();
    let labels = |service: &str| vec![("service", service.to_owned())];
    for (service, _) in services {
        connections.get_or_create(&labels(service)).set(0);
    }
    for (&service, &count) in &recorder.peers {
        connections.get_or_create(&labels(service)).set(count);
    }
    let help = "Open connections; the terminal and the signals count as peers, too";
    registry.register("connections", help, connections);
    let closed = Family::<Labels, Counter>::default();
    let none = REASONS.map(|reason| (reason, 0));
    let some = recorder
        .closed
        .iter()
        .map(|(&reason, &count)| (reason, count));
    for (reason, count) in none.into_iter().chain(some) {
        let labels = vec![("reason", word(reason).to_owned())];
        closed.get_or_create(&labels).inc_by(count);
    }
    registry.register("closed", "Connections closed", closed);
    let totals = &recorder.totals;
    counter(registry, "turns", "Turns of the loop", totals.turns);
    let help = "Events returned by epoll_wait";
    counter(registry, "events", help, totals.events);
    let help = "Calls of read on connections to services";
    counter(registry, "reads", help, totals.reads);
    let help = "Calls of write on connections to services";
    counter(registry, "writes", help, totals.writes);
    let help = "Reads and writes that would have blocked (EAGAIN)";
    counter(registry, "would_block", help, totals.would_block);
    let (received, sent) = (
        ConstCounter::new(totals.bytes_in),
        ConstCounter::new(totals.bytes_out),
    );
    let help = "Bytes read from connections to services";
    registry.register_with_unit("received", help, Unit::Bytes, received);
    let help = "Bytes written to connections to services";
    registry.register_with_unit("sent", help, Unit::Bytes, sent);
    let asleep = ConstCounter::new(seconds(totals.asleep));
    registry.register_with_unit("asleep", "Time in epoll_wait", Unit::Seconds, asleep);
    let help = "Duration of turns";
    registry.register_with_unit("turn", help, Unit::Seconds, Lengths::of(recorder));
}

/// How long turns were, as they were counted elsewhere.
#[derive(Debug)]
struct Lengths {
    sum: f64,
    /// The upper end of each bucket in seconds, and what it holds.
    buckets: Vec<(f64, u64)>,
}

impl Lengths {
    fn of(recorder: &StatsObserver) -> Lengths {
        let ends = BUCKETS_US.iter().map(|&end| seconds(end * 1000));
        let ends = ends.chain([f64::INFINITY]);
        Lengths {
            sum: seconds(recorder.totals.busy),
            buckets: ends.zip(recorder.lengths).collect(),
        }
    }
}

impl EncodeMetric for Lengths {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let count = self.buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(self.sum, count, &self.buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: usize) {
    registry.register(name, help, ConstGauge::new(value));
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstCounter::new(value));
}

/// Exact for 100 days: so many nanoseconds have 53 bits.
fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// Each is exported from the start, so that the first of its kind is seen as a change.
const REASONS: [CloseReason; 8] = [
    CloseReason::Finished,
    CloseReason::Broken(0),
    CloseReason::Idle,
    CloseReason::WriteStalled,
    CloseReason::Lingered,
    CloseReason::Evicted,
    CloseReason::Aborted,
    CloseReason::Stopped,
];

fn word(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Finished => "finished",
        CloseReason::Broken(_) => "broken",
        CloseReason::Idle => "idle",
        CloseReason::WriteStalled => "write_stalled",
        CloseReason::Lingered => "lingered",
        CloseReason::Evicted => "evicted",
        CloseReason::Aborted => "aborted",
        CloseReason::Stopped => "stopped",
    }
}
