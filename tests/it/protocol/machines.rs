//! The machines of hello, echo and chat, played through scripts: normal courses, and every
//! transition in their tables.

use std::time::Duration;

use epollo::protocol::chat::{Chat, Partner, Settings};
use epollo::protocol::framing::Framing;

use crate::protocol::script::Script;

mod console;
mod echo;
mod echo_client;
mod echo_verdict;
mod hello;
mod pair;
mod remote;
mod seated;

/// Just short of the silence that means something.
const ALMOST_SILENCE: Duration = Duration::from_nanos(49_999_999);
const A_NANOSECOND: Duration = Duration::from_nanos(1);
const A_SECOND: Duration = Duration::from_secs(1);

/// A chat of lines: messages of 10 bytes, in a second.
fn settings(partner: Partner) -> Settings {
    Settings {
        partner,
        framing: Framing::Line,
        quit: b"QUIT".to_vec(),
        message_bytes_max: 10,
        message_time_max: Some(A_SECOND),
        turn_time_max: None,
        prompts: false,
    }
}

fn chat(partner: Partner, framing: Framing) -> Script<Chat> {
    Script::new(Chat::new(Settings {
        framing,
        ..settings(partner)
    }))
}
