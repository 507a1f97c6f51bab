//! How much memory this process may still take: what is left of its address space and of its control
//! groups. What to use it for is for its callers.

use std::fs::read_to_string;
use std::path::Path;

use procfs::ProcessCGroup;
use procfs::process::Process;
use rustix::process::{Resource, getrlimit};

/// Where the memory of control groups is text of, for each of their two versions.
struct Accounts {
    mount: &'static str,
    limit: &'static str,
    usage: &'static str,
    /// What `memory.stat` calls the file cache that is given back first.
    cache: &'static str,
}

const VERSION_1: Accounts = Accounts {
    mount: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    cache: "total_inactive_file",
};
const VERSION_2: Accounts = Accounts {
    mount: "/sys/fs/cgroup",
    limit: "memory.max",
    usage: "memory.current",
    cache: "inactive_file",
};

/// Bytes; `None` where there is no limit, or none can be seen.
pub fn left() -> Option<u64> {
    let process = Process::myself().ok();
    let process = process.as_ref();
    let address_space = getrlimit(Resource::As).current.map(|limit| {
        let used = process.and_then(|process| process.stat().ok());
        limit.saturating_sub(used.map_or(0, |used| used.vsize))
    });
    let groups = process.and_then(|process| process.cgroups().ok());
    let groups = groups.iter().flat_map(|groups| &groups.0);
    groups.filter_map(left_of_group).chain(address_space).min()
}

/// What the group and those around it leave.
fn left_of_group(group: &ProcessCGroup) -> Option<u64> {
    let accounts = if group.controllers.iter().any(|name| name == "memory") {
        VERSION_1
    } else if group.hierarchy == 0 {
        VERSION_2
    } else {
        return None;
    };
    // Within a container the path may be that of another mount; then its top is ours.
    let path = Path::new(group.pathname.trim_start_matches('/'));
    let folders = path
        .ancestors()
        .map(|path| Path::new(accounts.mount).join(path));
    folders.filter_map(|folder| accounts.left(&folder)).min()
}

impl Accounts {
    fn left(&self, folder: &Path) -> Option<u64> {
        let number = |name| {
            read_to_string(folder.join(name))
                .ok()?
                .trim()
                .parse::<u64>()
                .ok()
        };
        // `max`, and a group that is not ours to see, are no number.
        let limit = number(self.limit)?;
        let used = number(self.usage).unwrap_or(0);
        let cached = self.cached(folder).unwrap_or(0);
        Some(limit.saturating_sub(used.saturating_sub(cached)))
    }

    fn cached(&self, folder: &Path) -> Option<u64> {
        let text = read_to_string(folder.join("memory.stat")).ok()?;
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let (_, bytes) = lines.find(|(name, _)| *name == self.cache)?;
        bytes.parse().ok()
    }
}
