//! What is fuzzed: functions that make of any bytes a deep and legal use of one part of epollo, and
//! panic where that part breaks a promise. They know neither cargo-fuzz nor a seed.

mod arguments;
mod chat;
pub mod choices;
mod echo;
pub mod escape;
mod framing;

pub use arguments::arguments;
pub use chat::chat;
pub use echo::echo;
pub use escape::escape;
pub use framing::framing;
