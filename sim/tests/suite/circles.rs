//! Modules inside a package: no two modules of one folder use each other, however long the way round. And one style of
//! module files: `name/mod.rs` wherever a module has files of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::{
    arrows::{sources, workspace},
    rooms::paths,
};

/// Modules that are one thing in several files: the `impl Machine` blocks of the model of a host, each beside the types of
/// the part of the kernel that it models.
const ONE_THING: (&str, &[&str]) = (
    "sim/host",
    &[
        "address",
        "filter",
        "groups",
        "link",
        "lookup",
        "machine",
        "parameter",
        "route",
        "rule",
        "socket",
        "tunnel",
        "udp",
    ],
);

type Module = Vec<String>;

/// Every path that a file mentions, as it is written.
fn mentioned(text: &str) -> Vec<String> {
    let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: Vec<&str> = shipped.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        // At the start of a line, but for its visibility; else it is a word in a text.
        let line = code[..at].rsplit('\n').next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with("pub") {
            paths(code[at + 4..].split(';').next().unwrap_or_default(), "", &mut found);
        }
    }
    let is_word = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | ':' | '#');
    found.extend(code.split(|letter| !is_word(letter)).filter(|word| word.contains("::")).map(str::to_owned));
    found
}

/// The module that a path leads to from the module it is written in; none if it is another package's.
fn target(path: &str, from: &Module, modules: &BTreeMap<Module, PathBuf>) -> Option<Module> {
    let mut words = path.split("::").map(|word| word.trim().trim_start_matches("r#")).peekable();
    let mut at = from.clone();
    match *words.peek()? {
        "crate" => {
            at.clear();
            words.next();
        }
        "self" | "super" => {
            while let Some(word) = words.next_if(|word| ["self", "super"].contains(word)) {
                if word == "super" {
                    at.pop();
                }
            }
        }
        first => {
            at.push(first.to_owned());
            if !modules.contains_key(&at) {
                return None;
            }
            at.pop();
        }
    }
    for word in words {
        at.push(word.to_owned());
        if !modules.contains_key(&at) {
            at.pop();
            break;
        }
    }
    Some(at)
}

/// Which children of a module use which, by the module.
fn edges(modules: &BTreeMap<Module, PathBuf>) -> BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> {
    let mut edges: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (from, file) in modules {
        let text = fs::read_to_string(file).unwrap();
        // What is only a test may look at anything.
        if text.contains("#![cfg(test)]") || from.iter().any(|name| name == "tests") {
            continue;
        }
        for to in mentioned(&text).iter().filter_map(|path| target(path, from, modules)) {
            let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if let (Some(a), Some(b)) = (from.get(common), to.get(common)) {
                edges.entry(from[..common].to_vec()).or_default().entry(a.clone()).or_default().insert(b.clone());
            }
        }
    }
    edges
}

fn reachable(graph: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let (mut seen, mut left) = (BTreeSet::new(), vec![from]);
    while let Some(next) = left.pop() {
        left.extend(graph.get(next).into_iter().flatten().filter(|to| seen.insert((*to).clone())).map(String::as_str));
    }
    seen
}

/// The modules of a package by their paths.
fn modules(src: &Path) -> BTreeMap<Module, PathBuf> {
    let files = sources(src).into_iter().filter(|file| !file.starts_with(src.join("bin")));
    let module = |file: &PathBuf| -> Module {
        let below = file.strip_prefix(src).unwrap().with_extension("");
        let mut names: Module = below.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        names.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
        names
    };
    files.map(|file| (module(&file), file)).collect()
}

fn packages() -> Vec<(String, PathBuf)> {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let members = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
    let names = members.split(',').map(|name| name.trim().trim_matches('"')).filter(|name| !name.is_empty());
    names.map(|name| (name.to_owned(), workspace().join(name).join("src"))).collect()
}

#[test]
fn no_modules_use_each_other_in_a_circle() {
    let (mut found, mut seen) = (Vec::new(), 0);
    for (package, src) in packages() {
        for (parent, graph) in edges(&modules(&src)) {
            let one = |name: &str| package == ONE_THING.0 && ONE_THING.1.contains(&name);
            let graph: BTreeMap<_, BTreeSet<_>> = graph
                .into_iter()
                .map(|(from, to)| {
                    let inside = one(&from);
                    (from, to.into_iter().filter(|to| !(inside && one(to))).collect())
                })
                .collect();
            seen += graph.values().map(BTreeSet::len).sum::<usize>();
            for name in graph.keys().filter(|name| reachable(&graph, name).contains(*name)) {
                found.push(format!("{package}: {}::{name}", parent.join("::")));
            }
        }
    }
    assert_eq!(found, [""; 0]);
    assert!(seen > 500, "only {seen} uses were found");
}

#[test]
fn a_circle_is_found_however_its_uses_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("lib.rs", "mod a;\nmod b;\nmod c;\n");
    write("a.rs", "use super::{b::{self, X}};\n");
    write("b.rs", "// crate::a is a comment\nfn f() { crate::c::g() }\n");
    write("c.rs", "pub use crate::a::Y;\n");
    let modules = modules(folder.path());
    let graph = &edges(&modules)[&Vec::new()];
    assert_eq!(reachable(graph, "a").into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn module_files_have_one_style() {
    for (_, src) in packages() {
        for file in sources(&src) {
            assert!(
                !file.with_extension("").is_dir(),
                "{}: expected mod.rs in the folder of that name",
                file.display()
            );
        }
    }
}
