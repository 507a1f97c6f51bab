//! Which file knows which, and the circles among them. A file is known by who names what it defines, also
//! through the names that a parent hands on.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Code, Source};

/// Files each of which knows all others, perhaps through others of them.
pub struct Circle {
    /// Their modules, with spaces between them.
    pub files: String,
    /// Who names whom, and where.
    pub arrows: Vec<String>,
}

/// All files, by their modules.
struct Files(BTreeMap<Vec<String>, Code>);

/// The arrows between files, by their modules: for each the first line that is one.
type Arrows<'a> = BTreeMap<&'a [String], BTreeMap<&'a [String], usize>>;

impl Files {
    /// The file that defines what this path names; `None` where that is of another crate.
    fn definer(&self, path: &[String], seen: &mut Vec<Vec<String>>) -> Option<&[String]> {
        let mut files = (0..=path.len()).rev();
        let (module, code) = files.find_map(|length| self.0.get_key_value(&path[..length]))?;
        let Some((name, rest)) = path[module.len()..].split_first() else {
            return Some(module);
        };
        let Some((_, import)) = code.imports.iter().find(|(bound, _)| bound == name) else {
            return Some(module);
        };
        // A module may hand a name on that it has by another way of its own.
        if seen.iter().any(|one| one == path) {
            return Some(module);
        }
        seen.push(path.to_vec());
        let (root, names) = import.names.split_first()?;
        if root != "crate" {
            return None;
        }
        self.definer(&[names, rest].concat(), seen)
    }

    fn arrows(&self) -> Arrows<'_> {
        let mut arrows = Arrows::new();
        for (module, code) in &self.0 {
            let known = arrows.entry(module).or_default();
            for (line, path) in code.own() {
                let Some(other) = self.definer(path, &mut Vec::new()) else {
                    continue;
                };
                // A parent hands its children's names on, and they use what it defines.
                if !(module.starts_with(other) || other.starts_with(module)) {
                    let first = known.entry(other).or_insert(line);
                    *first = line.min(*first);
                }
            }
        }
        arrows
    }
}

/// Whom a file knows, directly or not.
fn reached<'a>(arrows: &Arrows<'a>, from: &[String]) -> BTreeSet<&'a [String]> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        for &other in arrows[file].keys() {
            if reached.insert(other) {
                next.push(other);
            }
        }
    }
    reached
}

pub fn circles(sources: &[Source]) -> Vec<Circle> {
    let codes = sources.iter().map(Source::read);
    let files = Files(codes.map(|code| (code.module.clone(), code)).collect());
    let arrows = files.arrows();
    let reached: BTreeMap<_, _> = arrows
        .keys()
        .map(|&file| (file, reached(&arrows, file)))
        .collect();
    let mut circles = BTreeSet::new();
    for (&file, others) in reached
        .iter()
        .filter(|(file, others)| others.contains(*file))
    {
        let back = others.iter().filter(|other| reached[*other].contains(file));
        circles.insert(back.copied().collect::<Vec<_>>());
    }
    let circles = circles.into_iter();
    circles.map(|files| circle(&files, &arrows)).collect()
}

fn circle(files: &[&[String]], arrows: &Arrows<'_>) -> Circle {
    let mut shown = Vec::new();
    for &from in files {
        for (to, line) in arrows[from].iter().filter(|(to, _)| files.contains(to)) {
            shown.push(format!(
                "{} names {} in line {line}",
                from.join("::"),
                to.join("::")
            ));
        }
    }
    let names: Vec<_> = files.iter().map(|file| file.join("::")).collect();
    Circle {
        files: names.join(" "),
        arrows: shown,
    }
}

fn found(files: &[(&str, &str)]) -> Vec<String> {
    let sources = files.iter().map(|(path, text)| Source::new(path, text));
    let found = circles(&sources.collect::<Vec<_>>());
    found.into_iter().map(|circle| circle.files).collect()
}

#[test]
fn a_circle_is_seen_however_it_is_spelled() {
    let parent = (
        "src/a/mod.rs",
        "mod b; mod c; mod d; pub use c::C; pub use d::*;",
    );
    for (b, c, d) in [
        ("use super::c::C;", "use crate::a::b::B;", ""),
        ("use super::C;", "fn f(x: super::b::B) {}", ""),
        (
            "fn f() { vec![super::c::f()]; }",
            "use crate::a::{b::{self}};",
            "",
        ),
        ("use crate::a::C as Other;", "use super::b;", ""),
        ("use super::c::C;", "use super::d::D;", "use super::b::B;"),
        (
            "use crate::a; fn f() { a::c::go() }",
            "use super as up; fn f() -> up::b::B { up::b::B }",
            "",
        ),
        (
            "mod inner { use super::super::c::C; }",
            "use super::b::B;",
            "",
        ),
    ] {
        let files = [
            parent,
            ("src/a/b.rs", b),
            ("src/a/c.rs", c),
            ("src/a/d.rs", d),
        ];
        let expected = if d.is_empty() {
            "a::b a::c"
        } else {
            "a::b a::c a::d"
        };
        assert_eq!(found(&files), [expected], "{b} {c} {d}");
    }
}

#[test]
fn what_goes_one_way_is_no_circle() {
    let none: [&str; 0] = [];
    let files = [
        ("src/lib.rs", "pub mod a; pub mod e;"),
        (
            "src/a/mod.rs",
            "mod b; mod c; pub use c::C; use b::B; pub struct A;",
        ),
        ("src/a/b.rs", "use super::{A, C}; use std::fmt; struct B;"),
        (
            "src/a/c.rs",
            "use super::A; use crate::e::E; use fmt::Debug;",
        ),
        ("src/e.rs", "mod b { struct B; } use b::B; fn f(c: c::C) {}"),
    ];
    assert_eq!(found(&files), none);
}
