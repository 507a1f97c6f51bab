//! speedscope, a viewer of profiles, opens the Chrome trace that `--trace` writes.

use std::io::Write;
use std::path::PathBuf;

use super::judge::Judge;
use super::{Folder, matrix};
use crate::explore::browser::chromium::Chromium;
use crate::support::{Server, read_exactly};

const TITLE: &str = "loop.json";
/// What it says of slices that it cannot end. That the arguments of a slice are not said again at its end it says, too,
/// and ends it; the rest is about the browser.
const COMPLAINTS: [&str; 3] = [
    "Doing nothing instead",
    "still open at end",
    "Something went wrong",
];

/// Where it lies (`npm install --prefix target/speedscope speedscope`), and its version.
fn speedscope() -> (PathBuf, Option<String>) {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/target/speedscope/node_modules/speedscope"
    );
    let folder = PathBuf::from(folder);
    let about = std::fs::read_to_string(folder.join("package.json")).ok();
    let about = about.map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap());
    let version = about.map(|about| about["version"].as_str().unwrap().to_owned());
    (folder.join("dist/release/index.html"), version)
}

/// The trace of a server that has echoed once.
fn trace() -> String {
    let folder = Folder::new("speedscope");
    let path = folder.0.join(TITLE);
    let server = Server::start(&["echo=0", "--trace", path.to_str().unwrap()]);
    let mut client = server.connect("echo");
    client.write_all(b"hello").unwrap();
    assert_eq!(read_exactly(&mut client, 5), b"hello");
    drop(client);
    server.stop();
    std::fs::read_to_string(&path).unwrap()
}

#[test]
fn speedscope_opens_our_chrome_trace() {
    let (viewer, version) = speedscope();
    let how = "npm install --prefix target/speedscope speedscope";
    let Some(judge) = Judge::known("speedscope", version, how) else {
        return;
    };
    let Some(mut chromium) = Chromium::start("speedscope") else {
        return;
    };
    // With a local profile to be loaded, its page has a function to load one; this one does not exist.
    let address = format!("file://{}#localProfilePath=none.js", viewer.display());
    chromium.open(&address);
    chromium.until("window.speedscope?.loadFileFromBase64");
    let text = serde_json::to_string(&trace()).unwrap();
    let load = "speedscope.loadFileFromBase64";
    chromium.value(&format!(
        "{load}('{TITLE}', btoa(unescape(encodeURIComponent({text})))), 0"
    ));
    chromium.until("document.title.endsWith(' - speedscope')");
    let sight = chromium.text("document.body.innerText");
    assert!(sight.contains("the loop"), "{sight}");
    let is_ours = |line: &&String| COMPLAINTS.iter().any(|words| line.contains(words));
    let complaints: Vec<&String> = chromium.complaints().iter().filter(is_ours).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    matrix::holds(
        "judge",
        &judge,
        &[
            ("against", "`--trace loop.json`"),
            ("verdict", "opens it, every slice ends"),
        ],
    );
}
