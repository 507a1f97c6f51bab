//! All figures as text that Prometheus reads, OpenMetrics or its older format, through its own library. Nothing
//! is kept between two readings: the counters are those of the reactor and the recorder.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{
    EncodeCounterValue, EncodeGaugeValue, EncodeMetric, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{Registry, Unit};

use super::ExplorerReactor;
use super::http::{Reply, Status};
use super::stats::{BUCKETS_US, StatsObserver};
use crate::protocol::{CloseReason, Service};
use crate::trace::Observer;

type Labels = Vec<(&'static str, String)>;

/// The media type of what [`encode`] writes, and that of the older format. What OpenMetrics has besides it, units and
/// an end, are comments there; but it knows no suffix: the type and the help are those of `NAME_total`.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything there is to know in figures.
pub(crate) fn reply<S: Service, O: Observer>(
    reactor: &mut ExplorerReactor<S, O>,
    is_open: bool,
) -> Reply {
    let registry = Registry::with_prefix("epollo");
    let figures = &mut Figures { registry, is_open };
    of_reactor(figures, reactor);
    let (service, (recorder, _)) = reactor.service_and_observer();
    let broadcast = &service.broadcast;
    let help = "Connections to the explorer page";
    figures.gauge("page_connections", help, broadcast.sessions());
    let help = "Browsers that follow the event stream";
    figures.gauge("page_streams", help, broadcast.streams().len());
    let help = "Events not sent because a browser was too slow";
    figures.counter("page_events_missed", None, help, broadcast.missed);
    of_recorder(figures, recorder, &broadcast.services);
    let mut text = String::new();
    if encode(&mut text, &figures.registry).is_err() {
        return Reply::text(Status::UNAVAILABLE, "the metrics cannot be written");
    }
    Reply {
        status: Status::OK,
        kind: if is_open { OPEN_METRICS } else { PROMETHEUS },
        body: text,
        extra: String::new(),
    }
}

fn of_reactor<S: Service, O: Observer>(figures: &mut Figures, reactor: &ExplorerReactor<S, O>) {
    let (holdings, counters) = (reactor.holdings(), reactor.counters());
    figures.gauge("timers", "Timers that are set", holdings.timers);
    let help = "Memory used by unsent bytes";
    let unsent = ConstGauge::new(holdings.buffered_bytes);
    let registry = &mut figures.registry;
    registry.register_with_unit("unsent", help, Unit::Bytes, unsent);
    let help = "Connections accepted, including those turned away afterwards";
    figures.counter("accepted", None, help, counters.accepted);
    let help = "Connections turned away: closed at once because of a limit";
    figures.counter("turned_away", None, help, counters.turned_away);
    let help = "Peers that broke a rule of their protocol";
    figures.counter("refused", None, help, counters.refused);
    let help = "Pauses of accepting because the machine had no resources left for a connection";
    figures.counter("accept_pauses", None, help, counters.accept_pauses);
}

fn of_recorder(figures: &mut Figures, recorder: &StatsObserver, services: &[(String, SocketAddr)]) {
    let connections = Family::<Labels, Gauge<u64, AtomicU64>>::default();
    let labels = |service: &str| vec![("service", service.to_owned())];
    for (service, _) in services {
        connections.get_or_create(&labels(service)).set(0);
    }
    for (&service, &count) in &recorder.peers {
        connections.get_or_create(&labels(service)).set(count);
    }
    let help = "Open connections; the terminal and the signals count as peers, too";
    figures.registry.register("connections", help, connections);
    figures.closed(recorder);
    let totals = &recorder.totals;
    figures.counter("turns", None, "Turns of the loop", totals.turns);
    let help = "Events returned by epoll_wait";
    figures.counter("events", None, help, totals.events);
    let help = "Calls of read on connections to services";
    figures.counter("reads", None, help, totals.reads);
    let help = "Calls of write on connections to services";
    figures.counter("writes", None, help, totals.writes);
    let help = "Reads and writes that would have blocked (EAGAIN)";
    figures.counter("would_block", None, help, totals.would_block);
    let help = "Bytes read from connections to services";
    figures.counter("received", Some(Unit::Bytes), help, totals.bytes_in);
    let help = "Bytes written to connections to services";
    figures.counter("sent", Some(Unit::Bytes), help, totals.bytes_out);
    let asleep = seconds(totals.asleep);
    figures.counter("asleep", Some(Unit::Seconds), "Time in epoll_wait", asleep);
    let help = "Duration of turns";
    let registry = &mut figures.registry;
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

/// The figures, and whether they will be read as OpenMetrics.
struct Figures {
    registry: Registry,
    is_open: bool,
}

impl Figures {
    fn gauge(&mut self, name: &str, help: &str, value: usize) {
        self.registry.register(name, help, ConstGauge::new(value));
    }

    fn counter<N>(&mut self, name: &str, unit: Option<Unit>, help: &str, value: N)
    where
        N: EncodeCounterValue + EncodeGaugeValue + fmt::Debug + Send + Sync + 'static,
    {
        let registry = &mut self.registry;
        match (self.is_open, unit) {
            (true, None) => registry.register(name, help, ConstCounter::new(value)),
            (true, Some(unit)) => {
                registry.register_with_unit(name, help, unit, ConstCounter::new(value));
            }
            (false, unit) => {
                let unit = unit.map_or_else(String::new, |unit| format!("_{}", unit.as_str()));
                let total = Total(ConstGauge::new(value));
                registry.register(format!("{name}{unit}_total"), help, total);
            }
        }
    }

    fn closed(&mut self, recorder: &StatsObserver) {
        let none = REASONS.iter().map(|reason| (reason, &0));
        let counts = none.chain(&recorder.closed);
        let counts =
            counts.map(|(&reason, &count)| (vec![("reason", word(reason).to_owned())], count));
        let help = "Connections closed";
        if self.is_open {
            let closed = Family::<Labels, Counter>::default();
            for (labels, count) in counts {
                closed.get_or_create(&labels).inc_by(count);
            }
            self.registry.register("closed", help, closed);
        } else {
            let closed = Family::<Labels, Total<Gauge<u64, AtomicU64>>>::default();
            for (labels, count) in counts {
                closed.get_or_create(&labels).0.inc_by(count);
            }
            self.registry.register("closed_total", help, closed);
        }
    }
}

/// A counter of the older format: it is written as a gauge is, by its whole name.
#[derive(Clone, Debug, Default)]
struct Total<G>(G);

impl<G: EncodeMetric> EncodeMetric for Total<G> {
    fn encode(&self, encoder: MetricEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl<G> TypedMetric for Total<G> {
    const TYPE: MetricType = MetricType::Counter;
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
