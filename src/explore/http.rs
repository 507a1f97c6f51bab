//! Answers in HTTP/1.1 (RFC 9112), one a connection. Which answer is right is not decided here.

use crate::protocol::Context;

/// An answer with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: Status,
    pub(crate) kind: &'static str,
    pub(crate) body: String,
    /// Lines of the head besides the usual ones, each with its line end.
    pub(crate) extra: String,
}

/// A status code with the words for it (RFC 9110, section 15): `404 Not Found`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(&'static str);

impl Status {
    pub(crate) const OK: Status = Status("200 OK");
    pub(crate) const BAD_REQUEST: Status = Status("400 Bad Request");
    pub(crate) const FORBIDDEN: Status = Status("403 Forbidden");
    pub(crate) const NOT_FOUND: Status = Status("404 Not Found");
    pub(crate) const METHOD_NOT_ALLOWED: Status = Status("405 Method Not Allowed");
    pub(crate) const TOO_SLOW: Status = Status("408 Request Timeout");
    pub(crate) const CONFLICT: Status = Status("409 Conflict");
    pub(crate) const LENGTH_REQUIRED: Status = Status("411 Length Required");
    pub(crate) const TOO_LARGE: Status = Status("413 Content Too Large");
    pub(crate) const WRONG_TYPE: Status = Status("415 Unsupported Media Type");
    pub(crate) const MISDIRECTED: Status = Status("421 Misdirected Request");
    pub(crate) const HEAD_TOO_LARGE: Status = Status("431 Request Header Fields Too Large");
    pub(crate) const UNAVAILABLE: Status = Status("503 Service Unavailable");
}

pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const JSON: &str = "application/json";

/// What no answer may be used for: to be kept, to be guessed about, to be framed, to tell where one was.
const CAUTIONS: &str = "Cache-Control: no-store\r\n\
    X-Content-Type-Options: nosniff\r\n\
    X-Frame-Options: DENY\r\n\
    Referrer-Policy: no-referrer\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n";

impl Reply {
    /// One line of plain text.
    pub(crate) fn text(status: Status, words: &str) -> Reply {
        Reply {
            status,
            kind: TEXT,
            body: format!("{words}\n"),
            extra: String::new(),
        }
    }

    /// A JSON object.
    pub(crate) fn json(status: Status, body: &serde_json::Value) -> Reply {
        Reply {
            status,
            kind: JSON,
            body: body.to_string(),
            extra: String::new(),
        }
    }

    /// What went wrong, as JSON.
    pub(crate) fn error(status: Status, words: &str) -> Reply {
        Reply::json(status, &serde_json::json!({ "error": words }))
    }

    /// Sends it and ends the connection. A HEAD request gets everything but the body.
    pub(crate) fn send(&self, cx: &mut Context<'_>, is_head: bool) {
        let (Status(status), length) = (self.status, self.body.len());
        let Reply { kind, extra, .. } = self;
        let mut text = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
             {CAUTIONS}{extra}Connection: close\r\n\r\n"
        );
        if !is_head {
            text.push_str(&self.body);
        }
        cx.send(text.as_bytes());
        cx.close();
    }
}

/// The head of an event stream: no length, it ends with the connection.
pub(crate) fn stream_head() -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{CAUTIONS}Connection: close\r\n\r\n"
    )
}
