//! Measured values: with their unit, and summaries of many samples.

use serde::{Deserialize, Serialize};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Things: users, units of a pool, packets.
    #[strum(serialize = "")]
    Count,
    /// Time, in milliseconds.
    #[strum(serialize = "ms")]
    Milliseconds,
}

/// A measured value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Measure {
    /// One or more numbers of one unit, in the order in which they were taken.
    Numbers {
        /// What they count.
        unit: Unit,
        /// The samples; at least one.
        samples: Vec<f64>,
    },
    /// A word or a sentence, such as what refused.
    Text {
        /// What it says.
        text: String,
    },
}

impl Measure {
    /// One number.
    pub fn number(unit: Unit, value: f64) -> Self {
        Self::Numbers { unit, samples: vec![value] }
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// The sample at a share of the sorted samples, 0 the least and 1 the greatest (nearest rank); none of a text.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let Self::Numbers { samples, .. } = self else { return None };
        let mut sorted = samples.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
    }

    /// The median; of a single sample, the sample.
    pub fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// True if it stands for samples that are not all equal.
    pub fn is_spread(&self) -> bool {
        self.quantile(0.0) != self.quantile(1.0)
    }

    /// As people read it: `12`, `3.4 ms`, `3.4 ms (p99 9.1)`, or the text.
    pub fn show(&self) -> String {
        match self {
            Self::Text { text } => text.clone(),
            Self::Numbers { unit, .. } => {
                let middle = self.median().map(plain).unwrap_or_default();
                let unit = unit.to_string();
                let space = if unit.is_empty() { "" } else { " " };
                match self.quantile(0.99).filter(|_| self.is_spread()) {
                    Some(p99) => format!("{middle}{space}{unit} (p99 {})", plain(p99)),
                    None => format!("{middle}{space}{unit}"),
                }
            }
        }
    }

    /// Adds the samples of another measure of the same name, as several runs of one case give them.
    ///
    /// Texts that differ are listed; a number and a text are both kept as text.
    pub fn merge(&mut self, other: &Self) {
        if let (Self::Numbers { unit, samples }, Self::Numbers { unit: other_unit, samples: more }) =
            (&mut *self, other)
            && unit == other_unit
        {
            samples.extend(more);
        } else if self != other {
            *self = Self::text(format!("{}; {}", self.show(), other.show()));
        }
    }
}

/// A number without a tail of zeros, to three decimals.
pub fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(samples: &[f64]) -> Measure {
        Measure::Numbers { unit: Unit::Milliseconds, samples: samples.to_vec() }
    }

    #[test]
    fn quantiles_are_samples() {
        let measure = spread(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!(measure.median(), Some(3.0));
        assert_eq!(measure.quantile(0.0), Some(1.0));
        assert_eq!(measure.quantile(0.99), Some(5.0));
        assert_eq!(Measure::text("x").median(), None);
    }

    #[test]
    fn people_read_a_unit_and_a_spread() {
        assert_eq!(Measure::number(Unit::Count, 12.0).show(), "12");
        assert_eq!(Measure::number(Unit::Milliseconds, 3.45).show(), "3.45 ms");
        assert_eq!(spread(&[1.0, 2.0, 9.0]).show(), "2 ms (p99 9)");
        assert_eq!(spread(&[2.0, 2.0]).show(), "2 ms");
        assert_eq!(Measure::text("nyc1:tunnel-ids").show(), "nyc1:tunnel-ids");
    }

    #[test]
    fn runs_of_one_case_are_samples_of_it() {
        let mut measure = spread(&[1.0]);
        measure.merge(&spread(&[3.0]));
        assert_eq!(measure, spread(&[1.0, 3.0]));
        let mut text = Measure::text("a");
        text.merge(&Measure::text("a"));
        assert_eq!(text, Measure::text("a"));
        text.merge(&Measure::text("b"));
        assert_eq!(text, Measure::text("a; b"));
    }
}
