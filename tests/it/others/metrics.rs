//! What Prometheus' own tools make of `/metrics`.

use super::judge::{Judge, run};
use super::matrix;
use crate::support::Server;

#[test]
fn promtool_has_nothing_against_the_metrics() {
    let asked = ["promtool", "--version"];
    let Some(judge) = Judge::find("promtool", &asked, "Debian package prometheus") else {
        return;
    };
    let server = Server::start(&["hello=0", "echo=0", "chat=0", "--explore=127.0.0.1:0"]);
    let page = super::page(&server, "/metrics");
    let said = run(&["promtool", "check", "metrics"], page.as_bytes());
    assert_eq!((said.code, &*said.errors), (0, ""), "{}", said.all());
    matrix::holds(
        "judge",
        &judge,
        &[("against", "`/metrics`"), ("verdict", "nothing to object")],
    );
    server.stop();
}
