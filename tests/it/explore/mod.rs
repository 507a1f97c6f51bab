//! `--explore`: its HTTP from outside, and its page in a real browser.

pub mod browser;
pub mod explored;
