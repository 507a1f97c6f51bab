//! `--trace`: what is told, in which format, and what it costs.

mod observed;
mod traced;
