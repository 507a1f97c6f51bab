//! The smallest server on epollo's reactor: echo on a free port until SIGTERM. Nobody observes it, so
//! it shows what an observer costs that is not there.

use std::io;
use std::time::Duration;

use epollo::protocol::echo::{Echo, Settings};
use epollo::reactor::{Limits, ListenOptions, OsKernel, Policy, Reactor, bind};

fn main() -> io::Result<()> {
    let limits = Limits {
        grace: None,
        ..Limits::default()
    };
    let settings = Settings {
        quit: None,
        print: false,
    };
    let mut reactor = Reactor::new(OsKernel::new()?, Echo::new(settings), limits);
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    reactor.listen(bind(address, ListenOptions::default())?, (), Policy::default())?;
    reactor.run()
}
