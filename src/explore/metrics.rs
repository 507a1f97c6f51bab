//! All figures as text that Prometheus reads (OpenMetrics), through its own library. Nothing is kept
//! between two readings: the counters are those of the reactor and the recorder.

use std::fmt;
use std::net::SocketAddr;

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
use crate::reactor::Holdings;
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
    let mut registry = Registry::with_prefix("epollo");
    of_reactor(&mut registry, reactor);
    let (service, (recorder, _)) = reactor.service_and_observer();
    let broadcast = &service.broadcast;
    gauge(
        &mut registry,
        "page_connections",
        "Connections to the explorer page",
        broadcast.sessions(),
    );
    gauge(
        &mut registry,
        "page_streams",
        "Browsers that follow the event stream",
        broadcast.streams().len(),
    );
    counter(
        &mut registry,
        "page_events_missed",
        "Events not sent because a browser was too slow",
        broadcast.missed,
    );
    of_recorder(&mut registry, recorder, &broadcast.services);
    let mut text = String::new();
    if encode(&mut text, &registry).is_err() {
        return Reply::text(Status::Unavailable, "the metrics cannot be written");
    }
    Reply {
        status: Status::Ok,
        kind: if is_open { OPEN_METRICS } else { PROMETHEUS },
        body: text,
        extra: String::new(),
    }
}

fn of_reactor<S: Service, O: Observer>(registry: &mut Registry, reactor: &ExplorerReactor<S, O>) {
    let Holdings {
        timers,
        buffered_bytes: unsent,
        ..
    } = reactor.holdings();
    let counters = reactor.counters();
    gauge(registry, "timers", "Timers that are set", timers);
    registry.register_with_unit(
        "unsent",
        "Memory used by unsent bytes",
        Unit::Bytes,
        ConstGauge::new(as_signed(unsent as u64)),
    );
    for (name, help, value) in [
        (
            "accepted",
            "Connections accepted, including those turned away afterwards",
            counters.accepted,
        ),
        (
            "turned_away",
            "Connections turned away: closed at once because of a limit",
            counters.turned_away,
        ),
        (
            "refused",
            "Peers that broke a rule of their protocol",
            counters.refused,
        ),
        (
            "accept_pauses",
            "Pauses of accepting because the machine had no resources left for a connection",
            counters.accept_pauses,
        ),
    ] {
        counter(registry, name, help, value);
    }
}

fn of_recorder(
    registry: &mut Registry,
    recorder: &StatsObserver,
    services: &[(String, SocketAddr)],
) {
    let connections = Family::<Labels, Gauge>::default();
    let labels = |service: &str| vec![("service", service.to_owned())];
    for (service, _) in services {
        connections.get_or_create(&labels(service)).set(0);
    }
    for (&service, &count) in &recorder.peers {
        let connections = connections.get_or_create(&labels(service));
        connections.set(as_signed(count));
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
    for (name, help, value) in [
        ("turns", "Turns of the loop", totals.turns),
        ("events", "Events returned by epoll_wait", totals.events),
        (
            "reads",
            "Calls of read on connections to services",
            totals.reads,
        ),
        (
            "writes",
            "Calls of write on connections to services",
            totals.writes,
        ),
        (
            "would_block",
            "Reads and writes that would have blocked (EAGAIN)",
            totals.would_block,
        ),
    ] {
        counter(registry, name, help, value);
    }
    for (name, help, value) in [
        (
            "received",
            "Bytes read from connections to services",
            totals.bytes_in,
        ),
        (
            "sent",
            "Bytes written to connections to services",
            totals.bytes_out,
        ),
    ] {
        registry.register_with_unit(name, help, Unit::Bytes, ConstCounter::new(value));
    }
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
    registry.register(name, help, ConstGauge::new(as_signed(value as u64)));
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstCounter::new(value));
}

fn as_signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a clock of 100 days has 53 bits of nanoseconds"
)]
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
