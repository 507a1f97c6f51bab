//! `--trace`: what is told, in which format, and what it costs.

mod traced;
