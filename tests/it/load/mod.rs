//! `epollo bench`: the load, what it reports, and how two runs compare.

mod benched;
mod compared;
mod faulty;
mod machine;
mod paired;
mod reported;
