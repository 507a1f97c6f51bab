//! The peers that are written in Rust, each a server of echo as its users write it. This program
//! becomes one of them with `--peer NAME`.

use super::Result;

#[path = "../peers/naive_mio.rs"]
mod naive_mio;
#[path = "../peers/tokio.rs"]
mod tokio;

/// What `--peer` takes.
pub(crate) const NAMES: [&str; 2] = ["tokio", "mio"];

/// Serves until it is killed.
pub(crate) fn run(name: &str) -> Result<()> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let all = rustix::process::Rlimit {
        current: limit.maximum,
        ..limit
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, all)?;
    match name {
        "tokio" => Ok(tokio::serve()?),
        "mio" => Ok(naive_mio::serve()?),
        other => Err(format!("there is no peer '{other}'").into()),
    }
}
