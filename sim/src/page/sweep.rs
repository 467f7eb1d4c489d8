//! The page of a sweep: its table, a picture of each measure, and the cases that did not pass.

use maud::{Markup, PreEscaped, html};

use super::{record::Record, run, shell};
use crate::answer::{plot, table::Table};

/// The page.
pub fn page(table: &Table, failed: &[Record]) -> String {
    let runs: usize = table.rows.iter().map(|row| row.seeds.len()).sum();
    let passed: usize = table.rows.iter().map(|row| row.passed).sum();
    let title = format!("Sweep: {passed} of {runs} runs passed");
    let body = html! {
        h1 { (title) }
        div.scroll { (as_table(table)) }
        @for measure in plot::numeric(table) {
            // More than two variables have no picture.
            @if let Ok(svg) = plot::svg(table, Some(measure)) {
                (shell::picture(measure, &html! { div.draw { (PreEscaped(svg)) } }, &as_table(&table.only(measure))))
            }
        }
        @if !failed.is_empty() {
            h2 { "Did not pass" }
            @for record in failed { (run::case(record, false)) }
        }
    };
    shell::page(&title, &body)
}

fn as_table(table: &Table) -> Markup {
    let mut cells = table.cells().into_iter();
    let titles = cells.next().unwrap_or_default();
    shell::table(&titles.iter().map(String::as_str).collect::<Vec<_>>(), cells)
}
