//! The documentation as a reader would try it: the commands run, the names exist, the languages agree.

mod korean;
mod limits;
mod promises;
mod readme;
mod tutorial;
