//! Checks that each module uses only the modules before it, in the order that a list in the sources states.
//!
//! A file states an order with the line [`STATEMENT`] in its documentation, followed by a list of its child modules.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The sentence before a list of modules.
const STATEMENT: &str =
    "The modules, in the order of their dependencies: each uses only those before it.";

/// A source file, and the module in it.
struct Source {
    /// The path below `src`.
    file: PathBuf,
    /// The names of the modules that lead to it; none for `lib.rs`.
    module: Vec<String>,
    text: String,
}

/// A use of another module.
struct Use {
    /// The path after `crate`.
    path: Vec<String>,
    line: usize,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = path.strip_prefix(root()).unwrap().to_owned();
            let names = file.with_extension("");
            let names = names.iter().map(|name| name.to_str().unwrap().to_owned());
            let module = names.filter(|name| name != "lib").collect();
            let text = fs::read_to_string(&path).unwrap();
            found.push(Source { file, module, text });
        }
    }
}

/// The modules in the list of a file, if it states an order.
fn stated_order(text: &str) -> Option<Vec<String>> {
    let mut lines = text.lines().take_while(|line| line.starts_with("//!"));
    lines.find(|line| line.contains(STATEMENT))?;
    let items = lines.filter_map(|line| {
        let (name, _) = line.strip_prefix("//! - [`")?.split_once('`')?;
        Some(name.to_owned())
    });
    Some(items.collect())
}

/// The child modules that a file declares, except test modules.
fn declared(tokens: TokenStream) -> BTreeSet<String> {
    let tokens: Vec<TokenTree> = product_tokens(tokens).into_iter().collect();
    let declarations = tokens.windows(3).filter_map(|three| match three {
        [
            TokenTree::Ident(word),
            TokenTree::Ident(name),
            TokenTree::Punct(end),
        ] if word == "mod" && end.as_char() == ';' => Some(name.to_string()),
        _ => None,
    });
    declarations.collect()
}

fn is_test_attribute(group: &Group) -> bool {
    group.delimiter() == Delimiter::Bracket && group.stream().to_string() == "cfg (test)"
}

/// Leaves out the items that have the attribute `#[cfg(test)]`.
fn product_tokens(tokens: TokenStream) -> TokenStream {
    let mut kept = Vec::new();
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) if is_test_attribute(&group) => {
                // The item ends with a semicolon or with a block.
                let is_end = |token: &TokenTree| match token {
                    TokenTree::Punct(punct) => punct.as_char() == ';',
                    TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                    _ => false,
                };
                tokens.find(is_end);
            }
            TokenTree::Group(group) => {
                let inner = product_tokens(group.stream());
                let mut inner = Group::new(group.delimiter(), inner);
                inner.set_span(group.span());
                kept.push(TokenTree::Group(inner));
            }
            other => kept.push(other),
        }
    }
    kept.into_iter().collect()
}

/// Finds all paths that begin with `crate` or `super`, also in macros. `module` is the module of the file.
fn uses(tokens: TokenStream, module: &[String], found: &mut Vec<Use>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let start = match &token {
            TokenTree::Ident(word) if word == "crate" => Vec::new(),
            TokenTree::Ident(word) if word == "super" => module[..module.len() - 1].to_vec(),
            TokenTree::Group(group) => {
                uses(group.stream(), module, found);
                continue;
            }
            _ => continue,
        };
        let line = token.span().start().line;
        follow(&mut tokens, start, line, found);
    }
}

/// Follows `::name` and `::{…}` after the beginning of a path.
fn follow(
    tokens: &mut std::iter::Peekable<impl Iterator<Item = TokenTree>>,
    mut path: Vec<String>,
    line: usize,
    found: &mut Vec<Use>,
) {
    while matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == ':') {
        tokens.next();
        match tokens.peek() {
            Some(TokenTree::Ident(word)) if word == "super" => {
                path.pop();
                tokens.next();
            }
            Some(TokenTree::Ident(word)) => {
                path.push(word.to_string());
                tokens.next();
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let mut inner = group.stream().into_iter().peekable();
                while let Some(token) = inner.next() {
                    if let TokenTree::Ident(word) = &token {
                        let mut path = path.clone();
                        path.push(word.to_string());
                        follow(&mut inner, path, word.span().start().line, found);
                    }
                }
                tokens.next();
            }
            _ => {}
        }
    }
    found.push(Use { path, line });
}

/// What is wrong with the uses of a source, given an order of the children of `parent`.
fn violations(source: &Source, parent: &[String], order: &[String]) -> BTreeSet<String> {
    let depth = parent.len();
    let is_test = |name: &String| ["tests", "proptests", "test_support"].contains(&name.as_str());
    if !source.module.starts_with(parent) || source.module.iter().any(is_test) {
        return BTreeSet::new();
    }
    let position = |name: &String| order.iter().position(|known| known == name);
    // The file that states the order may use all of its children.
    let Some(own) = source.module.get(depth).and_then(position) else {
        return BTreeSet::new();
    };
    let tokens = TokenStream::from_str(&source.text).unwrap();
    let mut found = Vec::new();
    uses(product_tokens(tokens), &source.module, &mut found);
    let used = found.iter().filter(|used| used.path.starts_with(parent));
    used.filter_map(|used| {
        let name = used.path.get(depth)?;
        (position(name)? > own).then(|| {
            let (file, line) = (source.file.display(), used.line);
            format!(
                "src/{file}:{line} uses {name}, which is after {}",
                order[own]
            )
        })
    })
    .collect()
}

#[test]
fn each_module_uses_only_the_modules_before_it() {
    let mut all = Vec::new();
    sources(&root(), &mut all);
    let mut wrong = Vec::new();
    let mut orders = Vec::new();
    for parent in &all {
        let Some(order) = stated_order(&parent.text) else {
            continue;
        };
        let declared = declared(TokenStream::from_str(&parent.text).unwrap());
        let missing = declared.iter().filter(|name| !order.contains(name));
        wrong.extend(missing.map(|name| {
            let file = parent.file.display();
            format!("src/{file} declares {name}, but its order does not list it")
        }));
        for source in &all {
            wrong.extend(violations(source, &parent.module, &order));
        }
        orders.push(parent.file.display().to_string());
    }
    for file in ["lib.rs", "http.rs", "isolate.rs", "settings.rs"] {
        assert!(orders.contains(&file.to_owned()), "{file} states no order");
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_use_of_a_later_module_is_found_in_every_form() {
    let order = ["first".to_owned(), "second".to_owned(), "third".to_owned()];
    let check = |module: &[&str], text: &str| {
        let source = Source {
            file: "file.rs".into(),
            module: module.iter().map(|name| (*name).to_owned()).collect(),
            text: text.to_owned(),
        };
        violations(&source, &[], &order).len()
    };
    for text in [
        "use crate::third::x;",
        "use crate::{first, third::{x, y}};",
        "fn f() { crate::third::g(); }",
        "fn f() { println!(\"{}\", crate::third::X); }",
        "use super::third;",
    ] {
        assert_eq!(check(&["second"], text), 1, "{text}");
    }
    assert_eq!(check(&["second", "inner"], "use super::super::third;"), 1);
    for text in [
        "use crate::first::third;",
        "use crate::second::{x, third};",
        "use other::third;",
        "//! [`crate::third`]\n/// [`crate::third`]\nfn f() {}",
        "#[cfg(test)]\nmod tests { use crate::third::x; }",
        "#[cfg(test)]\nuse crate::third::x;",
        "const TEXT: &str = \"crate::third\";",
    ] {
        assert_eq!(check(&["second"], text), 0, "{text}");
    }
}
