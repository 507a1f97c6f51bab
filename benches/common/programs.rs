//! The servers that are measured, and how each becomes something to start: built with `cc`, found on
//! PATH, or part of this very program. What is missing is named, with its Debian package.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::machine::{connections_max, path_of};
use super::{Result, rust_peers};

/// A server that can be started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// As it stands in tables.
    pub(crate) name: String,
    pub(crate) command: Vec<OsString>,
    /// What /proc/PID/exe must be.
    pub(crate) executable: PathBuf,
    /// The port, where the program must be told one.
    pub(crate) port: Option<u16>,
    /// Whether processes of its own serve the clients, so that its CPU time says little.
    pub(crate) forks: bool,
}

impl Program {
    /// As it can be typed.
    pub(crate) fn typed(&self) -> String {
        let name = self.executable.file_name().unwrap_or_default();
        let arguments = self.command[1..].iter().map(|word| word.to_string_lossy());
        let words: Vec<_> = std::iter::once(name.to_string_lossy())
            .chain(arguments)
            .collect();
        words.join(" ")
    }
}

/// What a search comes to.
#[derive(Debug)]
pub(crate) enum Sought {
    Found(Program),
    /// What is missing, and where to have it from.
    Missing(String),
}

impl Sought {
    /// The program, where nothing makes sense without it.
    pub(crate) fn needed(self) -> Result<Program> {
        match self {
            Sought::Found(program) => Ok(program),
            Sought::Missing(what) => Err(what.into()),
        }
    }
}

fn found(name: &str, executable: &Path, arguments: &[&str]) -> Result<Sought> {
    let executable = executable.canonicalize()?;
    let mut command = vec![executable.clone().into_os_string()];
    command.extend(arguments.iter().map(OsString::from));
    let name = name.to_owned();
    Ok(Sought::Found(Program {
        name,
        command,
        executable,
        port: None,
        forks: false,
    }))
}

/// The `epollo` of this build.
pub(crate) const EPOLLO: &str = env!("CARGO_BIN_EXE_epollo");

/// `epollo serve`, with more options.
pub(crate) fn epollo(options: &[&str]) -> Result<Program> {
    epollo_serving("echo", options)
}

/// The same for another service than echo.
pub(crate) fn epollo_serving(service: &str, options: &[&str]) -> Result<Program> {
    let most = connections_max().min(1_000_000).to_string();
    let service = format!("{service}=0");
    let mut arguments = vec!["serve", &service, "--max-conns", &most];
    arguments.extend(options);
    found("epollo", Path::new(EPOLLO), &arguments)?.needed()
}

/// A C program of `benches/peers/`.
pub(crate) fn c(name: &str, arguments: &[&str]) -> Result<Sought> {
    c_with(name, &["-pthread"], arguments)
}

fn c_with(name: &str, libraries: &[&str], arguments: &[&str]) -> Result<Sought> {
    if path_of("cc").is_none() {
        return Ok(Sought::Missing(
            "there is no cc (Debian package gcc)".to_owned(),
        ));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers");
    std::fs::create_dir_all(&folder)?;
    let executable = folder.join(name);
    let source = format!("{}/benches/peers/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let mut compiler = Command::new("cc");
    compiler
        .args(["-O3", "-Wall", "-Wextra", "-o"])
        .arg(&executable)
        .arg(source)
        .args(libraries);
    if !compiler.status()?.success() {
        return Err(format!("cc does not compile {name}.c").into());
    }
    found(name, &executable, &[&["0"], arguments].concat())
}

/// The C program on libuv.
pub(crate) fn libuv() -> Result<Sought> {
    c_on("uv", "libuv", "libuv1-dev", &[])
}

/// The C program on io_uring. All its connections share so many buffers.
pub(crate) fn uring(buffers: usize) -> Result<Sought> {
    c_on("uring", "liburing", "liburing-dev", &[&buffers.to_string()])
}

/// A C program on a library that pkg-config knows.
fn c_on(name: &str, library: &str, package: &str, arguments: &[&str]) -> Result<Sought> {
    let flags = Command::new("pkg-config")
        .args(["--cflags", "--libs", library])
        .output();
    let Some(flags) = flags.ok().filter(|flags| flags.status.success()) else {
        let what = format!("{library} is not installed (Debian packages {package} and pkg-config)");
        return Ok(Sought::Missing(what));
    };
    let flags = String::from_utf8(flags.stdout)?;
    let flags: Vec<&str> = flags.split_whitespace().collect();
    c_with(name, &flags, arguments)
}

/// The program on monoio, a package of its own beside the C programs.
pub(crate) fn monoio() -> Result<Sought> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("monoio");
    let manifest = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/benches/peers/monoio/Cargo.toml"
    );
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--manifest-path",
            manifest,
        ])
        .arg("--target-dir")
        .arg(&target)
        .status()?;
    if !built.success() {
        return Ok(Sought::Missing("monoio cannot be built".to_owned()));
    }
    found("monoio", &target.join("release/monoio-echo"), &[])
}

/// A peer that is part of this program.
pub(crate) fn rust(name: &str) -> Result<Sought> {
    debug_assert!(rust_peers::NAMES.contains(&name));
    found(name, &std::env::current_exe()?, &["--peer", name])
}

/// The script for Node.js.
pub(crate) fn node() -> Result<Sought> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/node.js");
    match path_of("node") {
        Some(path) => found("node", &path, &[script, "0"]),
        None => Ok(Sought::Missing(
            "node is not installed (Debian package nodejs)".to_owned(),
        )),
    }
}

/// `ncat`, with a `cat` for each client.
pub(crate) fn ncat() -> Result<Sought> {
    let port = free_port()?;
    // Its own limit is 100.
    let arguments = [
        "-l",
        "-k",
        "--max-conns",
        "2000",
        "-e",
        "/bin/cat",
        "127.0.0.1",
        &port.to_string(),
    ];
    forking("ncat", "ncat", port, &arguments)
}

/// `socat`, with a `cat` for each client.
pub(crate) fn socat() -> Result<Sought> {
    let port = free_port()?;
    let listen = format!("TCP-LISTEN:{port},bind=127.0.0.1,backlog=4096,reuseaddr,fork");
    forking("socat", "socat", port, &[&listen, "EXEC:/bin/cat"])
}

fn forking(name: &str, package: &str, port: u16, arguments: &[&str]) -> Result<Sought> {
    let Some(path) = path_of(name) else {
        let what = format!("{name} is not installed (Debian package {package})");
        return Ok(Sought::Missing(what));
    };
    let mut program = found(name, &path, arguments)?.needed()?;
    program.port = Some(port);
    program.forks = true;
    Ok(Sought::Found(program))
}

/// A port that nobody listens on now, for programs that cannot be asked for any.
fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port())
}
