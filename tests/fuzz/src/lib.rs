//! The fuzz targets as cargo-fuzz needs them: a library of functions over bytes. It adds nothing to
//! what the integration tests run of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(dead_code, reason = "the stage has more than fuzzing needs")]

/// The folder of the integration tests, of which only these files are needed here.
#[path = "../../it"]
mod it {
    pub(crate) mod protocol {
        pub(crate) mod fuzzed {
            pub(crate) mod targets;
        }
        pub(crate) mod script;
    }
}

use it::protocol;

pub use protocol::fuzzed::targets::{arguments, chat, echo, escape, framing};
