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

/// The cases of both sides that belong together: by their variables where both have them, else by their order.
fn pairs<'a>(a: &'a Table, b: &'a Table) -> Vec<(&'a Row, &'a Row)> {
    let named = a.rows.iter().all(|row| b.rows.iter().filter(|other| other.variables == row.variables).count() == 1);
    match named {
        true => a
            .rows
            .iter()
            .filter_map(|row| Some((row, b.rows.iter().find(|other| other.variables == row.variables)?)))
            .collect(),
        false => a.rows.iter().zip(&b.rows).collect(),
    }
}

/// Both sides as Markdown that can be pasted into a review.
pub fn markdown(a: &Side, b: &Side) -> String {
    let mut text = String::new();
    for (row_a, row_b) in pairs(&a.table, &b.table) {
        let _ = writeln!(text, "### {}\n", label(row_a, row_b));
        let _ = writeln!(text, "| measure | {} | {} | difference |\n|---|---|---|---|", a.name, b.name);
        let passed = |row: &Row| if row.passed == row.seeds.len() { "passed".to_owned() } else { "failed".to_owned() };
        if passed(row_a) != passed(row_b) {
            let _ = writeln!(text, "| outcome | {} | {} | |", passed(row_a), passed(row_b));
        }
        let names: BTreeSet<_> = row_a.measures.keys().chain(row_b.measures.keys()).collect();
        for name in names {
            let (left, right) = (row_a.measures.get(name), row_b.measures.get(name));
            let show = |measure: Option<&Measure>| measure.map_or_else(|| "-".to_owned(), Measure::show);
            let _ = writeln!(text, "| {name} | {} | {} | {} |", show(left), show(right), difference(left, right));
        }
        text.push('\n');
        text.push_str(&network(a, row_a, b, row_b));
    }
    text
}

fn label(a: &Row, b: &Row) -> String {
    if a.case == b.case { a.case.clone() } else { format!("{} and {}", a.case, b.case) }
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

/// What differs between the chains that two cases end with.
fn network(a: &Side, row_a: &Row, b: &Side, row_b: &Row) -> String {
    let chain = |side: &Side, case: &str| {
        side.chains.iter().find(|(name, _)| name == case).map(|(_, text)| text.clone()).unwrap_or_default()
    };
    let (left, right) = (chain(a, &row_a.case), chain(b, &row_b.case));
    if left == right {
        return "The networks are equal.\n\n".to_owned();
    }
    let whole =
        TextDiff::from_lines(&left, &right).unified_diff().context_radius(2).header(&a.name, &b.name).to_string();
    let lines: Vec<_> = whole.lines().collect();
    let more = match lines.len().checked_sub(LINES) {
        Some(more) if more > 0 => format!("... {more} more lines\n"),
        _ => String::new(),
    };
    let shown = lines.iter().take(LINES).copied().collect::<Vec<_>>().join("\n");
    format!("<details><summary>The networks differ</summary>\n\n```diff\n{shown}\n{more}```\n\n</details>\n\n")
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
