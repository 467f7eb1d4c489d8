//! A change to a scenario from outside of its file, such as `policy.endpoints_per_device=3`.

use std::str::FromStr;

use crate::yaml::{Node, Value};

/// A value to put in the place of what a file says.
#[derive(Clone, Debug)]
pub struct Change {
    text: String,
    keys: Vec<String>,
    value: Value,
}

/// Why a text is no change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no change: expected KEY.KEY=VALUE such as policy.endpoints_per_device=3, {reason}")]
pub struct ChangeError {
    text: String,
    reason: String,
}

impl FromStr for Change {
    type Err = ChangeError;

    fn from_str(text: &str) -> Result<Self, ChangeError> {
        let error = |reason: String| ChangeError { text: text.to_owned(), reason };
        let (path, value) = text.split_once('=').ok_or_else(|| error("got no `=`".to_owned()))?;
        let keys: Vec<String> = path.split('.').map(str::to_owned).collect();
        if keys.iter().any(String::is_empty) {
            return Err(error(format!("got the path `{path}`")));
        }
        let (node, _) = Node::parse(value)
            .map_err(|malformed| error(format!("and the value is no YAML: {}", malformed.message)))?;
        Ok(Self { text: text.to_owned(), keys, value: node.value })
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Change {
    /// Makes the change in a tree.
    pub(crate) fn apply(&self, root: &mut Node) {
        let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        root.set(&keys, self.value.clone());
    }
}
