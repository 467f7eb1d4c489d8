//! The page of a comparison: measures side by side, then the networks.

use maud::{Markup, html};

use super::{network, record::Record, run, shell};
use crate::answer::comparison::{self, Pair, Side};

/// The page of two sides, with the records of their cases.
pub fn page(a: &Side, b: &Side, records: (&[Record], &[Record])) -> String {
    let title = format!("{} and {}", a.name, b.name);
    let body = html! {
        h1 { (title) }
        @for pair in comparison::pairs(a, b) { (one(&pair, a, b, records)) }
        h2 { (a.name) }
        @for record in records.0 { (run::case(record, false)) }
        h2 { (b.name) }
        @for record in records.1 { (run::case(record, false)) }
    };
    shell::page(&title, &body)
}

fn one(pair: &Pair<'_>, a: &Side, b: &Side, records: (&[Record], &[Record])) -> Markup {
    let find = |records: &'_ [Record], case: &str| -> Option<usize> {
        records.iter().position(|record| record.summary.case == case)
    };
    let lines = pair.difference(a, b);
    html! {
        section {
            h2 { (pair.label()) }
            div.scroll { (shell::table(&["measure", &a.name, &b.name, "difference"], pair.rows())) }
            div.beside {
                div { h4 { (a.name) } @if let Some(at) = find(records.0, &pair.a.case) { (network::part(&records.0[at])) } }
                div { h4 { (b.name) } @if let Some(at) = find(records.1, &pair.b.case) { (network::part(&records.1[at])) } }
            }
            @if lines.is_empty() {
                p { "The networks are equal." }
            } @else {
                details {
                    summary { "The networks differ" }
                    pre { @for line in &lines { span class=(side(line)) { (line) "\n" } } }
                }
            }
        }
    }
}

fn side(line: &str) -> &'static str {
    match line.chars().next() {
        Some('-') => "less",
        Some('+') => "more",
        _ => "both",
    }
}
