//! Who may have what: routes, hosts, and the token without which no button works. How it is fetched is
//! not decided here.

use std::net::SocketAddr;

use super::broadcast::{Broadcast, Question, random_word};
use super::demo::{self, Asked, Order};
use super::http::{Reply, Status};
use super::request::Request;
use crate::protocol::Context;

pub(crate) enum Answer {
    Now(Reply),
    /// The composition root has to do something first.
    Later(Question),
    /// Events, from this number on.
    Stream(u64),
}

/// Answers a request.
pub(crate) fn answer(
    broadcast: &mut Broadcast,
    cx: &mut Context<'_>,
    request: &Request<'_>,
) -> Answer {
    if !is_for_us(broadcast.address, request) {
        let words = "this server does not answer for that Host";
        return Answer::Now(Reply::text(Status::MISDIRECTED, words));
    }
    let methods = match request.path {
        "/" | "/events" | "/metrics" | "/healthz" => "GET, HEAD",
        "/try" => "POST",
        _ => return Answer::Now(Reply::text(Status::NOT_FOUND, "there is no such page")),
    };
    if !methods.split(", ").any(|method| method == request.method) {
        let mut reply = Reply::text(
            Status::METHOD_NOT_ALLOWED,
            "this method is not allowed here",
        );
        reply.extra = format!("Allow: {methods}\r\n");
        return Answer::Now(reply);
    }
    match request.path {
        "/" => Answer::Now(page(broadcast)),
        "/metrics" => {
            let accept = request.field("accept").unwrap_or("");
            let is_open = accept.contains("application/openmetrics-text");
            Answer::Later(Question::Metrics { is_open })
        }
        "/healthz" => Answer::Now(Reply::text(Status::OK, "ok")),
        "/try" => try_it(broadcast, cx, request),
        _ => events(broadcast, cx, request),
    }
}

/// A stream is not for another site: it could not read it, but it would take one of the few.
fn events(broadcast: &mut Broadcast, cx: &Context<'_>, request: &Request<'_>) -> Answer {
    if !is_from_page(broadcast.address, request) {
        let words = "only the explorer page may read the events";
        return Answer::Now(Reply::text(Status::FORBIDDEN, words));
    }
    if request.method == "HEAD" {
        let mut reply = Reply::text(Status::OK, "");
        reply.kind = "text/event-stream";
        return Answer::Now(reply);
    }
    if let Some(next) = broadcast.subscribe(cx.me()) {
        return Answer::Stream(next);
    }
    let words = "too many browsers are connected already";
    let mut reply = Reply::text(Status::UNAVAILABLE, words);
    reply.extra = "Retry-After: 5\r\n".to_owned();
    Answer::Now(reply)
}

/// A name that somebody else made point at this machine (DNS rebinding) is not ours. Who is meant to be
/// reached from elsewhere is called many names.
fn is_for_us(address: SocketAddr, request: &Request<'_>) -> bool {
    !address.ip().is_loopback() || request.host().is_some_and(|host| is_us(address, host))
}

fn is_us(address: SocketAddr, host: &str) -> bool {
    let port = address.port();
    let names = [
        address.to_string(),
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
    ];
    // Browsers leave out the port that HTTP has anyway.
    let host = match port {
        80 if !host.ends_with(":80") => format!("{host}:80"),
        _ => host.to_owned(),
    };
    names.iter().any(|name| name.eq_ignore_ascii_case(&host))
}

/// Whether the page itself sent this, as far as the browser says so (Fetch Metadata, Origin).
fn is_from_page(address: SocketAddr, request: &Request<'_>) -> bool {
    let is_same_site =
        !request.has("sec-fetch-site") || request.field("sec-fetch-site") == Some("same-origin");
    let is_same_origin = !request.has("origin")
        || request
            .field("origin")
            .and_then(|origin| origin.strip_prefix("http://"))
            .is_some_and(|origin| is_own_origin(address, request, origin));
    is_same_site && is_same_origin
}

/// Where the page is called many names, the one that was asked for is its own.
fn is_own_origin(address: SocketAddr, request: &Request<'_>, origin: &str) -> bool {
    if address.ip().is_loopback() {
        is_us(address, origin)
    } else {
        request
            .host()
            .is_some_and(|host| host.eq_ignore_ascii_case(origin))
    }
}

fn page(broadcast: &Broadcast) -> Reply {
    let nonce = match random_word() {
        Ok(nonce) => nonce,
        Err(error) => {
            log::warn!("no random numbers for the explorer page: {error}");
            return Reply::text(Status::UNAVAILABLE, "no random numbers");
        }
    };
    Reply {
        status: Status::OK,
        kind: "text/html; charset=utf-8",
        body: broadcast.page.with_nonce(&nonce),
        extra: format!(
            "Content-Security-Policy: default-src 'none'; connect-src 'self'; img-src data:; \
             style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'\r\n"
        ),
    }
}

fn wrong(status: Status, words: &str) -> Answer {
    Answer::Now(Reply::error(status, words))
}

/// A button was pressed.
fn try_it(broadcast: &mut Broadcast, cx: &mut Context<'_>, request: &Request<'_>) -> Answer {
    let Some(token) = &broadcast.token else {
        let words = "the buttons are off: the page is not on a loopback address";
        return wrong(Status::FORBIDDEN, words);
    };
    if !is_from_page(broadcast.address, request)
        || request.field("x-epollo-token") != Some(token.as_str())
    {
        let words = "this request does not come from the explorer page";
        return wrong(Status::FORBIDDEN, words);
    }
    let kind = request.field("content-type").unwrap_or("");
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return wrong(Status::WRONG_TYPE, "the body must be application/json");
    }
    match demo::parse(request.body) {
        Ok(Asked::Connect(to)) => {
            let mut services = broadcast.services.iter();
            match services.find(|(name, _)| *name == to) {
                Some(&(_, address)) => Answer::Later(Question::Connect(address)),
                None => wrong(Status::BAD_REQUEST, "there is no such service"),
            }
        }
        Ok(Asked::Order(client, order)) => command(broadcast, cx, client, order),
        Err(words) => wrong(Status::BAD_REQUEST, &words),
    }
}

fn command(broadcast: &mut Broadcast, cx: &mut Context<'_>, client: u32, order: Order) -> Answer {
    match broadcast.demos.order(client, order) {
        Ok(peer) => {
            cx.notify(peer);
            Answer::Now(Reply::json(Status::OK, &serde_json::json!({ "ok": true })))
        }
        Err(why) => wrong(Status::CONFLICT, why),
    }
}
