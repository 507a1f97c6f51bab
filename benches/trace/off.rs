//! Without an observer nothing of it is left: the same program is built twice, from the sources as they
//! are and from a copy in which no observer is notified, and the two are compared.

use std::fs::{
    copy, create_dir_all, read, read_dir, read_to_string, remove_dir_all, remove_file, write,
};
use std::path::{Path, PathBuf};
use std::process::Command;

use epollo::report::table::{aligned, row};

use crate::common::programs::Program;
use crate::common::tools::{instructions_per_echo, needs, scratch};
use crate::common::{Asked, Result, saved, tell};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Statements of the reactor by which somebody is told something, as they begin.
const TOLD: [&str; 9] = [
    "self.note(",
    "self.kernel.note(",
    "self.wrote(",
    "self.watched(",
    "self.kernel.stepped(",
    "self.kernel.ready(",
    "let from = self\n",
    "let to = from",
    "self.kernel.watched(",
];
/// Blocks that are there for it only, as they begin.
const BLOCKS: [&str; 3] = [
    "if O::IS_ON {",
    "if O::IS_ON && self.kernel.is_socket(stream) {",
    "if result.is_err() {\n            self.watched(",
];

pub(crate) fn measure(asked: &Asked) -> Result<()> {
    needs("valgrind")?;
    let count = if asked.quick { 2_000 } else { 20_000 };
    let mut table = vec![row(["program", ".text bytes", "instructions/echo"])];
    let mut texts = Vec::new();
    for (name, strips) in [("as it is", false), ("no observer", true)] {
        let executable = build(name, strips)?;
        let text = text_of(&executable)?;
        let program = Program {
            name: format!("echo, {name}"),
            command: vec![executable.clone().into_os_string()],
            executable,
            port: None,
            forks: false,
        };
        // One connection: how many are ready in a turn depends on the machine.
        let instructions = instructions_per_echo(&program, 1, count)?;
        let bytes = text.len().to_string();
        table.push(vec![name.to_owned(), bytes, format!("{instructions:.1}")]);
        texts.push(text);
    }
    tell(&format!("\n{}", aligned(&table)));
    if texts[0] != texts[1] {
        return Err("the code of the two differs".into());
    }
    tell("Their code is the same, byte for byte.");
    Ok(())
}

/// Builds `echo.rs` on a copy of the library.
fn build(name: &str, strips: bool) -> Result<PathBuf> {
    let folder = saved::folder()
        .join("trace-off")
        .join(name.replace(' ', "-"));
    if folder.exists() {
        remove_dir_all(&folder)?;
    }
    let library = folder.join("epollo");
    copy_all(&Path::new(ROOT).join("src"), &library.join("src"))?;
    // The library without its targets, whose sources are elsewhere.
    let manifest = read_to_string(Path::new(ROOT).join("Cargo.toml"))?;
    let manifest = manifest.split("[[bin]]").next().unwrap_or_default();
    write(library.join("Cargo.toml"), manifest)?;
    if strips {
        let mut removed = 0;
        for entry in read_dir(library.join("src/reactor"))? {
            let path = entry?.path();
            // The operating system, in a folder of its own, tells nobody anything.
            if path.is_dir() {
                continue;
            }
            let (text, count) = untold(&read_to_string(&path)?)?;
            write(&path, text)?;
            removed += count;
        }
        if removed < 20 {
            return Err(format!("only {removed} calls of an observer were found").into());
        }
    }
    create_dir_all(folder.join("src"))?;
    copy(
        Path::new(ROOT).join("benches/trace/echo.rs"),
        folder.join("src/main.rs"),
    )?;
    copy(
        Path::new(ROOT).join("Cargo.lock"),
        folder.join("Cargo.lock"),
    )?;
    write(folder.join("Cargo.toml"), MANIFEST)?;
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--target-dir"])
        .arg(folder.join("target"))
        .current_dir(&folder)
        .env("RUSTFLAGS", "--cap-lints allow")
        .status()?;
    if !built.success() {
        return Err(format!("'{name}' cannot be built in {}", folder.display()).into());
    }
    Ok(folder.join("target/release/echo"))
}

/// As epollo itself is built.
const MANIFEST: &str = r#"
[workspace]
[package]
name = "echo"
version = "0.0.0"
edition = "2024"
[dependencies]
epollo = { path = "epollo", default-features = false, features = ["os"] }
[profile.release]
lto = "fat"
codegen-units = 1
panic = "abort"
"#;

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    create_dir_all(to)?;
    for entry in read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_all(&from, &to)?;
        } else {
            copy(from, to)?;
        }
    }
    Ok(())
}

/// The text without those statements and blocks, and how many there were.
fn untold(text: &str) -> Result<(String, usize)> {
    let mut text = text.to_owned();
    let mut removed = 0;
    let blocks = BLOCKS.iter().map(|start| (start, '{', '}', ""));
    let statements = TOLD.iter().map(|start| (start, '(', ')', ";"));
    for (start, opening, closing, last) in blocks.chain(statements) {
        while let Some(at) = text.find(start) {
            let mut depth = 0;
            let end = text[at..].char_indices().find(|&(after, character)| {
                depth += i32::from(character == opening) - i32::from(character == closing);
                let is_closed = depth == 0 && character == closing;
                is_closed && text[at + after + 1..].starts_with(last)
            });
            let (end, _) = end.ok_or(format!("no end of {start}"))?;
            text.replace_range(at..at + end + 1 + last.len(), "");
            removed += 1;
        }
    }
    Ok((text, removed))
}

/// The code of a program, by objcopy(1).
fn text_of(executable: &Path) -> Result<Vec<u8>> {
    needs("objcopy")?;
    let out = scratch("text");
    let mut objcopy = Command::new("objcopy");
    objcopy.args(["-O", "binary", "-j", ".text"]);
    if !objcopy.arg(executable).arg(&out).status()?.success() {
        return Err("objcopy finds no code".into());
    }
    let text = read(&out)?;
    remove_file(&out)?;
    Ok(text)
}
