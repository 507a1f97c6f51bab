//! The limits of the reactor of `epollo serve`: what was asked for, as far as the machine has it. Nobody is
//! held to it here.

use super::Failure;
use super::args::ServeArguments;
use crate::reactor::Limits;
use crate::services::Protocol;
use crate::system::descriptors::Places;
use crate::system::memory;

/// Open connections when nothing else is said and the fd limit allows it.
const CLIENTS_MAX_DEFAULT: usize = 10_000;
/// Unsent bytes when nothing else is said and there is as much memory.
const UNSENT_BYTES_MAX_DEFAULT: usize = 256 << 20;
/// The same when there is next to no memory.
const UNSENT_BYTES_MAX_LEAST: usize = 1 << 20;
/// Memory of a client besides its message and its outbox, generously.
const CLIENT_BYTES: usize = 512;

/// The limits of `epollo serve`.
pub(super) fn plan(arguments: &ServeArguments, places: Places) -> Result<Limits, Failure> {
    let memory = memory::left().map_or(usize::MAX, |left| {
        usize::try_from(left).unwrap_or(usize::MAX)
    });
    Ok(Limits {
        clients_max: clients_max(arguments, places, memory)?,
        clients_per_address_max: arguments.per_ip,
        unsent_bytes_max: arguments
            .max_buffer
            .unwrap_or_else(|| unsent_bytes_max(memory)),
        grace: Some(arguments.grace),
        spin: arguments.spin,
    })
}

/// As many clients as were asked for and there are descriptors for; if nobody asked, no more than there is
/// memory for, too.
fn clients_max(
    arguments: &ServeArguments,
    places: Places,
    memory: usize,
) -> Result<usize, Failure> {
    let Places {
        clients,
        limit,
        limit_min,
        ..
    } = places;
    if clients == 0 {
        return Err(Failure::at_work(format_args!(
            "no file descriptors are left for clients: the limit is {limit}, and {limit_min} is the \
             least that it takes (raise it with ulimit -n)"
        )));
    }
    match arguments.max_conns {
        Some(asked) if asked > clients => {
            log::warn!(
                "--max-conns {asked} is lowered to {clients}: the limit is {limit} file \
                 descriptors, and the server needs some of them itself (raise it with ulimit -n)"
            );
            Ok(clients)
        }
        Some(asked) => Ok(asked),
        None => {
            let default = default_clients_max(arguments, memory).min(clients);
            if default < CLIENTS_MAX_DEFAULT {
                log::info!(
                    "--max-conns is {default}: there are not enough file descriptors or memory for more"
                );
            }
            Ok(default)
        }
    }
}

/// A quarter of the memory is for the clients themselves and what has come of their messages; as its buffer
/// grows a message takes up to twice its bytes.
fn default_clients_max(arguments: &ServeArguments, memory: usize) -> usize {
    let message_bytes = match arguments.serves(Protocol::Chat) {
        true => 2 * arguments.max_message,
        false => 0,
    };
    let by_memory = memory / 4 / (CLIENT_BYTES + message_bytes);
    CLIENTS_MAX_DEFAULT.min(by_memory.max(1))
}

/// Half of the memory that is left.
fn unsent_bytes_max(memory: usize) -> usize {
    let lowered = (memory / 2).max(UNSENT_BYTES_MAX_LEAST);
    if lowered >= UNSENT_BYTES_MAX_DEFAULT {
        return UNSENT_BYTES_MAX_DEFAULT;
    }
    let kibibytes = lowered >> 10;
    log::info!(
        "--max-buffer is {kibibytes}k: half of the memory still available (RLIMIT_AS, cgroup)"
    );
    lowered
}
