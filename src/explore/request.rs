//! What a browser asks for: one request, within limits, with httparse. Whether it may have it is not
//! decided here.

use super::http::{Reply, Status};

/// Bytes of a request line and its header fields.
pub(crate) const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a body.
pub(crate) const BODY_BYTES_MAX: usize = 4 * 1024;
const FIELDS_MAX: usize = 64;

/// A whole request.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// Without the query.
    pub(crate) path: &'a str,
    /// The host of a target in absolute form.
    authority: Option<&'a str>,
    pub(crate) body: &'a [u8],
    fields: Vec<(&'a str, &'a [u8])>,
}

/// What so many bytes are.
#[derive(Debug)]
pub(crate) enum Parsed<'a> {
    /// The beginning of a request.
    Partial,
    Whole(Request<'a>),
    /// Nothing that could become one; to be answered with this.
    Wrong(Reply),
}

impl<'a> Request<'a> {
    /// The value of a header field; `None` if it is not there, or there more than once, or no text.
    pub(crate) fn field(&self, name: &str) -> Option<&'a str> {
        let mut values = self.values(name);
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        std::str::from_utf8(value).ok().map(str::trim)
    }

    /// Which host is asked for: that of the target if it has one, else the field `Host` (RFC 9112,
    /// section 3.2.2).
    pub(crate) fn host(&self) -> Option<&'a str> {
        self.authority.or_else(|| self.field("host"))
    }

    /// Whether a header field is there, whatever it says.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.fields
            .iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|&(_, value)| value)
    }
}

/// Looks at what has come so far.
pub(crate) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let wrong = |status, words| Parsed::Wrong(Reply::text(status, words));
    let too_long = || {
        let words = format!(
            "the request head is too long ({HEAD_BYTES_MAX} bytes and {FIELDS_MAX} fields at most)"
        );
        Parsed::Wrong(Reply::text(Status::HEAD_TOO_LARGE, &words))
    };
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Request::new(&mut fields);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Parsed::Partial,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return too_long(),
        Err(_) => return wrong(Status::BAD_REQUEST, "this is not an HTTP/1.1 request"),
    };
    let (Some(method), Some(target)) = (head.method, head.path) else {
        return wrong(Status::BAD_REQUEST, "this is not an HTTP/1.1 request");
    };
    let Some((authority, path)) = split_target(target) else {
        let words = "the target is neither a path nor http://HOST/PATH";
        return wrong(Status::BAD_REQUEST, words);
    };
    let request = Request {
        method,
        path,
        authority,
        body: &bytes[length..],
        fields: head
            .headers
            .iter()
            .map(|field| (field.name, field.value))
            .collect(),
    };
    if request.has("transfer-encoding") {
        return wrong(Status::LENGTH_REQUIRED, "Content-Length is required");
    }
    with_body(request)
}

/// The host and the path of a target in origin form or absolute form (RFC 9112, section 3.2); `None` if
/// it is neither.
fn split_target(target: &str) -> Option<(Option<&str>, &str)> {
    const SCHEME: &str = "http://";
    let without_query = target.split('?').next().unwrap_or(target);
    if without_query.starts_with('/') {
        return Some((None, without_query));
    }
    let (scheme, rest) = without_query.split_at_checked(SCHEME.len())?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_http = scheme.eq_ignore_ascii_case(SCHEME);
    // Who names a user there wants to be mistaken for somebody (RFC 9110, section 4.2.4).
    let is_host = !authority.is_empty() && !authority.contains('@');
    (is_http && is_host).then_some((Some(authority), if path.is_empty() { "/" } else { path }))
}

fn with_body(request: Request<'_>) -> Parsed<'_> {
    if !request.has("content-length") {
        let body = &[];
        return Parsed::Whole(Request { body, ..request });
    }
    let digits = request.field("content-length").unwrap_or("");
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // A number that is too large to be one is a body that is too large.
    let length = digits.parse().unwrap_or(usize::MAX);
    if !is_number {
        let words = "Content-Length is not a number";
        Parsed::Wrong(Reply::text(Status::BAD_REQUEST, words))
    } else if length > BODY_BYTES_MAX {
        let words = format!("the body is too long ({BODY_BYTES_MAX} bytes at most)");
        Parsed::Wrong(Reply::text(Status::TOO_LARGE, &words))
    } else if request.body.len() < length {
        Parsed::Partial
    } else {
        let body = &request.body[..length];
        Parsed::Whole(Request { body, ..request })
    }
}
