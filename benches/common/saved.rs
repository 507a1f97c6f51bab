//! Where results are written: `target/bench/`, and the folder of `--save`.

use std::fs::{create_dir_all, write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::{Asked, Result, machine, tell};

/// `target/bench`, wherever `target` is.
pub(crate) fn folder() -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    scratch.parent().unwrap_or(scratch).join("bench")
}

/// Writes a file into each folder.
pub(crate) fn file(asked: &Asked, name: &str, content: &str) -> Result<()> {
    for folder in [Some(folder()), asked.save.clone()].into_iter().flatten() {
        create_dir_all(&folder)?;
        let path = folder.join(name);
        write(&path, content)?;
        tell(&format!("wrote {}", path.display()));
    }
    Ok(())
}

/// Writes results, with the machine that they are of.
pub(crate) fn results(asked: &Asked, name: &str, results: &impl Serialize) -> Result<()> {
    let content = json!({
        "quick": asked.quick,
        "machine": machine::describe(),
        "results": results,
    });
    file(
        asked,
        &format!("{name}.json"),
        &serde_json::to_string_pretty(&content)?,
    )
}
