//! Reads a tree into the schema's types, past what does not fit.
//!
//! A deserializer stops at the first misfit. So the misfit is reported, its value taken out of the tree, and the rest
//! read again, until it fits: one run shows all there is to show.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::{
    deserialize::{Misfit, NodeDeserializer, Problem},
    diagnostic::{Sink, nearest, similar},
    schema::File,
    yaml::{Node, Place, Value, join},
};

/// Beyond this many misfits of one file the rest waits for the next run.
const MAX_MISFITS: usize = 64;

/// A file that has been read as far as it fits.
pub(crate) struct Read {
    pub(crate) file: File,
    /// Exactly what was read.
    pub(crate) tree: Node,
    /// Paths of tables and lists that something was taken out of.
    pub(crate) holed: BTreeSet<String>,
}

/// Reads the file, and reports what does not fit. `None` if nothing is left.
pub(crate) fn read(root: &Node, sink: &mut Sink<'_>) -> Option<Read> {
    let mut tree = root.clone();
    let mut pruned: BTreeSet<String> = BTreeSet::new();
    let mut holed: BTreeSet<String> = BTreeSet::new();
    while pruned.len() < MAX_MISFITS {
        let misfit = match File::deserialize(NodeDeserializer::new(&tree)) {
            Ok(file) => return Some(Read { file, tree, holed }),
            Err(misfit) => misfit,
        };
        // What lacks a key only because that was taken out has been reported already.
        let known = match *misfit.problem {
            Problem::Missing(key) => pruned.contains(&join(&misfit.path, key)),
            Problem::Kind { .. } => holed.contains(&misfit.path),
            _ => false,
        };
        if !known {
            report(&misfit, &tree, sink);
        }
        holed.insert(tree.prune(&misfit.path)?);
        pruned.insert(misfit.path);
    }
    None
}

fn report(misfit: &Misfit, tree: &Node, sink: &mut Sink<'_>) {
    let place = misfit.place.unwrap_or(Place { line: 1, column: 1, len: 1 });
    let (message, help) = match &*misfit.problem {
        Problem::UnknownKey { key, known: [] } => (format!("unknown key `{key}`"), "no keys are known here".to_owned()),
        Problem::UnknownKey { key, known } => (format!("unknown key `{key}`"), nearest(key, known.iter().copied())),
        Problem::UnknownWord { word, known } => {
            (format!("expected one of {}, got `{word}`", known.join(", ")), similar(word, known.iter().copied()))
        }
        Problem::Missing(key) if misfit.path.is_empty() && matches!(tree.value, Value::Null) => {
            (format!("the file is empty: expected at least `{key}`"), String::new())
        }
        Problem::Missing(key) => (format!("the key `{key}` is missing"), String::new()),
        Problem::Kind { found, known } => kind(found, known),
        Problem::Other(message) => (message.clone(), String::new()),
    };
    sink.report(place, &misfit.path, &misfit.value, message, help);
}

/// A table that names no kind, or more than one.
fn kind(found: &[String], known: &[&str]) -> (String, String) {
    let several: Vec<String> =
        found.iter().filter(|key| known.contains(&key.as_str())).map(|key| format!("`{key}`")).collect();
    if !several.is_empty() {
        return (format!("{} do not go together: each is a kind of its own", several.join(" and ")), String::new());
    }
    let help =
        found.iter().map(|key| similar(key, known.iter().copied())).find(|help| !help.is_empty()).unwrap_or_default();
    (format!("expected one of the keys {}, got {}", known.join(", "), list(found)), help)
}

fn list(found: &[String]) -> String {
    match found {
        [] => "an empty table".to_owned(),
        keys => keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "),
    }
}
