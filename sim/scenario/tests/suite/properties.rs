//! Whatever stands in a file, its author gets a plan or diagnostics that point into the file.

use std::{fs, path::Path};

use dzsim_scenario::{Diagnostics, parse};
use proptest::{
    prelude::*,
    sample::{Index, select},
};

use crate::Every;

/// Bits of the language, to be put where they do not belong.
const BITS: [&str; 34] = [
    "$", "$x", "${x", "#", ":", ": ", "- ", "\n", "\n  ", "\t", "{", "}", "[", "]", ",", "\"", "'", "&a ", "*a", "!t ",
    "|", ">= ", "..", "1..9", "-1", "9.1.2.3", "/29", "20ms", "0%", "null", "é", "\u{feff}", "\r\n", "---\n",
];

/// Right files that use most of the language.
fn right_files() -> Vec<String> {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut texts = vec![include_str!("everything.yaml").to_owned()];
    let topics = fs::read_dir(scenarios).unwrap().map(|topic| topic.unwrap().path()).filter(|path| path.is_dir());
    let mut files: Vec<_> =
        topics.flat_map(|topic| fs::read_dir(topic).unwrap()).map(|file| file.unwrap().path()).collect();
    // A folder lists its files in no order of its own, and a failing test should fail in the same way again.
    files.sort();
    texts.extend(files.iter().map(|file| fs::read_to_string(file).unwrap()));
    texts
}

/// One slip in a text.
#[derive(Clone, Debug)]
enum Slip {
    /// Some characters are gone.
    Cut(Index, usize),
    /// Something has come in.
    Insert(Index, &'static str),
    /// A line is gone.
    DropLine(Index),
    /// A line has moved to the right or to the left.
    Indent(Index, bool),
    /// A line is somewhere else.
    MoveLine(Index, Index),
}

fn slip() -> impl Strategy<Value = Slip> {
    prop_oneof![
        (any::<Index>(), 1..8usize).prop_map(|(at, length)| Slip::Cut(at, length)),
        (any::<Index>(), select(&BITS[..])).prop_map(|(at, bit)| Slip::Insert(at, bit)),
        any::<Index>().prop_map(Slip::DropLine),
        (any::<Index>(), any::<bool>()).prop_map(|(at, right)| Slip::Indent(at, right)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Slip::MoveLine(from, to)),
    ]
}

fn make(slip: &Slip, text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if characters.is_empty() || lines.is_empty() {
        return text.to_owned();
    }
    match slip {
        Slip::Cut(at, length) => {
            let at = at.index(characters.len());
            let end = (at + length).min(characters.len());
            return characters[..at].iter().chain(&characters[end..]).collect();
        }
        Slip::Insert(at, bit) => {
            let at = at.index(characters.len());
            return characters[..at]
                .iter()
                .copied()
                .chain(bit.chars())
                .chain(characters[at..].iter().copied())
                .collect();
        }
        Slip::DropLine(at) => {
            lines.remove(at.index(lines.len()));
        }
        Slip::Indent(at, right) => {
            let at = at.index(lines.len());
            lines[at] = if *right { format!("  {}", lines[at]) } else { lines[at].trim_start().to_owned() };
        }
        Slip::MoveLine(from, to) => {
            let line = lines.remove(from.index(lines.len()));
            lines.insert(to.index(lines.len() + 1), line);
        }
    }
    lines.join("\n")
}

/// Each diagnostic points at characters of the line it shows, or right behind the last of them.
fn point_into(text: &str, diagnostics: &Diagnostics) -> Result<(), TestCaseError> {
    let lines: Vec<&str> = text.lines().collect();
    prop_assert!(diagnostics.iter().count() > 0);
    for diagnostic in diagnostics.iter() {
        prop_assert!((1..=lines.len().max(1)).contains(&diagnostic.line), "{diagnostic:?}");
        let line = lines.get(diagnostic.line - 1).copied().unwrap_or_default();
        prop_assert_eq!(&diagnostic.snippet, line);
        let width = line.chars().count();
        prop_assert!((1..=width + 1).contains(&diagnostic.column), "{diagnostic:?}");
        prop_assert!(diagnostic.length >= 1, "{diagnostic:?}");
        prop_assert!(diagnostic.column + diagnostic.length <= (width + 1).max(diagnostic.column + 1), "{diagnostic:?}");
        prop_assert!(!diagnostic.message.is_empty());
    }
    prop_assert!(!diagnostics.render(dzsim_scenario::Look::PLAIN).is_empty());
    Ok(())
}

fn is_answered(text: &str) -> Result<(), TestCaseError> {
    match parse(Path::new("topic/case.yaml"), text, &Every) {
        Ok(cases) => prop_assert!(!cases.is_empty()),
        Err(diagnostics) => point_into(text, &diagnostics)?,
    }
    Ok(())
}

#[test]
fn right_files_are_right() {
    for text in right_files() {
        if let Err(diagnostics) = parse(Path::new("topic/case.yaml"), &text, &Every) {
            panic!("{diagnostics}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        is_answered(&text)?;
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        is_answered(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn any_pile_of_bits_is_answered(bits in prop::collection::vec(select(&BITS[..]), 0..64)) {
        is_answered(&bits.concat())?;
    }

    #[test]
    fn a_right_file_with_slips_is_answered(
        text in select(right_files()),
        slips in prop::collection::vec(slip(), 1..4),
    ) {
        let text = slips.iter().fold(text, |text, slip| make(slip, &text));
        is_answered(&text)?;
    }
}
