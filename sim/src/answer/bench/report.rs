//! Figures as a table, beside those of another time or machine.
//!
//! A slower machine is no regression: where every figure is half as good, nothing has become worse. So beside each ratio
//! to the stored figure stands that ratio against the median of all, and only one that stands out is marked.

use std::{
    fmt::{self, Write as _},
    fs,
};

use serde::{Deserialize, Serialize};

/// A figure that is this many times worse than the others have become is worth a look: benches of one machine differ by less.
const MARKED: f64 = 1.3;

/// Which way a figure is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
}

/// What came of measuring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A number.
    Measured(f64),
    /// None, for this reason.
    Missing(String),
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What is measured.
    pub what: String,
    /// How much it is.
    pub value: Value,
    /// Its unit.
    pub unit: String,
    /// What it should be on two cores, in a release build.
    pub aim: f64,
    /// Which way it is good.
    pub better: Better,
}

/// What figures were taken on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its processor, as it calls itself.
    pub processor: String,
    /// How many of them.
    pub processors: usize,
    /// Its memory.
    pub memory_gib: u64,
    /// Its kernel.
    pub kernel: String,
    /// Whether this program is a release build or one for debugging.
    pub build: String,
    /// What else it did: the load of the last minute when the first figure was taken.
    pub load: String,
}

/// Figures and what they were taken on: the content of a stored table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// What.
    pub figures: Vec<Figure>,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let unknown = || "unknown".to_owned();
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kib: u64 = memory.and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(0);
        Self {
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            processors: std::thread::available_parallelism().map_or(1, Into::into),
            memory_gib: kib.div_ceil(1 << 20),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            build: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
            load: read("/proc/loadavg").split(' ').next().unwrap_or("unknown").to_owned(),
        }
    }
}

impl Figure {
    fn measured(&self) -> Option<f64> {
        match self.value {
            Value::Measured(value) => Some(value),
            Value::Missing(_) => None,
        }
    }

    /// A figure without a value has missed nothing.
    fn misses_aim(&self) -> bool {
        self.measured().is_some_and(|value| match self.better {
            Better::Lower => value > self.aim,
            Better::Higher => value < self.aim,
        })
    }

    /// Times worse than a stored figure.
    fn worse_than(&self, stored: &Self) -> Option<f64> {
        let (here, there) = (self.measured()?, stored.measured()?);
        Some(match self.better {
            Better::Lower => here / there,
            Better::Higher => there / here,
        })
    }

    fn shown(&self, value: f64) -> String {
        let digits = match value.abs() {
            value if value >= 100.0 => 0,
            value if value >= 1.0 => 1,
            _ => 2,
        };
        format!("{value:.digits$} {}", self.unit).trim_end().to_owned()
    }

    fn value(&self) -> String {
        match &self.value {
            Value::Measured(value) => self.shown(*value),
            Value::Missing(reason) => format!("not measured: {reason}"),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.value())
    }
}

impl Report {
    /// As a table, beside stored figures if there are any.
    pub fn markdown(&self, stored: Option<&Self>) -> String {
        let Machine { processor, processors, memory_gib, kernel, build, load } = &self.machine;
        let mut text = format!(
            "{processors} x {processor}, {memory_gib} GiB, Linux {kernel}, {build} build, load {load} at the start\n\n"
        );
        let old = |figure: &Figure| stored?.figures.iter().find(|old| old.what == figure.what);
        let mut ratios: Vec<f64> = self.figures.iter().filter_map(|figure| figure.worse_than(old(figure)?)).collect();
        ratios.sort_by(f64::total_cmp);
        let median = ratios.get(ratios.len() / 2).copied().unwrap_or(1.0);
        text.push_str(match stored {
            Some(_) => "| what | here | aim | stored | times worse | than the rest |\n|---|---|---|---|---|---|\n",
            None => "| what | here | aim |\n|---|---|---|\n",
        });
        for figure in &self.figures {
            let bound = if figure.better == Better::Lower { "under" } else { "over" };
            let missed = if figure.misses_aim() { " (not met)" } else { "" };
            let (here, aim) = (figure.value(), figure.shown(figure.aim));
            // Writing to a text cannot fail.
            let _ = write!(text, "| {} | {here} | {bound} {aim}{missed} |", figure.what);
            if stored.is_some() {
                let stored = old(figure);
                let there = stored.map_or_else(|| "-".to_owned(), Figure::value);
                let _ = match stored.and_then(|stored| figure.worse_than(stored)) {
                    Some(ratio) => {
                        let apart = ratio / median;
                        let mark = if apart > MARKED { " slower" } else { "" };
                        write!(text, " {there} | {ratio:.2} | {apart:.2}{mark} |")
                    }
                    None => write!(text, " {there} | - | - |"),
                };
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(values: [f64; 3]) -> Report {
        let machine = Machine {
            processor: "Some CPU".to_owned(),
            processors: 2,
            memory_gib: 24,
            kernel: "6.1".to_owned(),
            build: "release".to_owned(),
            load: "0.10".to_owned(),
        };
        let figure = |what: &str, value, unit: &str, aim, better| Figure {
            what: what.to_owned(),
            value: Value::Measured(value),
            unit: unit.to_owned(),
            aim,
            better,
        };
        let [a, b, c] = values;
        let figures = vec![
            figure("the suite", a, "s", 5.0, Better::Lower),
            figure("seconds a second", b, "", 1000.0, Better::Higher),
            figure("a connect", c, "s", 1.5, Better::Lower),
        ];
        Report { machine, figures }
    }

    #[test]
    fn a_table_says_what_was_taken_where_and_which_aims_are_met() {
        let expected = "\
2 x Some CPU, 24 GiB, Linux 6.1, release build, load 0.10 at the start

| what | here | aim |
|---|---|---|
| the suite | 4.2 s | under 5.0 s |
| seconds a second | 900 | over 1000 (not met) |
| a connect | 0.25 s | under 1.5 s |
";
        assert_eq!(report([4.2, 900.0, 0.25]).markdown(None), expected);
    }

    #[test]
    fn a_slower_machine_is_no_regression_and_a_slower_figure_is() {
        let stored = report([4.0, 1000.0, 0.25]);
        let slower_machine = report([8.0, 500.0, 0.5]).markdown(Some(&stored));
        assert!(
            slower_machine.contains("| the suite | 8.0 s | under 5.0 s (not met) | 4.0 s | 2.00 | 1.00 |"),
            "{slower_machine}"
        );
        assert!(!slower_machine.contains("slower"), "{slower_machine}");
        let slower_suite = report([8.0, 1000.0, 0.25]).markdown(Some(&stored));
        assert!(slower_suite.contains("| 4.0 s | 2.00 | 2.00 slower |"), "{slower_suite}");
    }

    #[test]
    fn a_row_that_could_not_be_measured_says_why_and_is_compared_with_nothing() {
        let mut here = report([4.0, 1000.0, 0.25]);
        let stored = here.clone();
        here.figures[2].value = Value::Missing("no user namespaces".to_owned());
        let text = here.markdown(Some(&stored));
        let row = "| a connect | not measured: no user namespaces | under 1.5 s | 0.25 s | - | - |";
        assert_eq!(text.lines().last(), Some(row), "{text}");
        let json = serde_json::to_string(&here).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), here);
    }
}
