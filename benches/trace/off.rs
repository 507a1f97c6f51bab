//! Without an observer nothing of it is left: the same program is built twice, from the sources as they
//! are and from a copy in which nobody is told anything, and the two are compared.

use std::fs::{copy, create_dir_all, read_dir, read_to_string, remove_dir_all, write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::programs::Program;
use crate::common::table::Table;
use crate::common::tools::{instructions_per_echo, needs};
use crate::common::{Asked, Result, saved};

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
const BLOCKS: [&str; 2] = [
    "if O::IS_ON {",
    "if result.is_err() {\n            self.watched(",
];

pub(crate) fn measure(asked: &Asked) -> Result<()> {
    needs("valgrind")?;
    let count = if asked.quick { 2_000 } else { 20_000 };
    let mut table = Table::new(&[
        "program",
        ".text bytes",
        "instructions/echo, 1",
        "64 connections",
    ]);
    for (name, strips) in [("as it is", false), ("nobody is told", true)] {
        let executable = build(name, strips)?;
        let text = text_bytes(&executable)?;
        let program = Program {
            name: format!("echo, {name}"),
            command: vec![executable.clone().into_os_string()],
            executable,
            port: None,
            forks: false,
        };
        let mut row = vec![name.to_owned(), text.to_string()];
        for connections in [1, 64] {
            row.push(format!(
                "{:.1}",
                instructions_per_echo(&program, connections, count)?
            ));
        }
        table.add(row);
    }
    table.tell();
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
epollo = { path = "epollo", default-features = false }
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

/// The size of the code, by size(1).
fn text_bytes(executable: &Path) -> Result<u64> {
    let output = Command::new("size").arg("-A").arg(executable).output();
    let output = output.map_err(|_| "size is not installed (Debian package binutils)")?;
    let table = String::from_utf8(output.stdout)?;
    let row = table.lines().find(|line| line.starts_with(".text "));
    let bytes = row.and_then(|row| row.split_whitespace().nth(1));
    Ok(bytes.ok_or("size tells no .text")?.parse()?)
}
