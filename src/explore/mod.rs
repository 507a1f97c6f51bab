//! The explorer: a page that shows the loop at work, served by the same loop. [`WithExplorer`] puts it
//! beside any [`Service`], also one of your own; it opens no listener and starts no thread.
//!
//! ```
//! use epollo::explore::{self, Origin, Page};
//! use epollo::protocol::{CloseReason, Context, Event, Peer, Service, StateName};
//! use epollo::reactor::{Limits, ListenOptions, Policy, bind};
//! use std::{io::{Read, Write}, net::{Shutdown, TcpStream}};
//!
//! /// Answers every message with its length; after one peer the run ends.
//! struct Length;
//!
//! impl Service for Length {
//!     type Session = ();
//!     type Origin = ();
//!     fn open(&mut self, _: &mut Context<'_>, _: (), _: &Peer<'_>) {}
//!     fn step(&mut self, cx: &mut Context<'_>, _: &mut (), event: Event<'_>) {
//!         match event {
//!             Event::Received(bytes) => cx.send(format!("{}\n", bytes.len()).as_bytes()),
//!             Event::Eof => cx.shutdown_write(),
//!             _ => {}
//!         }
//!     }
//!     fn close(&mut self, cx: &mut Context<'_>, _: (), _: CloseReason) { cx.stop() }
//!     // What the page shows of a session.
//!     fn state(&self, _: &()) -> StateName {
//!         StateName { protocol: "length", state: "counting" }
//!     }
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let options = ListenOptions::default();
//! let listener = bind("127.0.0.1:0".parse().unwrap(), options)?;
//! let page = bind("127.0.0.1:0".parse().unwrap(), options)?;
//! let (address, url) = (listener.local_addr()?, page.local_addr()?);
//! println!("look at http://{url}");
//! let services = vec![("length".into(), address)];
//! let page = Page { listener: page, services, sessions_max: explore::SESSIONS_MAX };
//! let mut reactor = explore::reactor(page, Length, Limits::default(), explore::NOBODY)?;
//! reactor.listen(listener, Origin::Inner(()), Policy::default())?;
//!
//! let client = std::thread::spawn(move || -> std::io::Result<String> {
//!     let mut peer = TcpStream::connect(address)?;
//!     peer.write_all(b"hello")?;
//!     peer.read_exact(&mut [0; 2])?;
//!     let mut browser = TcpStream::connect(url)?;
//!     write!(browser, "GET /metrics HTTP/1.1\r\nHost: {url}\r\n\r\n")?;
//!     let mut metrics = String::new();
//!     browser.read_to_string(&mut metrics)?;
//!     peer.shutdown(Shutdown::Write)?;
//!     Ok(metrics)
//! });
//! explore::run(&mut reactor)?;
//! assert!(client.join().unwrap()?.contains("epollo_connections{service=\"length\"} 1\n"));
//! # Ok(())
//! # }
//! ```

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpListener;

use crate::protocol::{CloseReason, Context, Event, Peer, Service, StateName};
use crate::reactor::{Limits, OsKernel, Policy, Reactor};
use crate::trace::{Observer, Off};

mod broadcast;
mod demo;
mod http;
mod metrics;
mod page;
mod pump;
mod request;
mod routes;
mod sample;
mod session;
mod snapshot;
mod stats;

pub use pump::run;
pub use stats::StatsObserver;

use broadcast::Broadcast;
use session::HttpSession;

/// Connections to the page at the same time, where there are descriptors enough.
pub const SESSIONS_MAX: usize = 128;
/// What the page's own connections are called where a protocol is named, and the clients that it drives.
pub(crate) const PAGE: &str = "page";
pub(crate) const DEMO: &str = "demo";
/// The listener that the reactor gets first.
const PAGE_LISTENER: usize = 0;

/// A reactor whose loop can be looked at: see [`reactor`].
pub type ExplorerReactor<S, O> = Reactor<OsKernel, WithExplorer<S>, (StatsObserver, Option<O>)>;

/// For [`reactor`]: nobody looks but the page.
pub const NOBODY: Option<Off> = None;

/// Where the page is served, and what can be tried from it.
#[derive(Debug)]
pub struct Page {
    /// The page's own port. The buttons that drive demo clients are there only if its address is a
    /// loopback address.
    pub listener: TcpListener,
    /// The services that will listen on this reactor, in the order in which they will: what each is
    /// called, as in [`StateName::protocol`], and its address.
    pub services: Vec<(String, SocketAddr)>,
    /// Connections to the page at the same time; one more is closed at once.
    pub sessions_max: usize,
}

/// Where a peer came from.
#[derive(Clone, Copy, Debug)]
pub enum Origin<D> {
    /// A peer of the service that is looked at.
    Inner(D),
    /// A browser.
    Page,
    /// The client side of a connection that somebody tries the service with.
    Demo,
}

/// One peer's machine.
#[derive(Debug)]
pub struct Session<S>(Kind<S>);

#[derive(Debug)]
enum Kind<S> {
    Inner(S),
    HttpSession(Box<HttpSession>),
    /// A connection too many.
    Surplus,
    /// Which demo client.
    Demo(u32),
}

/// A service, and the page that looks at it.
#[derive(Debug)]
pub struct WithExplorer<S> {
    inner: S,
    broadcast: Broadcast,
}

impl<S> WithExplorer<S> {
    /// The service that is looked at.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

/// A reactor that serves `page`, and `service` once its listeners are added with [`Origin::Inner`].
/// A second observer, if there is one, sees what the page sees.
///
/// # Errors
/// Those of epoll_create1(2), epoll_ctl(2), getsockname(2) and getrandom(2).
pub fn reactor<S: Service, O: Observer>(
    page: Page,
    service: S,
    limits: Limits,
    second: Option<O>,
) -> io::Result<ExplorerReactor<S, O>> {
    let address = page.listener.local_addr()?;
    let mut listeners = vec![PAGE.to_owned()];
    listeners.extend(page.services.iter().map(|(name, _)| name.clone()));
    let service = WithExplorer {
        inner: service,
        broadcast: Broadcast::new(address, page.services, page.sessions_max)?,
    };
    // What peers say is for those alone who sit at this machine.
    let payload = if address.ip().is_loopback() {
        stats::PAYLOAD_BYTES
    } else {
        0
    };
    let observer = (StatsObserver::new(payload), second);
    let mut reactor = Reactor::observed(OsKernel::new()?, service, limits, observer);
    reactor.name_listeners(listeners);
    let policy = Policy {
        idle_timeout: Some(Duration::from_secs(60)),
        write_timeout: Some(Duration::from_secs(10)),
        linger: Some(Duration::from_secs(1)),
        exempt_from_limits: true,
        ..Policy::default()
    };
    reactor.listen(page.listener, Origin::Page, policy)?;
    Ok(reactor)
}

impl<S: Service> Service for WithExplorer<S> {
    type Session = Session<S::Session>;
    type Origin = Origin<S::Origin>;

    fn open(
        &mut self,
        cx: &mut Context<'_>,
        origin: Origin<S::Origin>,
        peer: &Peer<'_>,
    ) -> Session<S::Session> {
        Session(match origin {
            Origin::Inner(origin) => Kind::Inner(self.inner.open(cx, origin, peer)),
            Origin::Page if self.broadcast.admit(cx) => {
                Kind::HttpSession(Box::new(HttpSession::new(cx)))
            }
            Origin::Page => {
                cx.abort();
                Kind::Surplus
            }
            Origin::Demo => Kind::Demo(self.broadcast.demos.arrived(cx.me())),
        })
    }

    fn step(&mut self, cx: &mut Context<'_>, session: &mut Session<S::Session>, event: Event<'_>) {
        match &mut session.0 {
            Kind::Inner(inner) => self.inner.step(cx, inner, event),
            Kind::HttpSession(session) => session.step(cx, &mut self.broadcast, event),
            Kind::Demo(number) => self.broadcast.demos.step(cx, *number, event),
            Kind::Surplus => {}
        }
    }

    fn close(&mut self, cx: &mut Context<'_>, session: Session<S::Session>, reason: CloseReason) {
        match session.0 {
            Kind::Inner(inner) => self.inner.close(cx, inner, reason),
            Kind::HttpSession(_) => self.broadcast.left(cx.me()),
            Kind::Demo(number) => self.broadcast.demos.left(number),
            Kind::Surplus => {}
        }
    }

    fn read_limit(&self, session: &Session<S::Session>) -> usize {
        match &session.0 {
            Kind::Inner(inner) => self.inner.read_limit(inner),
            Kind::HttpSession(session) => session.read_limit(),
            Kind::Demo(number) => self.broadcast.demos.read_limit(*number),
            Kind::Surplus => 0,
        }
    }

    fn state(&self, session: &Session<S::Session>) -> StateName {
        let (protocol, state) = match &session.0 {
            Kind::Inner(inner) => return self.inner.state(inner),
            Kind::HttpSession(session) => (PAGE, session.state()),
            Kind::Demo(number) => (DEMO, self.broadcast.demos.state(*number)),
            Kind::Surplus => (PAGE, "refused"),
        };
        StateName { protocol, state }
    }
}
