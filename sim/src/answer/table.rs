//! Cases by measures: the table that a sweep gives, and its forms.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::run::measure::Measure;

/// One case, or several runs of it that differ in their seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The case.
    pub case: String,
    /// The values of its variables.
    pub variables: BTreeMap<String, String>,
    /// The seeds it was run with.
    pub seeds: Vec<u64>,
    /// How many of its runs passed.
    pub passed: usize,
    /// What was measured.
    pub measures: BTreeMap<String, Measure>,
}

/// All rows, in the order of the cases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The rows.
    pub rows: Vec<Row>,
}

/// Forms of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Form {
    /// Aligned columns.
    Table,
    /// Comma-separated values (RFC 4180), each number by its median and its 99th percentile.
    Csv,
    /// Everything, with all samples.
    Json,
    /// A Markdown table.
    Md,
}

impl Table {
    /// Takes a run in; one of a case that is there adds its seed and its samples to that row.
    pub fn add(&mut self, row: Row) {
        let Some(known) = self.rows.iter_mut().find(|known| known.case == row.case) else {
            self.rows.push(row);
            return;
        };
        known.seeds.extend(row.seeds);
        known.passed += row.passed;
        for (name, measure) in row.measures {
            match known.measures.get_mut(&name) {
                Some(known) => known.merge(&measure),
                None => drop(known.measures.insert(name, measure)),
            }
        }
    }

    /// One table of several parts, as the shards of a sweep leave them: each has every n-th case, so that taking a row
    /// of each in turn gives the order of the whole.
    pub fn merge(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut parts: Vec<_> = parts.into_iter().map(|part| part.rows.into_iter()).collect();
        let mut whole = Self::default();
        while parts.iter_mut().filter_map(|part| part.next()).map(|row| whole.add(row)).count() > 0 {}
        whole
    }

    /// The names of all variables, in order.
    pub fn variables(&self) -> Vec<&str> {
        names(self.rows.iter().map(|row| row.variables.keys()))
    }

    /// The names of all measures, in order.
    pub fn measures(&self) -> Vec<&str> {
        names(self.rows.iter().map(|row| row.measures.keys()))
    }

    /// The same table with this one measure.
    pub fn only(&self, measure: &str) -> Self {
        let mut only = self.clone();
        only.rows.iter_mut().for_each(|row| row.measures.retain(|name, _| name == measure));
        only
    }

    /// True if every run passed.
    pub fn all_passed(&self) -> bool {
        self.rows.iter().all(|row| row.passed == row.seeds.len())
    }

    /// The table in a form.
    pub fn render(&self, form: Form) -> String {
        match form {
            Form::Json => format!("{:#}\n", serde_json::json!(self)),
            Form::Csv => self.csv(),
            Form::Md => self.markdown(),
            Form::Table => self.columns(),
        }
    }

    /// Column titles and cells as people read them. A case without variables is called by its name.
    pub(crate) fn cells(&self) -> Vec<Vec<String>> {
        let (variables, measures) = (self.variables(), self.measures());
        let outcome = !self.all_passed();
        let head = if variables.is_empty() { vec!["case"] } else { variables.clone() };
        let titles = head.iter().chain(&measures).copied().chain(outcome.then_some("passed"));
        let mut cells = vec![titles.map(str::to_owned).collect::<Vec<_>>()];
        for row in &self.rows {
            let mut line = match variables.is_empty() {
                true => vec![row.case.clone()],
                false => variables.iter().map(|name| row.variables.get(*name).cloned().unwrap_or_default()).collect(),
            };
            line.extend(measures.iter().map(|name| row.measures.get(*name).map(Measure::show).unwrap_or_default()));
            if outcome {
                line.push(format!("{} of {}", row.passed, row.seeds.len()));
            }
            cells.push(line);
        }
        cells
    }

    fn markdown(&self) -> String {
        let mut cells = self.cells().into_iter();
        let line = |cells: Vec<String>| {
            let cells: Vec<_> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let titles = cells.next().unwrap_or_default();
        let rule = format!("|{}\n", "---|".repeat(titles.len()));
        std::iter::once(line(titles)).chain([rule]).chain(cells.map(line)).collect()
    }

    fn columns(&self) -> String {
        let cells = self.cells();
        let width =
            |column: usize| cells.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<_> = (0..).map_while(width).collect();
        let line = |cells: &Vec<String>| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect::<Vec<_>>();
            format!("{}\n", padded.join("  ").trim_end())
        };
        cells.iter().map(line).collect()
    }

    fn csv(&self) -> String {
        let (variables, measures) = (self.variables(), self.measures());
        let spread: BTreeSet<&str> = measures
            .iter()
            .copied()
            .filter(|name| self.rows.iter().any(|row| row.measures.get(*name).is_some_and(Measure::is_spread)))
            .collect();
        let mut titles: Vec<String> = ["case", "runs", "passed"].map(str::to_owned).to_vec();
        titles.extend(variables.iter().map(|name| (*name).to_owned()));
        for name in &measures {
            titles.push((*name).to_owned());
            titles.extend(spread.contains(name).then(|| format!("{name} p99")));
        }
        let mut text = record(&titles);
        for row in &self.rows {
            let mut line = vec![row.case.clone(), row.seeds.len().to_string(), row.passed.to_string()];
            line.extend(variables.iter().map(|name| row.variables.get(*name).cloned().unwrap_or_default()));
            for name in &measures {
                let measure = row.measures.get(*name);
                let number =
                    |share| measure.and_then(|measure| measure.quantile(share)).map(crate::run::measure::plain);
                line.push(number(0.5).or_else(|| measure.map(Measure::show)).unwrap_or_default());
                line.extend(spread.contains(name).then(|| number(0.99).unwrap_or_default()));
            }
            text.push_str(&record(&line));
        }
        text
    }
}

fn names<'a>(keys: impl Iterator<Item = impl Iterator<Item = &'a String>>) -> Vec<&'a str> {
    keys.flatten().map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A line of comma-separated values (RFC 4180 section 2).
fn record(cells: &[String]) -> String {
    let quoted = cells.iter().map(|cell| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.clone(),
    });
    format!("{}\r\n", quoted.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::measure::Unit;

    fn row(endpoints: &str, seed: u64, tunnels: f64, refused: &str) -> Row {
        Row {
            case: format!("metro[{endpoints}]"),
            variables: BTreeMap::from([("endpoints".to_owned(), endpoints.to_owned())]),
            seeds: vec![seed],
            passed: 1,
            measures: BTreeMap::from([
                ("refused by".to_owned(), Measure::text(refused)),
                ("tunnels".to_owned(), Measure::number(Unit::Count, tunnels)),
            ]),
        }
    }

    fn table() -> Table {
        let rows = [row("1", 1, 3.0, "pair, \"U\""), row("2", 1, 6.0, "ids"), row("2", 2, 8.0, "ids")];
        Table::merge(rows.map(|row| Table { rows: vec![row] }))
    }

    #[test]
    fn seeds_of_a_case_are_one_row() {
        let table = table();
        assert_eq!(table.rows.len(), 2);
        assert_eq!(table.rows[1].seeds, [1, 2]);
        assert_eq!(table.rows[1].measures["tunnels"], Measure::Numbers { unit: Unit::Count, samples: vec![6.0, 8.0] });
    }

    #[test]
    fn shards_are_merged_in_the_order_of_the_whole() {
        let part = |cases: [&str; 2]| Table { rows: cases.map(|case| row(case, 1, 1.0, "ids")).into() };
        let order =
            |table: Table| table.rows.into_iter().map(|row| row.variables["endpoints"].clone()).collect::<Vec<_>>();
        assert_eq!(order(Table::merge([part(["1", "3"]), part(["2", "4"])])), ["1", "2", "3", "4"]);
    }

    #[test]
    fn every_form_says_the_same() {
        let table = table();
        assert_eq!(
            table.render(Form::Table),
            "endpoints  refused by  tunnels\n1          pair, \"U\"   3\n2          ids         6 (p99 8)\n"
        );
        assert_eq!(
            table.render(Form::Md),
            "| endpoints | refused by | tunnels |\n|---|---|---|\n| 1 | pair, \"U\" | 3 |\n| 2 | ids | 6 (p99 8) |\n"
        );
        assert_eq!(
            table.render(Form::Csv),
            "case,runs,passed,endpoints,refused by,tunnels,tunnels p99\r\nmetro[1],1,1,1,\"pair, \"\"U\"\"\",3,3\r\n\
             metro[2],2,2,2,ids,6,8\r\n"
        );
        let read: Table = serde_json::from_str(&table.render(Form::Json)).unwrap();
        assert_eq!(read, table);
    }

    #[test]
    fn a_run_that_failed_shows() {
        let mut table = table();
        table.rows[0].passed = 0;
        assert!(table.render(Form::Table).ends_with("2          ids         6 (p99 8)  2 of 2\n"));
        assert!(table.render(Form::Table).contains("3          0 of 1\n"));
    }
}
