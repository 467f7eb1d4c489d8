//! A table as a picture: a line over one variable, a heat map over two, in plain SVG.

use std::fmt::Write;

use super::table::{Row, Table};
use crate::run::measure::{Measure, plain};

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlotError {
    /// The measure is not a number in every row.
    #[error("cannot plot `{0}`: expected a measure that is a number in every row, one of {1}")]
    Measure(String, String),
    /// There are no or too many variables.
    #[error("cannot plot {0} variables: expected one for a line, two for a heat map")]
    Variables(usize),
}

/// Width and height of the drawing, in user units, and the room for labels.
const SIZE: (f64, f64) = (640.0, 400.0);
const MARGIN: (f64, f64) = (70.0, 50.0);
/// Colours follow the page's; the line's own is readable on light and dark.
const STYLE: &str = ".plot text{font:12px system-ui,sans-serif;fill:currentColor}.plot path{stroke:currentColor;fill:none}.plot \
                     .data{stroke:#2b8cbe;stroke-width:2}.plot circle{fill:#2b8cbe}";

/// The measures that are numbers in every row.
pub fn numeric(table: &Table) -> Vec<&str> {
    let in_row = |name: &str, row: &Row| row.measures.get(name).and_then(Measure::median).is_some();
    let measures = table.measures().into_iter();
    measures.filter(|name| !table.rows.is_empty() && table.rows.iter().all(|row| in_row(name, row))).collect()
}

/// Draws a measure; the first that is a number in every row if none is named.
///
/// # Errors
/// If there is no such measure, or not one or two variables.
pub fn svg(table: &Table, measure: Option<&str>) -> Result<String, PlotError> {
    let number = |name: &str| -> Option<Vec<f64>> {
        table.rows.iter().map(|row| row.measures.get(name).and_then(Measure::median)).collect()
    };
    let numeric = numeric(table);
    let wanted = measure.or(numeric.first().copied()).unwrap_or_default();
    let values: Vec<f64> = match numeric.contains(&wanted) {
        true => number(wanted).unwrap_or_default(),
        false => return Err(PlotError::Measure(wanted.to_owned(), numeric.join(", "))),
    };
    let cell = |name: &str| table.rows.iter().map(|row| row.variables.get(name).cloned().unwrap_or_default()).collect();
    let body = match table.variables().as_slice() {
        [x] => line(x, &cell(x), wanted, &values),
        [x, y] => heat(x, &cell(x), y, &cell(y), &values),
        other => return Err(PlotError::Variables(other.len())),
    };
    let (width, height) = SIZE;
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" class=\"plot\" \
         style=\"color-scheme:light dark\">\n<title>{title}</title>\n\
         <desc>{desc}</desc>\n<style>{STYLE}</style>\n{body}</svg>\n",
        title = escape(wanted),
        desc = escape(&table.render(super::table::Form::Csv)),
    ))
}

/// A line with its points, over values in the order of the rows.
fn line(x: &str, at: &Vec<String>, measure: &str, values: &[f64]) -> String {
    let top = values.iter().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let place = |index: usize, value: f64| {
        let step = (SIZE.0 - 2.0 * MARGIN.0) / (values.len().max(2) - 1) as f64;
        (MARGIN.0 + step * index as f64, SIZE.1 - MARGIN.1 - (SIZE.1 - 2.0 * MARGIN.1) * value / top)
    };
    let mut out = axes(x, measure);
    let points: Vec<_> = values.iter().enumerate().map(|(index, value)| place(index, *value)).collect();
    let path: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(out, "<path class=\"data\" d=\"M{}\"/>", path.join("L"));
    for (((x, y), label), value) in points.iter().zip(at).zip(values) {
        let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
        let _ =
            writeln!(out, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>", y - 8.0, plain(*value));
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            SIZE.1 - MARGIN.1 + 16.0,
            escape(label)
        );
    }
    out
}

/// A square for each pair of values, the darker the greater.
fn heat(x: &str, at_x: &Vec<String>, y: &str, at_y: &Vec<String>, values: &[f64]) -> String {
    let distinct = |list: &Vec<String>| {
        let mut seen: Vec<String> = Vec::new();
        list.iter().for_each(|value| {
            if !seen.contains(value) {
                seen.push(value.clone())
            }
        });
        seen
    };
    let (columns, rows) = (distinct(at_x), distinct(at_y));
    let top = values.iter().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let size = ((SIZE.0 - 2.0 * MARGIN.0) / columns.len() as f64, (SIZE.1 - 2.0 * MARGIN.1) / rows.len() as f64);
    let mut out = axes(x, y);
    for ((column, row), value) in at_x.iter().zip(at_y).zip(values) {
        let place =
            |list: &[String], wanted: &String| list.iter().position(|known| known == wanted).unwrap_or_default() as f64;
        let (left, up) = (MARGIN.0 + size.0 * place(&columns, column), MARGIN.1 + size.1 * place(&rows, row));
        let _ = writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{up:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#2b8cbe\" fill-opacity=\"{:.2}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            size.0,
            size.1,
            0.1 + 0.8 * value / top,
            left + size.0 / 2.0,
            up + size.1 / 2.0 + 4.0,
            plain(*value)
        );
    }
    for (index, label) in columns.iter().enumerate() {
        let left = MARGIN.0 + size.0 * (index as f64 + 0.5);
        let _ = writeln!(
            out,
            "<text x=\"{left:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            SIZE.1 - MARGIN.1 + 16.0,
            escape(label)
        );
    }
    for (index, label) in rows.iter().enumerate() {
        let up = MARGIN.1 + size.1 * (index as f64 + 0.5) + 4.0;
        let _ =
            writeln!(out, "<text x=\"{}\" y=\"{up:.1}\" text-anchor=\"end\">{}</text>", MARGIN.0 - 8.0, escape(label));
    }
    out
}

/// Axes with the names of what they show.
fn axes(x: &str, y: &str) -> String {
    let (left, right, up, down) = (MARGIN.0, SIZE.0 - MARGIN.0, MARGIN.1, SIZE.1 - MARGIN.1);
    format!(
        "<path d=\"M{left},{up}V{down}H{right}\"/>\n<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n<text x=\"{left}\" \
         y=\"{}\">{}</text>\n",
        SIZE.0 / 2.0,
        SIZE.1 - 12.0,
        escape(x),
        up - 24.0,
        escape(y)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{answer::table::Row, run::measure::Unit};

    fn table(variables: &[&str]) -> Table {
        let row = |n: u32| Row {
            case: format!("c{n}"),
            variables: variables.iter().map(|name| ((*name).to_owned(), n.to_string())).collect(),
            seeds: vec![1],
            passed: 1,
            measures: [
                ("limit".to_owned(), Measure::text("<ids>")),
                ("tunnels".to_owned(), Measure::number(Unit::Count, f64::from(n) * 2.0)),
            ]
            .into(),
        };
        Table { rows: vec![row(1), row(2)] }
    }

    #[test]
    fn one_variable_is_a_line_and_two_are_a_map() {
        let line = svg(&table(&["n"]), None).unwrap();
        assert!(line.contains("d=\"M70.0,200.0L570.0,50.0\""), "{line}");
        assert!(line.contains("&lt;ids&gt;") && !line.contains("<ids>"), "{line}");
        let map = svg(&table(&["m", "n"]), Some("tunnels")).unwrap();
        assert_eq!(map.matches("<rect").count(), 2);
        assert!(map.contains("fill-opacity=\"0.90\""), "{map}");
    }

    #[test]
    fn what_is_no_number_is_not_drawn() {
        let text = svg(&table(&["n"]), Some("limit")).unwrap_err();
        assert_eq!(
            text.to_string(),
            "cannot plot `limit`: expected a measure that is a number in every row, one of tunnels"
        );
        assert_eq!(svg(&table(&[]), None), Err(PlotError::Variables(0)));
    }
}
