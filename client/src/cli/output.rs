//! Answers: a table to read or JSON to parse, from the same rows.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets::NOTHING};
use serde::Serialize;

/// How a command answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// A row of a table.
pub trait Row: Serialize {
    /// The columns' names.
    const COLUMNS: &'static [&'static str];

    /// The cells, one a column.
    fn cells(&self) -> Vec<String>;
}

/// Writes the rows.
///
/// # Errors
/// The output cannot be written.
pub fn rows<R: Row>(out: &mut dyn Write, format: Format, rows: &[R]) -> io::Result<()> {
    match format {
        Format::Json => json(out, &rows),
        Format::Table => {
            let mut table = Table::new();
            table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
            table.set_header(R::COLUMNS.iter().copied());
            for row in rows {
                table.add_row(row.cells());
            }
            for column in table.column_iter_mut() {
                column.set_padding((0, 2));
            }
            // The library pads the last column; a line that ends in blanks is noise in a diff.
            table.lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
        }
    }
}

/// Writes one row: for people a line for each column.
///
/// # Errors
/// The output cannot be written.
pub fn one<R: Row>(out: &mut dyn Write, format: Format, row: &R) -> io::Result<()> {
    match format {
        Format::Json => json(out, row),
        Format::Table => {
            let width = R::COLUMNS.iter().map(|column| column.len()).max().unwrap_or_default();
            let mut lines = R::COLUMNS.iter().zip(row.cells());
            lines.try_for_each(|(column, cell)| writeln!(out, "{column:width$}  {cell}"))
        }
    }
}

/// Writes a value as JSON.
///
/// # Errors
/// The output cannot be written.
pub fn json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// A value as people read it, or `-`.
pub fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// A time as people read it, or `-`.
pub fn millis(nanos: Option<u64>) -> String {
    or_dash(nanos.map(|nanos| format!("{:.3}ms", nanos as f64 / 1e6)))
}

/// A list as people read it, or `-`.
pub fn list(items: &[String]) -> String {
    if items.is_empty() { "-".to_owned() } else { items.join(",") }
}
