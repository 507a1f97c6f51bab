//! What a remote can do wrong, in words: for itself, and for an operator. What follows from it is not
//! decided here.

use super::Settings;

/// What a remote can do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    TooLong,
    TooSlow,
}

impl Fault {
    /// In words, for the remote itself and for the log.
    pub(super) fn words(self) -> &'static str {
        match self {
            Fault::TooLong => "message too long",
            Fault::TooSlow => "message took too long",
        }
    }

    /// In words for an operator, who knows no limits by heart.
    pub(super) fn explained(self, settings: &Settings) -> String {
        match (self, settings.message_time_max) {
            (Fault::TooLong, _) => {
                format!("message longer than {} bytes", settings.message_bytes_max)
            }
            (Fault::TooSlow, Some(limit)) => format!("message not complete after {limit:?}"),
            (Fault::TooSlow, None) => self.words().to_owned(),
        }
    }
}
