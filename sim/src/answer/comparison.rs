//! Two sides of one question: measures side by side, then what differs in the networks, as Markdown.

use std::{collections::BTreeSet, fmt::Write};

use similar::TextDiff;

use super::table::{Row, Table};
use crate::run::measure::{Measure, plain};

/// Lines of a difference of two networks that are shown.
const LINES: usize = 120;

/// One side.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// What it is called.
    pub name: String,
    /// What it measured.
    pub table: Table,
    /// The chain at the end of each case, as text.
    pub chains: Vec<(String, String)>,
}

/// A case of each side that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// Of the first side.
    pub a: &'a Row,
    /// Of the second side.
    pub b: &'a Row,
}

/// The cases of both sides that belong together: by their variables where both have them, else by their order.
pub fn pairs<'a>(a: &'a Side, b: &'a Side) -> Vec<Pair<'a>> {
    let (a, b) = (&a.table.rows, &b.table.rows);
    let named = a.iter().all(|row| b.iter().filter(|other| other.variables == row.variables).count() == 1);
    match named {
        true => a
            .iter()
            .filter_map(|row| Some(Pair { a: row, b: b.iter().find(|other| other.variables == row.variables)? }))
            .collect(),
        false => a.iter().zip(b).map(|(a, b)| Pair { a, b }).collect(),
    }
}

impl Pair<'_> {
    /// What both are called.
    pub fn label(&self) -> String {
        if self.a.case == self.b.case { self.a.case.clone() } else { format!("{} and {}", self.a.case, self.b.case) }
    }

    /// Each measure: its name, its value on either side, and the difference. The outcome is among them if it differs.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let passed = |row: &Row| if row.passed == row.seeds.len() { "passed" } else { "failed" };
        let mut rows = Vec::new();
        if passed(self.a) != passed(self.b) {
            rows.push(["outcome", passed(self.a), passed(self.b), ""].map(str::to_owned).to_vec());
        }
        let names: BTreeSet<_> = self.a.measures.keys().chain(self.b.measures.keys()).collect();
        let show = |measure: Option<&Measure>| measure.map_or_else(|| "-".to_owned(), Measure::show);
        rows.extend(names.into_iter().map(|name| {
            let (left, right) = (self.a.measures.get(name), self.b.measures.get(name));
            vec![name.clone(), show(left), show(right), difference(left, right)]
        }));
        rows
    }

    /// What differs between the chains that both end with, line by line; nothing if they are equal.
    pub fn difference(&self, a: &Side, b: &Side) -> Vec<String> {
        let chain = |side: &Side, case: &str| {
            side.chains.iter().find(|(name, _)| name == case).map(|(_, text)| text.clone()).unwrap_or_default()
        };
        let (left, right) = (chain(a, &self.a.case), chain(b, &self.b.case));
        let whole =
            TextDiff::from_lines(&left, &right).unified_diff().context_radius(2).header(&a.name, &b.name).to_string();
        let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
        if lines.len() > LINES {
            let more = lines.len() - LINES;
            lines.truncate(LINES);
            lines.push(format!("... {more} more lines"));
        }
        lines
    }
}

/// Both sides as Markdown that can be pasted into a review.
pub fn markdown(a: &Side, b: &Side) -> String {
    let mut text = String::new();
    for pair in pairs(a, b) {
        let _ = writeln!(text, "### {}\n", pair.label());
        let _ = writeln!(text, "| measure | {} | {} | difference |\n|---|---|---|---|", a.name, b.name);
        for row in pair.rows() {
            let _ = writeln!(text, "| {} |", row.join(" | ").trim_end());
        }
        text.push('\n');
        let lines = pair.difference(a, b);
        text.push_str(&match lines.is_empty() {
            true => "The networks are equal.\n\n".to_owned(),
            false => format!(
                "<details><summary>The networks differ</summary>\n\n```diff\n{}\n```\n\n</details>\n\n",
                lines.join("\n")
            ),
        });
    }
    text
}

/// How far two numbers are apart, by their medians; of texts, whether they are equal.
fn difference(a: Option<&Measure>, b: Option<&Measure>) -> String {
    match (a, b) {
        (Some(a), Some(b)) if a == b => "=".to_owned(),
        (Some(a), Some(b)) => match (a.median(), b.median()) {
            (Some(a), Some(b)) if a != 0.0 => {
                let sign = if b >= a { "+" } else { "-" };
                format!("{sign}{} ({sign}{:.0} %)", plain((b - a).abs()), ((b - a) / a).abs() * 100.0)
            }
            (Some(a), Some(b)) => format!("{}{}", if b >= a { "+" } else { "-" }, plain((b - a).abs())),
            _ => "differs".to_owned(),
        },
        _ => "only one side".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::measure::Unit;

    fn side(name: &str, tunnels: f64, chain: &str) -> Side {
        let row = Row {
            case: "metro".to_owned(),
            variables: Default::default(),
            seeds: vec![1],
            passed: 1,
            measures: [
                ("limit".to_owned(), Measure::text(name)),
                ("tunnels".to_owned(), Measure::number(Unit::Count, tunnels)),
            ]
            .into(),
        };
        Side {
            name: name.to_owned(),
            table: Table { rows: vec![row] },
            chains: vec![("metro".to_owned(), chain.to_owned())],
        }
    }

    #[test]
    fn measures_stand_side_by_side_and_the_networks_below() {
        assert_eq!(
            markdown(&side("a", 4.0, "x\ny\n"), &side("b", 6.0, "x\nz\n")),
            "### metro\n\n| measure | a | b | difference |\n|---|---|---|---|\n| limit | a | b | differs |\n\
             | tunnels | 4 | 6 | +2 (+50 %) |\n\n<details><summary>The networks differ</summary>\n\n```diff\n--- a\n+++ b\n\
             @@ -1,2 +1,2 @@\n x\n-y\n+z\n```\n\n</details>\n\n"
        );
    }

    #[test]
    fn equal_sides_say_so() {
        let text = markdown(&side("a", 4.0, "x\n"), &side("a", 4.0, "x\n"));
        assert!(text.contains("| tunnels | 4 | 4 | = |") && text.contains("The networks are equal."), "{text}");
    }

    #[test]
    fn less_is_negative_and_one_sided_measures_show() {
        let (number, none) = (Some(Measure::number(Unit::Count, 4.0)), None);
        assert_eq!(difference(number.as_ref(), Some(&Measure::number(Unit::Count, 3.0))), "-1 (-25 %)");
        assert_eq!(difference(number.as_ref(), none.as_ref()), "only one side");
    }
}
