//! docs/decisions/README.md lists every decision note by number, title and status; `UPDATE_DOCS=1` writes it again.

use std::{collections::BTreeMap, fs, path::Path};

/// Areas by the first digits of a note's number.
const AREAS: &[(&str, &str)] = &[
    ("000", "the whole"),
    ("001", "net"),
    ("002", "fabric"),
    ("003", "lab"),
    ("004", "ledger"),
    ("005", "scenario language"),
    ("006", "program"),
    ("007", "activator"),
    ("008", "controller and agent"),
    ("009", "client"),
    ("011", "the virtual world"),
    ("012", "runs in two worlds"),
    ("013", "evidence"),
    ("014", "runner and reports"),
    ("015", "speed and size"),
    ("016", "answers"),
    ("018", "selection and pools"),
    ("019", "the program and others"),
    ("020", "library, structure and words"),
    ("022", "faults"),
    ("023", "model and kernel"),
];

#[test]
fn the_index_lists_every_note() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/decisions");
    let mut areas: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names.iter().filter_map(|name| name.to_str()).filter(|name| *name != "README.md") {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let (head, body) = text.split_once('\n').unwrap_or((&text, ""));
        let title = head.strip_prefix("# ").unwrap_or_else(|| panic!("{name} has no title"));
        let number = name.split('-').next().unwrap();
        assert!(number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit()), "{name} has no number");
        assert!(!title.starts_with(number), "{name}: the number is in the file's name, not in its title");
        let first = body.trim_start().lines().next().unwrap_or_default();
        let status = if first.starts_with("Taken back") { first } else { "in force" };
        let area = AREAS.iter().find(|(digits, _)| name.starts_with(digits));
        let (_, area) = area.unwrap_or_else(|| panic!("{name}: no area has these digits"));
        areas.entry(area).or_default().push(format!("| [{number}]({name}) | {title} | {status} |"));
    }
    let index = folder.join("README.md");
    let found = fs::read_to_string(&index).unwrap();
    let introduction = found.split("\n## ").next().unwrap().trim_end();
    let mut text = format!("{introduction}\n");
    for (_, area) in AREAS.iter().filter(|(_, area)| areas.contains_key(area)) {
        text.push_str(&format!(
            "\n## {}\n\n| note | decision | status |\n|---|---|---|\n{}\n",
            capital(area),
            areas[area].join("\n")
        ));
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&index, &text).unwrap();
        return;
    }
    assert!(found == text, "docs/decisions/README.md is not what the notes say; UPDATE_DOCS=1 writes it again");
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}
