//! How many files this process may have open. It raises the limit as far as it is allowed to; whether
//! that is enough is for its callers.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft fd limit to the hard one; returns what it is then.
pub(super) fn raise_limit() -> usize {
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
