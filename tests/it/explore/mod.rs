//! `--explore`: its HTTP from outside, and its page in a real browser.

mod browser;
pub mod explored;
