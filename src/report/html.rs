//! The report of a run as one page that needs neither network nor script. Whatever came from outside
//! is made harmless twice: what it could do to a reader by [`Escaped`], what to a browser by maud,
//! which escapes everything that is not marked as safe (our style sheet and the plots are).

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::figures::{self, Drawing};
use super::plot::{NARROW, WIDE, svg};
use super::table::row;
use super::text;
use super::units::{self, time, whole_time};
use super::{Quantiles, Report};
use crate::protocol::display::Escaped;

const STYLE: &str = include_str!("page.css");
/// Nothing is fetched and nothing runs, even if something slipped through.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
/// Rows of the table of seconds; `--csv` has them all.
const SECONDS_SHOWN_MAX: usize = 600;

/// The page.
///
/// # Errors
/// A plot cannot be drawn, in words for our user.
pub fn page(report: &Report) -> Result<String, String> {
    let page = markup(report).map_err(|error| format!("cannot draw a plot: {error}"))?;
    Ok(page.into_string())
}

fn markup(report: &Report) -> Result<Markup, String> {
    let title = text::title(report);
    let mut sections = Vec::new();
    for drawing in figures::drawings(report) {
        sections.push(section(&drawing)?);
    }
    Ok(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) @if report.interrupted { " (interrupted)" } " - epollo bench" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) @if report.interrupted { " (interrupted)" } }
                p { (text::load(report)) }
                p.quiet { (text::span(report)) ", by epollo " (shown(&report.epollo)) }
                main {
                    (tiles(report))
                    (trust(report))
                    @for section in &sections { (section) }
                    (latencies(report))
                    (costs(report))
                    (settings(report))
                    (seconds(report))
                }
            }
        }
    })
}

/// Text from outside, without what could act on a reader.
fn shown(text: &str) -> String {
    Escaped(text.as_bytes()).to_string()
}

/// The figures that most readers come for.
fn tiles(report: &Report) -> Markup {
    let (one, many) = units::answers_of(&report.service);
    let mut tiles = vec![
        (
            format!("{many} per second"),
            units::digits(report.per_second),
        ),
        (format!("{many} in total"), units::count(report.echoes)),
    ];
    let response = report.response_ns;
    if response.count > 0 {
        tiles.push(("response p50".to_owned(), whole_time(response.p50)));
        tiles.push(("response p99".to_owned(), whole_time(response.p99)));
        tiles.push(("response p99.9".to_owned(), whole_time(response.p999)));
    }
    if let Some(server) = report.server.as_ref().filter(|_| report.echoes > 0) {
        let name = format!("server CPU per {one}");
        tiles.push((name, time(server.cpu_ns_per_echo)));
    }
    html! {
        dl.tiles {
            @for (name, value) in &tiles { div { dt { (name) } dd { (value) } } }
        }
    }
}

/// What went wrong, and how far the run can be trusted.
fn trust(report: &Report) -> Markup {
    let wrong = text::wrong(report);
    let is_bad = wrong.is_some() || !report.warnings.is_empty() || report.echoes == 0;
    html! {
        section.trust.bad[is_bad] aria-label="How far this run can be trusted" {
            p {
                strong { "Wrong: " }
                (wrong.unwrap_or_else(|| text::all_right(report))) "."
            }
            @if !report.wrong.is_empty() {
                ul { @for line in &report.wrong { li { (shown(line)) } } }
            }
            @if report.warnings.is_empty() {
                p { strong { "Warnings: " } "none." }
            } @else {
                p { strong { "Warnings:" } }
                ul { @for reason in &report.warnings { li { (shown(reason)) } } }
            }
        }
    }
}

/// A plot for each width of the page, and its table beside it.
fn section(drawing: &Drawing) -> Result<Markup, String> {
    let (wide, narrow) = (svg(&drawing.plot, WIDE)?, svg(&drawing.plot, NARROW)?);
    Ok(html! {
        section {
            h2 { (drawing.title) }
            div.beside {
                figure {
                    @for (class, plot) in [("wide", wide), ("narrow", narrow)] {
                        div class=(class) role="img" aria-label=(drawing.gist) {
                            (PreEscaped(plot))
                        }
                    }
                    @if drawing.plot.lines.len() > 1 {
                        ul.legend { @for line in &drawing.plot.lines { li { (line.name) } } }
                    }
                    @if let Some(note) = &drawing.note { figcaption { (note) } }
                }
                (table(&drawing.table))
            }
        }
    })
}

/// The first row is the heading, the first cell of each other row its name.
fn table(rows: &[Vec<String>]) -> Markup {
    html! {
        table {
            @for (at, row) in rows.iter().enumerate() {
                tr {
                    @for (column, cell) in row.iter().enumerate() {
                        @if at == 0 {
                            th scope="col" { (cell) }
                        } @else if column == 0 {
                            th scope="row" { (cell) }
                        } @else {
                            td { (cell) }
                        }
                    }
                }
            }
        }
    }
}

fn latencies(report: &Report) -> Markup {
    html! {
        section {
            h2 { "Latencies" }
            div.wide-table tabindex="0" role="region" aria-label="Latencies" {
                table {
                    tr {
                        th scope="col" { "what" }
                        @for name in ["min", "mean"] { th scope="col" { (name) } }
                        @for (name, _) in Quantiles::PERCENTILES { th scope="col" { (name) } }
                        @for name in ["max", "count"] { th scope="col" { (name) } }
                    }
                    @for (name, meaning, of) in text::LATENCIES {
                        tr {
                            th scope="row" { (name) small { (meaning) } }
                            @for cell in latency(&of(report)) { td { (cell) } }
                        }
                    }
                }
            }
        }
    }
}

fn latency(quantiles: &Quantiles) -> Vec<String> {
    let ends = match quantiles.count {
        0 => ["-", "-"].map(str::to_owned),
        _ => [whole_time(quantiles.min), time(quantiles.mean)],
    };
    let cells = ends.into_iter().chain(text::quantile_cells(quantiles));
    cells.collect()
}

fn costs(report: &Report) -> Markup {
    let server = report.server.as_ref();
    let mut rows = Vec::new();
    rows.extend(server.map(|cost| ("server", text::cost(cost, report))));
    rows.push(("generator", text::cost(&report.generator, report)));
    html! {
        section {
            h2 { "Costs" }
            table.words {
                @for (name, [first, second]) in &rows {
                    tr { th scope="row" { (name) } td { (first) br; (second) } }
                }
            }
            @if report.server.is_none() {
                p.quiet { "To measure what the server costs, name its process with --pid." }
            }
        }
    }
}

fn settings(report: &Report) -> Markup {
    let asked = &report.asked;
    let count = |number: usize| units::count(number as u64);
    let seconds = |number: f64| format!("{} s", units::round(number));
    let per_second = |rate| format!("{} per second", units::digits(rate));
    let mut rows = vec![
        ("server", text::title(report)),
        ("connections", count(asked.connections)),
        ("idle connections", count(asked.idle)),
        ("size", units::counted(asked.size as u64, "byte", "bytes")),
        ("pipeline", count(asked.pipeline)),
        (
            "rate",
            asked.rate.map_or("closed loop".to_owned(), per_second),
        ),
    ];
    for (name, word) in [
        ("arrivals", &asked.arrivals),
        ("framing", &asked.framing),
        ("chat with", &asked.chat_with),
    ] {
        rows.extend(word.as_deref().map(|word| (name, shown(word))));
    }
    rows.push(("duration", seconds(asked.duration)));
    rows.push(("warm-up", seconds(asked.warmup)));
    rows.push(("seed", asked.seed.to_string()));
    html! {
        section {
            h2 { "Settings" }
            table.words {
                @for (name, value) in &rows { tr { th scope="row" { (name) } td { (value) } } }
            }
            p { "To repeat this load:" }
            code { (text::command(report)) }
        }
    }
}

fn seconds(report: &Report) -> Markup {
    let shown = report.timeline.iter().take(SECONDS_SHOWN_MAX);
    let rest = report.timeline.len().saturating_sub(SECONDS_SHOWN_MAX);
    let heading = ["second", "answers", "p50", "p99", "max", "server CPU"];
    let mut rows = vec![row(heading)];
    for second in shown {
        let latency = |ns| match second.echoes {
            0 => "-".to_owned(),
            _ => whole_time(ns),
        };
        rows.push(vec![
            units::digits(second.at),
            units::count(second.echoes),
            latency(second.p50),
            latency(second.p99),
            latency(second.max),
            second.server_cpu_ns.map_or("-".to_owned(), whole_time),
        ]);
    }
    html! {
        @if !report.timeline.is_empty() {
            details {
                summary { "Second by second" }
                div.wide-table tabindex="0" role="region" aria-label="Second by second" {
                    (table(&rows))
                }
                @if rest > 0 {
                    p.quiet { (units::counted(rest as u64, "more second is", "more seconds are")) " in --csv and --json." }
                }
            }
        }
    }
}
