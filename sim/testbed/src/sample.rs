//! Measured values in their order.

/// At least one measured value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    sorted: Vec<f64>,
}

impl Sample {
    /// Sorts the values.
    ///
    /// # Panics
    /// There is none.
    pub fn new(mut values: Vec<f64>) -> Self {
        assert!(!values.is_empty(), "nothing was measured");
        values.sort_by(f64::total_cmp);
        Self { sorted: values }
    }

    /// The value that this share of all is not above, from 0 to 1.
    pub fn quantile(&self, share: f64) -> f64 {
        self.sorted[((self.sorted.len() - 1) as f64 * share).round() as usize]
    }

    /// The value in the middle.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::Sample;

    #[test]
    fn quantiles_are_values_of_the_sample() {
        let sample = Sample::new((0..=200).rev().map(f64::from).collect());
        let quantiles = [0.0, 0.5, 0.99, 1.0].map(|share| sample.quantile(share));
        assert_eq!((quantiles, sample.median()), ([0.0, 100.0, 198.0, 200.0], 100.0));
    }
}
