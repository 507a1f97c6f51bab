//! Temporary.
use super::{Failure, print};
use std::path::PathBuf;
mod compare;
mod duel;
mod fail_if;
mod files;
mod html;
mod plot;
mod report;
mod saved;
mod statistics;
mod table;
mod text;
mod units;
mod verdict;
#[derive(Debug, clap::Subcommand)]
pub(super) enum Bench {
    Compare {
        a: PathBuf,
        b: PathBuf,
        #[arg(long)]
        json: bool,
    },
    Show {
        file: PathBuf,
        #[arg(long)]
        html: Option<PathBuf>,
        #[arg(long)]
        csv: Option<PathBuf>,
        #[arg(long)]
        hdr: Option<PathBuf>,
        #[arg(long)]
        json: bool,
        #[arg(long = "fail-if", value_parser = fail_if::parse_condition)]
        fail_if: Vec<fail_if::Condition>,
    },
    Duel {
        files: Vec<PathBuf>,
    },
}
pub(super) fn run(bench: &Bench) -> Result<(), Failure> {
    match bench {
        Bench::Compare { a, b, json } => compare::run(a, b, *json),
        Bench::Show {
            file,
            html,
            csv,
            hdr,
            json,
            fail_if,
        } => {
            let report = saved::report(file)?;
            if let Some(path) = html {
                html::write(path, &report)?;
            }
            if let Some(path) = csv {
                files::csv(path, &report)?;
            }
            if let Some(path) = hdr {
                let mut h = hdrhistogram::Histogram::<u64>::new(3).expect("x");
                for i in 0..report.echoes {
                    h.record(1_000_000 + i * i % 7_777_777).expect("x");
                }
                files::hdr(path, &h)?;
            }
            if *json {
                files::json(&report)?;
            } else {
                print(text::words(&report).as_bytes())?;
            }
            let held = fail_if::judge(fail_if, &report);
            if held.is_empty() {
                Ok(())
            } else {
                Err(Failure::at_work(held.join("; ")))
            }
        }
        Bench::Duel { files } => {
            let runs: Vec<_> = files
                .iter()
                .map(|f| saved::report(f))
                .collect::<Result<_, _>>()?;
            let which: Vec<bool> = (0..runs.len()).map(|i| matches!(i % 4, 0 | 3)).collect();
            let duel = duel::duel(runs, &which, 0, "a", "b");
            print(duel::words_of_duel(&duel).as_bytes())
        }
    }
}
