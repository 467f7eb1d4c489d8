//! The rooms of a run, `sim/src/run`: each uses only itself and those below it, so that no two know each other.

use std::{fs, path::Path};

/// Lowest first. Rooms of one line do not know each other.
const FLOORS: &[&[&str]] = &[
    &["diff", "http", "interface_names", "keys", "lateness", "logs", "measure", "network", "phases", "seeds"],
    &["artifacts", "error", "events", "internet", "limits", "relevance"],
    &["protocol"],
    &["genesis", "roles"],
    &["world"],
    &["route_announcements", "controller", "matching", "stop"],
    &["view"],
    &["path_rules", "transitions"],
    &["steps", "oracle"],
    &["bring_up"],
    &["case"],
];

fn floor(room: &str) -> usize {
    let found = FLOORS.iter().position(|rooms| rooms.contains(&room));
    found.unwrap_or_else(|| panic!("sim/src/run/{room} is in no row of this test"))
}

/// Every path of the tree of a `use`, without the names that are given to them.
pub(crate) fn paths(tree: &str, prefix: &str, found: &mut Vec<String>) {
    let (mut depth, mut start) = (0usize, 0);
    let mut parts = Vec::new();
    for (at, letter) in tree.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&tree[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tree[start..]);
    for part in parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        match part.split_once('{') {
            Some((head, rest)) => paths(rest.trim_end().trim_end_matches('}'), &format!("{prefix}{head}"), found),
            None => found.push(format!("{prefix}{part}")),
        }
    }
}

/// The rooms that a file uses, given the modules it is in below `run`.
fn used(text: &str, modules: &[String]) -> Vec<String> {
    let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = Vec::new();
    for tree in shipped.split("\nuse ").skip(1).chain(shipped.split("pub use ").skip(1)) {
        paths(tree.split(';').next().unwrap_or_default(), "", &mut found);
    }
    // Paths that are written out where they are used.
    let bare = shipped.match_indices("crate::run::").map(|(at, _)| {
        let rest = &shipped[at..];
        rest[..rest
            .find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != ':')
            .unwrap_or(rest.len())]
            .to_owned()
    });
    found.extend(bare);
    let room_of = |path: &String| {
        let words: Vec<_> = path.split("::").collect();
        let up = words.iter().take_while(|word| **word == "super").count();
        match words[0] {
            "crate" if words.get(1) == Some(&"run") => words.get(2).map(ToString::to_string),
            // As many steps up as lead out of the file's own room.
            "super" if up > modules.len().saturating_sub(1) => words.get(up).map(ToString::to_string),
            _ => None,
        }
    };
    let names = found.iter().filter_map(room_of).map(|name| name.trim_start_matches("r#").to_owned());
    names.filter(|name| !name.is_empty() && name.chars().all(|letter| letter.is_lowercase() || letter == '_')).collect()
}

fn check(folder: &Path, modules: &[String], wrong: &mut Vec<String>, seen: &mut usize) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            check(&path, &[modules, &[stem]].concat(), wrong, seen);
            continue;
        }
        // What is only a test may look at anything.
        if (modules.is_empty() && stem == "mod") || stem == "tests" {
            continue;
        }
        let inner = if stem == "mod" { modules.to_vec() } else { [modules, &[stem]].concat() };
        let room = &inner[0];
        for other in used(&fs::read_to_string(&path).unwrap(), &inner) {
            *seen += 1;
            if other != *room && floor(&other) >= floor(room) {
                wrong.push(format!("{} uses {other}", path.display()));
            }
        }
    }
}

#[test]
fn each_room_uses_only_those_below_it() {
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/run");
    let (mut wrong, mut seen) = (Vec::new(), 0);
    check(&run, &[], &mut wrong, &mut seen);
    assert_eq!(wrong, [""; 0]);
    assert!(seen > 100, "only {seen} uses were found");
}

#[test]
fn uses_are_found_however_they_are_written() {
    let text = "\nuse super::{a, b::{C, d::E as F}};\nuse crate::run::c;\npub use self::x::Y;\nfn f() { crate::run::e::g() }\n";
    let file = ["room".to_owned()];
    assert_eq!(used(text, &file), ["a", "b", "b", "c", "c", "e"]);
    let inner = ["room".to_owned(), "file".to_owned()];
    assert_eq!(used("\nuse super::own;\nuse super::super::other;\n", &inner), ["other"]);
}
