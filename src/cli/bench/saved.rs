//! Reads back what `epollo bench --json` wrote: a [`Report`], or one line on why it is none. It does
//! not trust the file: it may be anything.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::Value;

use crate::cli::Failure;
use crate::report::Report;

/// The largest file that is read. A run of a day, second by second, is a tenth of it.
const REPORT_BYTES_MAX: u64 = 128 << 20;

/// The report in a file.
pub(super) fn report(path: &Path) -> Result<Report, Failure> {
    let name = path.display();
    let bytes = bytes(path).map_err(|error| Failure::cannot(&format!("read {name}"), &error))?;
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::at_work(format_args!("{name} is not JSON: {error}")))?;
    if value.get("ratios").is_some() && value.get("runs").is_some() {
        return Err(Failure::at_work(format_args!(
            "{name} is a report of bench --ab, which is already a comparison; bench compare takes \
             two single runs"
        )));
    }
    let Some(version) = value.get("epollo").and_then(Value::as_str) else {
        return Err(Failure::at_work(format_args!(
            "{name} is not a report of epollo bench --json"
        )));
    };
    let version = version.to_owned();
    let report: Report = serde_json::from_value(value).map_err(|error| {
        let ours = env!("CARGO_PKG_VERSION");
        let origin = if version == ours {
            "but it is damaged".to_owned()
        } else {
            format!("but of version {version}, and this is {ours}")
        };
        Failure::at_work(format_args!(
            "{name} is a report of epollo bench, {origin}: {error}"
        ))
    })?;
    Ok(report)
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(REPORT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > REPORT_BYTES_MAX {
        return Err(io::Error::other("it is larger than 128 MiB"));
    }
    Ok(bytes)
}
