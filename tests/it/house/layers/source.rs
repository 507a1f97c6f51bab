//! Source files as the rules see them: the paths in them, each as it is seen from the top of the crate,
//! and every identifier. It reads Rust with syn(1) and knows no rule.

use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, Macro, MetaList, UseTree};

/// A source file.
pub struct Source {
    /// From the top of the repository.
    pub path: String,
    pub text: String,
}

/// What is in a source file.
pub struct Code {
    /// The file's module: `src/reactor/peer.rs` is `["reactor", "peer"]`.
    pub module: Vec<String>,
    pub mentions: Vec<Mention>,
    /// What the file's `use` items bind at its top, by name.
    pub imports: Vec<(String, Mention)>,
    /// Every identifier and keyword, also inside macros, and its line.
    pub words: Vec<(usize, String)>,
}

/// A path, from `crate`, or from the name of another crate, a type or a primitive.
#[derive(Clone, Debug)]
pub struct Mention {
    pub line: usize,
    pub names: Vec<String>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    pub fn violation(&self, line: usize, rule: &str) -> String {
        format!("{}:{line}: {rule}", self.path)
    }

    fn module(&self) -> Vec<String> {
        let inside = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let names = inside.split('/');
        let names = names.filter(|name| !["mod", "lib", "main"].contains(name));
        names.map(str::to_owned).collect()
    }

    pub fn read(&self) -> Code {
        let syntax = syn::parse_file(&self.text);
        let syntax = syntax.unwrap_or_else(|error| panic!("{}: {error}", self.path));
        let mut reader = Reader {
            module: self.module(),
            ..Reader::default()
        };
        reader.visit_file(&syntax);
        let mut words = Vec::new();
        each_ident(self.text.parse().unwrap(), &mut |ident| {
            words.push((line_of(ident), ident.to_string()));
        });
        reader.code(&self.module(), words)
    }
}

impl Code {
    /// The paths that do not lead into this crate; names that stand alone are left out.
    pub fn foreign(&self) -> impl Iterator<Item = &Mention> {
        let mentions = self.mentions.iter();
        mentions.filter(|mention| mention.names[0] != "crate" && mention.names.len() > 1)
    }

    /// The paths that lead into this crate, without the `crate`.
    pub fn own(&self) -> impl Iterator<Item = (usize, &[String])> {
        let mentions = self.mentions.iter();
        mentions.filter_map(|mention| match mention.names.split_first()? {
            (root, rest) if root == "crate" && !rest.is_empty() => Some((mention.line, rest)),
            _ => None,
        })
    }
}

pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All `.rs` files below these folders.
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

fn line_of(ident: &Ident) -> usize {
    ident.span().start().line
}

fn each_ident(tokens: TokenStream, see: &mut impl FnMut(&Ident)) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => see(&ident),
            TokenTree::Group(group) => each_ident(group.stream(), see),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// A path as it is written.
struct Written {
    /// The module in which it stands.
    module: Vec<String>,
    mention: Mention,
    /// It begins with `::`.
    is_global: bool,
}

#[derive(Default)]
struct Reader {
    /// Where it reads: the file's module and the inline ones around.
    module: Vec<String>,
    /// The modules that are declared, whole.
    children: BTreeSet<Vec<String>>,
    written: Vec<Written>,
    /// The `use` items: the name that each binds.
    bound: Vec<(String, Written)>,
}

impl Reader {
    fn written(&self, line: usize, names: Vec<String>, is_global: bool) -> Written {
        Written {
            module: self.module.clone(),
            mention: Mention { line, names },
            is_global,
        }
    }

    fn expand(&mut self, tree: &UseTree, prefix: &[String], is_global: bool) {
        let (ident, bound) = match tree {
            UseTree::Path(path) => {
                let prefix = [prefix, &[path.ident.to_string()]].concat();
                return self.expand(&path.tree, &prefix, is_global);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.expand(tree, prefix, is_global);
                }
                return;
            }
            UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                let written = self.written(line, prefix.to_vec(), is_global);
                return self.bound.push(("*".to_owned(), written));
            }
            UseTree::Name(name) => (&name.ident, &name.ident),
            UseTree::Rename(rename) => (&rename.ident, &rename.rename),
        };
        let mut names = prefix.to_vec();
        let mut bound = bound.to_string();
        if ident != "self" {
            names.push(ident.to_string());
        } else if bound == "self" {
            bound = names.last().cloned().unwrap_or_default();
        }
        if names.len() == 1 {
            // A crate or a module as a whole.
            names.push("self".to_owned());
        }
        let written = self.written(line_of(ident), names, is_global);
        self.bound.push((bound, written));
    }

    /// The paths among the tokens of a macro: names with `::` between them.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter();
        let mut path: Vec<Ident> = Vec::new();
        let mut colons = 0;
        loop {
            let token = tokens.next();
            match &token {
                Some(TokenTree::Punct(punct)) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                Some(TokenTree::Ident(ident)) if colons == 2 && !path.is_empty() => {
                    path.push(ident.clone());
                    colons = 0;
                    continue;
                }
                _ => {}
            }
            if path.len() > 1 {
                let names = path.iter().map(ToString::to_string).collect();
                let written = self.written(line_of(&path[0]), names, false);
                self.written.push(written);
            }
            path.clear();
            colons = 0;
            match token {
                Some(TokenTree::Ident(ident)) => path.push(ident),
                Some(TokenTree::Group(group)) => self.tokens(group.stream()),
                Some(_) => {}
                None => return,
            }
        }
    }

    fn code(&self, module: &[String], words: Vec<(usize, String)>) -> Code {
        let whole = |written: &Written| whole(written, &self.children);
        let used = self.bound.iter().map(|(_, written)| whole(written));
        let others = self.written.iter().map(|written| {
            let names = &written.mention.names;
            let is_it = |(name, _): &&(String, Written)| *name == names[0] && !written.is_global;
            match self.bound.iter().find(is_it) {
                Some((_, import)) => Mention {
                    line: written.mention.line,
                    names: [&whole(import).names, &names[1..]].concat(),
                },
                None => whole(written),
            }
        });
        let at_top = self.bound.iter().filter(|(_, used)| used.module == module);
        let imports = at_top.map(|(name, used)| (name.clone(), whole(used)));
        Code {
            mentions: used.chain(others).collect(),
            imports: imports.collect(),
            words,
            module: module.to_vec(),
        }
    }
}

/// The path from the top of the crate, if it leads into the crate, or as it is.
fn whole(written: &Written, children: &BTreeSet<Vec<String>>) -> Mention {
    let mut names = &written.mention.names[..];
    let mut from = written.module.clone();
    let child = [&written.module[..], &names[..1]].concat();
    let is_ours = ["crate", "self", "super"].contains(&&*names[0]) || children.contains(&child);
    if written.is_global || !is_ours {
        return written.mention.clone();
    }
    while let Some((name, rest)) = names.split_first() {
        match &**name {
            "crate" => from.clear(),
            "super" => drop(from.pop()),
            "self" => {}
            _ => break,
        }
        names = rest;
    }
    Mention {
        line: written.mention.line,
        names: [&["crate".to_owned()], &from[..], names].concat(),
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        self.children.insert(self.module.clone());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.expand(&item.tree, &[], item.leading_colon.is_some());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let idents: Vec<&Ident> = path.segments.iter().map(|part| &part.ident).collect();
        // `self` alone is a value.
        if idents.len() > 1 || idents[0] != "self" {
            let names = idents.iter().map(ToString::to_string).collect();
            let is_global = path.leading_colon.is_some();
            let written = self.written(line_of(idents[0]), names, is_global);
            self.written.push(written);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_meta_list(&mut self, list: &'ast MetaList) {
        self.tokens(list.tokens.clone());
        visit::visit_meta_list(self, list);
    }
}
