//! `epollo` in the hands of its users: the command line, chat and echo at a terminal and in a pipe.

mod asked;
mod chatted;
mod course;
mod forged;
mod hostile;
mod patience;
mod refused;
