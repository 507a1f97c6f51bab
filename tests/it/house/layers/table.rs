//! Who may know whom: what is adjusted when a folder of `src/` comes or goes.

/// What one folder of `src/` may know; names are separated by spaces.
pub struct Layer {
    pub name: &'static str,
    /// Layers of ours besides itself.
    pub layers: &'static str,
    /// Crates besides `std`; `None` is any that its features bring.
    pub crates: Option<&'static str>,
    /// What it must not mention: types and keywords anywhere, modules and crates in paths that lead out of
    /// the crate.
    pub words: &'static str,
}

/// The arrows, from the bottom up. A folder that is not here is no layer.
pub const LAYERS: [Layer; 10] = [
    Layer {
        name: "protocol",
        layers: "",
        crates: Some(""),
        words: "TcpStream TcpListener UdpSocket ToSocketAddrs io env fs process thread Instant SystemTime Rc RefCell dyn",
    },
    Layer {
        name: "trace",
        layers: "protocol",
        crates: Some("nix serde serde_json"),
        words: "env fs process thread Instant SystemTime",
    },
    Layer {
        name: "reactor",
        layers: "protocol trace",
        crates: Some("libc log mio nix rustix slab socket2"),
        words: "Rc RefCell dyn",
    },
    Layer {
        name: "services",
        layers: "protocol",
        crates: Some("log"),
        words: "env fs process thread",
    },
    Layer {
        name: "system",
        layers: "protocol trace reactor",
        crates: None,
        words: "",
    },
    Layer {
        name: "report",
        layers: "protocol",
        crates: None,
        words: "env fs net process thread Instant SystemTime",
    },
    Layer {
        name: "load",
        layers: "protocol trace reactor system report",
        crates: None,
        words: "",
    },
    Layer {
        name: "sim",
        layers: "protocol trace reactor",
        crates: Some("log slab"),
        words: "env fs process thread Instant SystemTime",
    },
    Layer {
        name: "explore",
        layers: "protocol trace reactor system",
        crates: None,
        words: "",
    },
    Layer {
        name: "cli",
        layers: "protocol trace reactor services system report load sim explore",
        crates: None,
        words: "",
    },
];

/// What the library may depend on when the feature `cli` is off.
pub const LIBRARY_NEEDS: &str = "log slab";

/// The one file that may say `unsafe` and `libc`: a system call that no safe crate has.
pub const AUDITED: &str = "src/reactor/os/tcp_info.rs";
pub const AUDITED_ALONE: &str = "unsafe libc";
