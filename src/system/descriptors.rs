//! How many files this process may have open, and how many clients that is room for. It raises the limit
//! as far as it is allowed to; whether what is left is enough is for its callers.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a server opens after its descriptors were counted: epoll, the pipe of the signals, the terminal;
/// one for whoever is turned away, and a few to spare.
const OWN_DESCRIPTORS: usize = 12;
/// What is taken to be open where /proc does not say.
const OPEN_DEFAULT: usize = 16;

/// How many connections the descriptors are enough for.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// Connections of clients.
    pub clients: usize,
    /// Of the page.
    pub sessions: usize,
    /// The fd limit.
    pub limit: usize,
    /// The lowest limit with which a client has a place.
    pub limit_min: usize,
}

/// Shares what is left of the fd limit between clients and a page that has at most so many sessions (0
/// where there is none).
pub fn places(sessions_max: usize) -> Places {
    let limit = raise_limit();
    let own = open_below(limit) + OWN_DESCRIPTORS;
    let left = limit.saturating_sub(own);
    let sessions = (left / 4).max(1).min(sessions_max);
    // Each client that the page drives has a descriptor of its own, too.
    let demos = sessions / 8;
    Places {
        clients: left.saturating_sub(sessions + demos),
        sessions,
        limit,
        limit_min: own + sessions_max.min(1) + 1,
    }
}

/// How many of the descriptors that the limit allows are open. Those that were inherited with higher
/// numbers take none of them.
fn open_below(limit: usize) -> usize {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else {
        return OPEN_DEFAULT;
    };
    let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<usize>().ok());
    // One of them is the folder's own, which is closed again.
    numbers.filter(|&number| number < limit).count() - 1
}

/// Raises the soft fd limit to the hard one; returns what it is then.
pub fn raise_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    current
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX)
}
