//! One server under load: started, identified as the process that listens, and stopped whatever
//! happens. It refuses a server that is not the program that was meant.

use std::collections::HashSet;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use procfs::net::TcpState;
use procfs::process::{FDTarget, Process};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::Result;
use super::machine::{dying_with_us, pinned_to};
use super::programs::Program;

/// How long a server may take until it listens (valgrind takes some seconds).
const LISTENS_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take to end when asked to.
const ENDS_WITHIN: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A server that listens. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) forks: bool,
}

impl Server {
    /// Starts it on the server's core.
    pub(crate) fn start(program: &Program) -> Result<Server> {
        Server::start_under(&[], program)
    }

    /// The same under a tool: `valgrind …`, `strace -D …`. The process must stay the one started.
    pub(crate) fn start_under(tool: &[OsString], program: &Program) -> Result<Server> {
        let before = [dying_with_us(), pinned_to(|(server, _)| server)].concat();
        let mut command: Vec<OsString> = before.into_iter().map(OsString::from).collect();
        command.extend_from_slice(tool);
        command.extend_from_slice(&program.command);
        let child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", program.name))?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let (name, forks) = (program.name.clone(), program.forks);
        let mut server = Server {
            child,
            name,
            address: nowhere,
            forks,
        };
        server.address = server.wait_until_it_listens(program)?;
        if tool.first().is_none_or(|tool| tool != "valgrind") {
            server.identify(program)?;
        }
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn process(&self) -> Result<Process> {
        Ok(Process::new(i32::try_from(self.pid())?)?)
    }

    /// The address of a listening socket that this very process holds.
    fn wait_until_it_listens(&mut self, program: &Program) -> Result<SocketAddr> {
        let began = Instant::now();
        while began.elapsed() < LISTENS_WITHIN {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{} ended before it listened: {status}", self.name).into());
            }
            let listening = self.listening()?;
            let is_meant =
                |address: &&SocketAddr| program.port.is_none_or(|port| port == address.port());
            if let Some(&address) = listening.iter().find(is_meant) {
                return Ok(address);
            }
            sleep(LOOK_AGAIN);
        }
        Err(format!("{} does not listen", self.name).into())
    }

    fn listening(&self) -> Result<Vec<SocketAddr>> {
        let descriptors = self.process()?.fd()?;
        let sockets: HashSet<u64> = descriptors
            .filter_map(|descriptor| {
                let FDTarget::Socket(inode) = descriptor.ok()?.target else {
                    return None;
                };
                Some(inode)
            })
            .collect();
        if sockets.is_empty() {
            return Ok(Vec::new());
        }
        let entries = procfs::net::tcp()?.into_iter();
        let ours = entries
            .filter(|entry| entry.state == TcpState::Listen && sockets.contains(&entry.inode));
        Ok(ours.map(|entry| entry.local_address).collect())
    }

    fn identify(&self, program: &Program) -> Result<()> {
        let executable = self.process()?.exe()?;
        if executable == program.executable.canonicalize()? {
            return Ok(());
        }
        let (name, pid) = (&self.name, self.pid());
        let executable = executable.display();
        Err(format!("process {pid} should be {name}, but is {executable}").into())
    }

    /// CPU time so far with that of its children, in nanoseconds, once they have all ended. Exact to
    /// a tick of the clock, mostly 10 ms.
    pub(crate) fn cpu_with_children_ns(&self) -> Result<u64> {
        let path = format!("/proc/{0}/task/{0}/children", self.pid());
        let began = Instant::now();
        while !std::fs::read_to_string(&path)?.is_empty() {
            if began.elapsed() > ENDS_WITHIN {
                return Err(format!("the children of {} do not end", self.name).into());
            }
            sleep(LOOK_AGAIN);
        }
        let stat = self.process()?.stat()?;
        let children = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
        Ok((stat.utime + stat.stime + children) * 1_000_000_000 / procfs::ticks_per_second())
    }

    /// User memory in bytes: what is resident and not part of a file.
    pub(crate) fn memory(&self) -> Result<u64> {
        let rollup = self.process()?.status()?;
        let anonymous = rollup
            .rssanon
            .ok_or("the kernel does not tell the memory of a process")?;
        Ok(anonymous * 1024)
    }

    /// Whether it is still there.
    pub(crate) fn is_alive(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Asks it to end, and waits until it has; then kills it.
    pub(crate) fn stop(mut self) -> Result<()> {
        if !self.is_alive()? {
            return Err(format!("{} ended on its own", self.name).into());
        }
        if let Some(pid) = self.id() {
            kill_process(pid, Signal::TERM)?;
        }
        let began = Instant::now();
        while began.elapsed() < ENDS_WITHIN {
            if !self.is_alive()? {
                return Ok(());
            }
            sleep(LOOK_AGAIN);
        }
        Err(format!("{} had to be killed", self.name).into())
    }

    fn id(&self) -> Option<Pid> {
        i32::try_from(self.pid()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its children are in its group, and may outlive it.
        if let Some(group) = self.id() {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
