//! The Korean pages beside the English ones: the same commands and programs, the same places linked,
//! so that what changes in one language is noticed in the other. No page, in either, links to what is not
//! there. What they say is for readers to judge.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

const TOP: &str = env!("CARGO_MANIFEST_DIR");
/// The English page and the Korean one.
const PAGES: [[&str; 2]; 2] = [
    ["README.md", "docs/ko/README.md"],
    ["docs/EPOLL.md", "docs/ko/EPOLL.md"],
];

fn text(page: &str) -> String {
    std::fs::read_to_string(format!("{TOP}/{page}")).unwrap()
}

/// The blocks of code, each with its first fence.
fn blocks(markdown: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut is_code = false;
    for line in markdown.lines() {
        let is_fence = line.starts_with("```");
        if is_fence && !is_code {
            blocks.push(String::new());
        }
        if is_code || is_fence {
            *blocks.last_mut().expect("a fence first") += &format!("{line}\n");
        }
        is_code ^= is_fence;
    }
    blocks
}

/// What stands outside the blocks of code.
fn prose(markdown: &str) -> String {
    let mut is_code = false;
    let lines = markdown.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// The targets of the links, as they are written.
fn links(markdown: &str) -> Vec<String> {
    let prose = prose(markdown);
    let inline = prose
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let below = prose.lines().filter(|line| line.starts_with('['));
    let below = below.filter_map(|line| line.split("]: ").nth(1));
    inline.chain(below).map(str::to_owned).collect()
}

/// A link of a page, seen from the top of the repository, without its anchor.
fn target(page: &str, link: &str) -> PathBuf {
    let link = link.split('#').next().expect("a first part");
    if link.contains("://") {
        return link.into();
    }
    let mut target = Path::new(page)
        .parent()
        .expect("a page is a file")
        .to_owned();
    for part in Path::new(link).components() {
        if part == Component::ParentDir {
            assert!(target.pop(), "{page}: {link} leads out of the repository");
        } else {
            target.push(part);
        }
    }
    target
}

/// What no language changes: the code within the prose, and its numbers of two digits and more.
fn literals(markdown: &str) -> BTreeSet<String> {
    let prose = prose(markdown);
    let words = prose.split_whitespace().collect::<Vec<_>>().join(" ");
    let code = words.split('`').skip(1).step_by(2);
    let numbers = words.split(|c: char| !c.is_ascii_digit() && c != ',');
    let numbers = numbers.map(|number| number.trim_matches(','));
    let literals = code.chain(numbers.filter(|number| number.len() > 1));
    literals.map(str::to_owned).collect()
}

/// The anchors of the headlines, as GitHub makes them.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let prose = prose(markdown);
    let headlines = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| -> String {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headlines.map(anchor).collect()
}

#[test]
fn the_korean_pages_have_the_code_of_the_english_ones() {
    for [english, korean] in PAGES {
        let (expected, said) = (blocks(&text(english)), blocks(&text(korean)));
        for (nth, (expected, said)) in expected.iter().zip(&said).enumerate() {
            assert_eq!(expected, said, "block {nth} of {korean}, from 0");
        }
        assert_eq!(expected.len(), said.len(), "the blocks of {korean}");
    }
}

#[test]
fn the_korean_pages_have_the_names_and_figures_of_the_english_ones() {
    for [english, korean] in PAGES {
        let (expected, said) = (literals(&text(english)), literals(&text(korean)));
        let missing: Vec<&String> = expected.difference(&said).collect();
        assert!(missing.is_empty(), "{korean} lacks {missing:?}");
    }
}

#[test]
fn the_korean_pages_link_where_the_english_ones_do() {
    for [english, korean] in PAGES {
        let elsewhere = |page: &str| -> BTreeSet<PathBuf> {
            let links = links(&text(page)).into_iter();
            let targets = links
                .filter(|link| !link.starts_with('#'))
                .map(|link| target(page, &link));
            let is_page =
                |target: &PathBuf| PAGES.iter().flatten().any(|page| target == Path::new(page));
            targets.filter(|target| !is_page(target)).collect()
        };
        assert_eq!(elsewhere(english), elsewhere(korean), "{korean}");
        for (page, other) in [(english, korean), (korean, english)] {
            let markdown = text(page);
            let links = links(&markdown);
            let is_other = |link: &String| target(page, link) == Path::new(other);
            assert!(links.iter().any(is_other), "{page} has no link to {other}");
        }
    }
}

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    let mut pages = vec!["README.md".to_owned()];
    for folder in ["docs", "docs/ko", "tests/fuzz", "tests/mutants"] {
        let entries = Path::new(TOP).join(folder).read_dir().unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names = names.filter(|name| name.ends_with(".md"));
        pages.extend(names.map(|name| format!("{folder}/{name}")));
    }
    for page in &pages {
        let markdown = text(page);
        for link in links(&markdown).iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let linked = if file.is_empty() {
                Path::new(page).to_owned()
            } else {
                target(page, file)
            };
            assert!(Path::new(TOP).join(&linked).exists(), "{page}: {link}");
            let is_there =
                anchor.is_empty() || anchors(&text(linked.to_str().unwrap())).contains(anchor);
            assert!(is_there, "{page}: {link} is no headline there");
        }
    }
    assert!(pages.len() > 10, "more pages than {pages:?}");
}
