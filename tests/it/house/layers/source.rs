//! Source files as the rules see them: code without its comments and literals, the paths and the
//! functions in it. It knows just enough of Rust's grammar for that, and no rule.

use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

/// A source file.
pub struct Source {
    /// From the top of the repository.
    pub path: String,
    pub text: String,
    /// The text with comments and literals blanked, line by line the same.
    pub code: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
            code: code_of(text),
        }
    }

    /// The module that it is: `src/reactor/peer.rs` is `["reactor", "peer"]`.
    pub fn module(&self) -> Vec<&str> {
        let inside = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let names = inside.split('/');
        names
            .filter(|name| !["mod", "lib", "main"].contains(name))
            .collect()
    }

    pub fn violation(&self, at: usize, rule: &str) -> String {
        format!("{}:{}: {rule}", self.path, line_of(&self.code, at))
    }
}

pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All `.rs` files below these folders, of which some may not exist yet.
pub fn sources(folders: &[&str]) -> Vec<Source> {
    let mut paths: Vec<PathBuf> = folders.iter().map(|folder| top().join(folder)).collect();
    let mut sources = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let short = path.strip_prefix(top()).unwrap().to_str().unwrap();
            sources.push(Source::new(short, &read_to_string(&path).unwrap()));
        }
    }
    assert!(!sources.is_empty(), "there is something to look at");
    sources
}

pub fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Blanks comments and literals.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = rest.len() - rest.trim_start_matches(is_word).len();
        let (kept, blanked) = if word > 0 {
            let is_raw = ["r", "br", "cr"].contains(&&rest[..word]);
            (word, if is_raw { raw_string(&rest[word..]) } else { 0 })
        } else {
            let blanked = comment_or_literal(rest);
            (if blanked > 0 { 0 } else { first.len_utf8() }, blanked)
        };
        let (now, later) = rest.split_at(kept + blanked);
        code.push_str(&now[..kept]);
        code.extend(now[kept..].chars().map(|c| if c == '\n' { c } else { ' ' }));
        rest = later;
    }
    code
}

/// How long the rest of a raw string is that begins here behind its `r`; 0 if none does.
fn raw_string(text: &str) -> usize {
    let inside = text.trim_start_matches('#');
    let end = format!("\"{}", &text[..text.len() - inside.len()]);
    let Some(inside) = inside.strip_prefix('"') else {
        return 0;
    };
    let length = inside.find(&end).expect("a raw string ends");
    text.len() - inside.len() + length + end.len()
}

/// How long the comment or literal is that begins here; 0 if none does.
fn comment_or_literal(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        let mut depth = 0;
        for (at, pair) in text.as_bytes().windows(2).enumerate() {
            depth += i32::from(pair == b"/*") - i32::from(pair == b"*/");
            if depth == 0 {
                return at + 2;
            }
        }
        return text.len();
    }
    let mut letters = text.char_indices();
    let quote = letters.next().map(|(_, letter)| letter);
    let is_literal = match quote {
        Some('"') => true,
        // Anything else behind a single quote is a lifetime.
        Some('\'') => text[1..].starts_with('\\') || text.chars().nth(2) == Some('\''),
        Some(_) | None => false,
    };
    while is_literal && let Some((at, letter)) = letters.next() {
        if Some(letter) == quote {
            return at + 1;
        }
        if letter == '\\' {
            letters.next();
        }
    }
    0
}

/// Where a word stands, not as a part of a longer one.
pub fn places(code: &str, word: &str) -> Vec<usize> {
    let is_apart = |at: &usize| {
        let before = code[..*at].chars().next_back();
        let behind = code[at + word.len()..].chars().next();
        !(before.is_some_and(is_word) && word.starts_with(is_word)
            || behind.is_some_and(is_word) && word.ends_with(is_word))
    };
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(is_apart)
        .collect()
}

/// What the `use` items name, each path whole, and where.
pub fn used_paths(code: &str) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    for at in places(code, "use") {
        let item = &code[at + 3..];
        if !item.starts_with('<') {
            let tree = &item[..item.find(';').unwrap_or(item.len())];
            expand("", tree, &mut |path| paths.push((at, path)));
        }
    }
    paths
}

fn expand(prefix: &str, tree: &str, add: &mut impl FnMut(String)) {
    let Some((head, inside)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap().trim();
        return add(format!("{prefix}{path}"));
    };
    let prefix = format!("{prefix}{}", head.trim());
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in inside.char_indices() {
        match letter {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                if !inside[start..at].trim().is_empty() {
                    expand(&prefix, &inside[start..at], add);
                }
                start = at + 1;
            }
            _ => {}
        }
        depth -= i32::from(letter == '}');
    }
}

/// The names behind every `crate::` and every `super::` that leaves the top layer: what of ours the
/// source knows, besides its own module.
pub fn roots_known(source: &Source) -> Vec<(usize, String)> {
    let module = source.module();
    let inline = ["crate", "super"].into_iter().flat_map(|word| {
        let places = places(&source.code, word).into_iter();
        places.map(|at| (at, source.code[at..].to_owned()))
    });
    let mut roots = Vec::new();
    for (at, path) in inline.chain(used_paths(&source.code)) {
        let mut names = path.split("::");
        let mut depth = module.len();
        let root = loop {
            match names.next() {
                Some("crate") => break names.next(),
                Some("self") => {}
                Some("super") if depth > 1 => depth -= 1,
                Some("super") => break names.next(),
                Some(_) | None => break None,
            }
        };
        let root = root.unwrap_or_default();
        let end = root.find(|c| !is_word(c)).unwrap_or(root.len());
        if end > 0 {
            roots.push((at, root[..end].to_owned()));
        }
    }
    roots.sort();
    roots.dedup();
    roots
}

/// Every function with a body: where its `fn` stands, its name, how many lines it has.
pub fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let mut functions = Vec::new();
    for at in places(code, "fn") {
        let name: String = code[at + 2..]
            .trim_start()
            .chars()
            .take_while(|&c| is_word(c))
            .collect();
        if let (false, Some(end)) = (name.is_empty(), end_of_function(&code[at..])) {
            functions.push((at, name, line_of(&code[at..], end)));
        }
    }
    functions
}

/// Where its last brace is; `None` if it is only declared.
fn end_of_function(code: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0, 0);
    for (at, letter) in code.char_indices() {
        match letter {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' if braces == 1 => return Some(at),
            '}' => braces -= 1,
            _ => {}
        }
    }
    None
}
