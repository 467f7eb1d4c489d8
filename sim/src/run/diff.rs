//! A line diff for people: what changed, with a little around it.

use serde::{Deserialize, Serialize};
use similar::{ChangeTag, TextDiff};

/// Two texts that should be equal and are not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What was compared.
    pub of: String,
    /// The lines that differ, `-` before expected ones and `+` before actual ones, with some that do not.
    pub lines: String,
}

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// The difference between two texts: `-` is the old, `+` the new.
pub fn lines(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut out = String::new();
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            out.push_str("...\n");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            out.push(sign);
            out.push_str(change.value());
            if change.missing_newline() {
                out.push('\n');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_changed_line_is_shown_with_both_texts() {
        assert_eq!(super::lines("a\nb\nc\n", "a\nx\nc\n"), " a\n-b\n+x\n c\n");
    }
}
