//! The page itself: one self-contained document put together from its parts. What it shows comes
//! later, as events; no byte of a peer is ever in it.

const HTML: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// In the order in which they build on each other.
const SCRIPTS: [&str; 9] = [
    include_str!("words.js"),
    include_str!("record.js"),
    include_str!("timeline.js"),
    include_str!("turn.js"),
    include_str!("peers.js"),
    include_str!("machines.js"),
    include_str!("counters.js"),
    include_str!("try.js"),
    include_str!("page.js"),
];

/// The page with everything in its place but the nonce.
#[derive(Debug)]
pub(crate) struct Template(String);

impl Template {
    /// `token` is what the buttons send along; empty where there are none.
    pub(crate) fn new(token: &str) -> Template {
        let page = HTML
            .replacen("TOKEN", token, 1)
            .replacen("/*STYLE*/", STYLE, 1)
            .replacen("/*SCRIPT*/", &SCRIPTS.concat(), 1);
        Template(page)
    }

    /// The document; its style and script are allowed by this nonce (Content Security Policy).
    pub(crate) fn with_nonce(&self, nonce: &str) -> String {
        self.0
            .replace("nonce=\"NONCE\"", &format!("nonce=\"{nonce}\""))
    }
}
