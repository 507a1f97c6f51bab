//! What Prometheus' own programs make of `/metrics`: promtool of its older format, the server itself of OpenMetrics.

use std::net::TcpStream;

use serde_json::Value;

use super::judge::{Judge, Running, run};
use super::{Folder, answer, matrix, page, page_at, quiet_addresses};
use crate::support::{Server, eventually};

const PACKAGE: &str = "Debian package prometheus";
const SERVED: [&str; 4] = ["hello=0", "echo=0", "chat=0", "--explore=127.0.0.1:0"];

fn holds(judge: &Judge, against: &str, verdict: &str) {
    matrix::holds(
        "judge",
        judge,
        &[("against", against), ("verdict", verdict)],
    );
}

#[test]
fn promtool_has_nothing_against_the_metrics() {
    let asked = ["promtool", "--version"];
    let Some(judge) = Judge::find("promtool", &asked, PACKAGE) else {
        return;
    };
    let server = Server::start(&SERVED);
    let metrics = page(&server, "/metrics");
    let said = run(&["promtool", "check", "metrics"], metrics.as_bytes());
    assert_eq!((said.code, &*said.errors), (0, ""), "{}", said.all());
    holds(&judge, "`/metrics` as text", "nothing to object");
    server.stop();
}

#[test]
fn prometheus_gathers_the_metrics_and_knows_their_types() {
    let asked = ["prometheus", "--version"];
    let Some(judge) = Judge::find("prometheus", &asked, PACKAGE) else {
        return;
    };
    let server = Server::start(&SERVED);
    let [address, _] = quiet_addresses();
    let folder = Folder::new("prometheus");
    let path = folder.0.to_str().unwrap();
    let target = server.address("explore");
    let text = format!(
        "scrape_configs: [{{job_name: epollo, scrape_interval: 1s, static_configs: [{{targets: [\"{target}\"]}}]}}]"
    );
    std::fs::write(format!("{path}/prometheus.yml"), text).unwrap();
    let file = format!("--config.file={path}/prometheus.yml");
    let storage = format!("--storage.tsdb.path={path}/data");
    let listen = format!("--web.listen-address={address}");
    let _prometheus = Running::start(&["prometheus", &file, &storage, &listen]);
    eventually("it listens", || TcpStream::connect(address).is_ok());
    eventually("it is ready", || {
        answer(address, "/-/ready").0.contains(" 200 ")
    });
    let asks = |question: &str| -> Value {
        let told = page_at(address, &format!("/api/v1/{question}"));
        serde_json::from_str::<Value>(&told).unwrap()["data"].take()
    };
    eventually("our figures are there", || {
        asks("query?query=epollo_accepted_total")["result"][0]["value"][1].is_string()
    });
    let told = asks("targets?state=active");
    let target = &told["activeTargets"][0];
    assert_eq!(
        (&target["health"], &target["lastError"]),
        (&"up".into(), &"".into())
    );
    for (metric, kind) in [
        ("epollo_accepted", "counter"),
        ("epollo_turn_seconds", "histogram"),
        ("epollo_connections", "gauge"),
    ] {
        let told = asks(&format!("targets/metadata?metric={metric}"));
        assert_eq!(told[0]["type"], kind, "{metric}: {told}");
    }
    holds(
        &judge,
        "`/metrics` as OpenMetrics",
        "gathers it, and knows the types",
    );
    server.stop();
}
