//! The resolver's place in the tree, and its reports.

use std::collections::BTreeSet;

use crate::{
    diagnostic::{Sink, nearest},
    schema::Names,
    yaml::{Node, Place, Value},
};

use super::{known::Known, mentioned::Mentioned};

/// A value of the tree and the place to point at for it.
#[derive(Clone, Copy)]
pub(super) struct At<'t> {
    node: &'t Node,
    place: Place,
}

impl<'t> At<'t> {
    /// What stands under a key; where there is nothing, the table itself.
    pub(super) fn key(self, key: &str) -> Self {
        match self.node.entry(key) {
            Some(entry) => {
                let table = matches!(entry.node.value, Value::Table(_) | Value::Null);
                Self { node: &entry.node, place: if table { entry.place } else { entry.node.place } }
            }
            None => self,
        }
    }

    /// An element of a list; where there is no list, the value itself.
    pub(super) fn item(self, index: usize) -> Self {
        match self.node.item(index) {
            Some(node) => Self { node, place: first(node) },
            None => self,
        }
    }

    /// The key under which something stands, where there is one.
    pub(super) fn label(self, key: &str) -> Self {
        match self.node.entry(key) {
            Some(entry) => Self { node: &entry.node, place: entry.place },
            None => self,
        }
    }

    /// Line and column, from 1.
    pub(super) fn place(self) -> (usize, usize) {
        (self.place.line, self.place.column)
    }
}

/// A table in a list is pointed at by its first key.
fn first(node: &Node) -> Place {
    match &node.value {
        Value::Table(entries) => entries.first().map_or(node.place, |entry| entry.place),
        _ => node.place,
    }
}

/// What all parts of the resolver share.
pub(super) struct Context<'t, 's, 'a> {
    /// The tree as it was written: names in it are known even if what they name does not fit.
    written: &'t Node,
    tree: &'t Node,
    /// Paths of tables and lists of which a part did not fit: what they lack says nothing.
    holed: &'t BTreeSet<String>,
    /// What commands mention.
    pub(super) mentioned: &'t Mentioned,
    sink: &'s mut Sink<'a>,
}

impl<'t, 's, 'a> Context<'t, 's, 'a> {
    pub(super) fn new(
        written: &'t Node,
        tree: &'t Node,
        holed: &'t BTreeSet<String>,
        mentioned: &'t Mentioned,
        sink: &'s mut Sink<'a>,
    ) -> Self {
        Self { written, tree, holed, mentioned, sink }
    }

    pub(super) fn top(&self) -> At<'t> {
        At { node: self.tree, place: self.tree.place }
    }

    /// Reports with the value that stands at the place.
    pub(super) fn error(&mut self, at: At<'t>, message: impl Into<String>, help: impl Into<String>) {
        if self.holed.contains(&at.node.path) {
            return;
        }
        let value = match &at.node.value {
            Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => at.node.value.to_string(),
            _ => String::new(),
        };
        self.sink.report(at.place, &at.node.path, &value, message.into(), help.into());
    }

    /// Reports with one word of the value that stands at the place.
    pub(super) fn error_in(&mut self, at: At<'t>, word: &str, message: impl Into<String>, help: impl Into<String>) {
        self.sink.report(at.place, &at.node.path, word, message.into(), help.into());
    }

    /// Reports a name that nothing has, unless what it names was written but did not fit.
    pub(super) fn unknown<'k>(
        &mut self,
        at: At<'t>,
        kind: &str,
        name: &str,
        sections: &[&str],
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let network = self.written.get("network");
        let written = sections.iter().any(|section| {
            network.and_then(|network| network.get(section)).is_some_and(|section| section.get(name).is_some())
        });
        if !written {
            let known: BTreeSet<&str> = known.into_iter().collect();
            let help =
                if known.is_empty() { format!("the file has no {kind}") } else { nearest(name, known.iter().copied()) };
            self.sink.report(at.place, &at.node.path, name, format!("unknown {kind} `{name}`"), help);
        }
    }

    /// The names of a list of clients: `all`, names, and the common names of clients with a count.
    pub(super) fn clients(&mut self, at: At<'t>, names: &Names, known: &Known) -> BTreeSet<String> {
        let mut clients = BTreeSet::new();
        for (index, name) in names.0.iter().enumerate() {
            if name == "all" {
                clients.extend(known.clients.iter().cloned());
            } else if let Some(several) = known.counted.get(name) {
                clients.extend(several.iter().cloned());
            } else if known.clients.contains(name) {
                clients.insert(name.clone());
            } else {
                let names = known.clients.iter().chain(known.counted.keys()).map(String::as_str);
                self.unknown(at.item(index), "client", name, &["clients"], names);
            }
        }
        clients
    }
}
