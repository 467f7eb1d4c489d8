//! Names of things: what a name may be, and that no two things share one.

use std::collections::{BTreeMap, BTreeSet};

use super::context::{At, Context};

/// Names that mean something else.
const RESERVED: [&str; 9] =
    ["all", "chain", "operator", "core", "activator", "controller", "ledger", "internet", "run"];
/// Length of the longest name: a namespace's interface names and the program's codes are made of it.
const LONGEST_NAME: usize = 32;

/// A thing of the file under its own name, which differs from its key if it has a count.
pub(super) struct Named<'t, 'f, T> {
    pub(super) name: String,
    pub(super) at: At<'t>,
    pub(super) file: &'f T,
}

/// Names that are unique among several kinds of things.
#[derive(Default)]
pub(super) struct Names {
    taken: BTreeMap<String, &'static str>,
}

impl Names {
    pub(super) fn all<'t, 'f, T>(
        &mut self,
        context: &mut Context<'t, '_, '_>,
        network: At<'t>,
        section: &'static str,
        things: &'f BTreeMap<String, T>,
        count: impl Fn(&T) -> Option<u16>,
        counted: &mut BTreeMap<String, BTreeSet<String>>,
    ) -> Vec<Named<'t, 'f, T>> {
        let section_at = network.key(section);
        let mut all = Vec::new();
        for (key, file) in things {
            let at = section_at.key(key);
            let label = section_at.label(key);
            let names: Vec<String> = match count(file) {
                None => vec![key.clone()],
                Some(0) => {
                    context.error(at.key("count"), "a count is at least 1", "");
                    Vec::new()
                }
                Some(count) => (1..=count).map(|number| format!("{key}{number}")).collect(),
            };
            check_name(context, label, key);
            if count(file).is_some() {
                counted.insert(key.clone(), names.iter().cloned().collect());
            }
            for name in names {
                if let Some(first) = self.taken.insert(name.clone(), section) {
                    let message = format!("the name `{name}` is taken: it stands under `{first}`");
                    context.error(label, message, "names of devices, clients and groups are unique together");
                } else {
                    all.push(Named { name, at, file });
                }
            }
        }
        all
    }
}

fn check_name<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, name: &str) {
    let letters = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    if !letters || !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.len() > LONGEST_NAME {
        let message = format!(
            "`{name}` is no name: expected small letters, digits, `-` and `_`, a letter first, at most {LONGEST_NAME}"
        );
        context.error(at, message, "");
    } else if RESERVED.contains(&name) {
        context.error(at, format!("`{name}` means something else already"), "take another name");
    }
}
