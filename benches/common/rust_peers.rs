//! The peers that are written in Rust, each a server as its users write it. This program
//! becomes one of them with `--peer NAME`.

use super::Result;

#[path = "../peers/naive_mio.rs"]
mod naive_mio;
#[path = "../peers/tokio.rs"]
mod tokio;
#[path = "../peers/tokio_relay.rs"]
mod tokio_relay;

/// What `--peer` takes.
pub(crate) const NAMES: [&str; 3] = ["tokio", "tokio-relay", "mio"];

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
        "tokio-relay" => Ok(tokio_relay::serve()?),
        "mio" => Ok(naive_mio::serve()?),
        other => Err(format!("there is no peer '{other}'").into()),
    }
}
