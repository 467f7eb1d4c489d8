//! Quantities with their unit in the type. How they are written in text is the scenario language's business.

/// A number that is not the quantity it should be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UnitError {
    /// It is not a probability.
    #[error("expected a probability from 0 to 1, got {0}")]
    Probability(f64),
}

/// A rate in bits per second, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitRate(u64);

impl BitRate {
    /// A rate of `bits_per_second`; `None` for zero, which would be a blocked path rather than a slow one.
    pub const fn from_bits_per_second(bits_per_second: u64) -> Option<Self> {
        if bits_per_second == 0 { None } else { Some(Self(bits_per_second)) }
    }

    /// Bits per second.
    pub const fn bits_per_second(self) -> u64 {
        self.0
    }

    /// Nanoseconds that `bytes` occupy the line, rounded up.
    pub fn transmission_ns(self, bytes: u64) -> u64 {
        let ns = (u128::from(bytes) * 8 * 1_000_000_000).div_ceil(u128::from(self.0));
        u64::try_from(ns).unwrap_or(u64::MAX)
    }

    /// Bytes that the line carries in `ns` nanoseconds, rounded up.
    pub fn bytes_in_ns(self, ns: u64) -> u64 {
        let bytes = (u128::from(ns) * u128::from(self.0)).div_ceil(8 * 1_000_000_000);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// A probability from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Probability(f64);

impl Probability {
    /// What never happens.
    pub const ZERO: Self = Self(0.0);
    /// What always happens.
    pub const ONE: Self = Self(1.0);

    /// A probability of `value`; refuses what is outside 0..=1 or not a number.
    ///
    /// # Errors
    /// The value is out of range.
    pub fn new(value: f64) -> Result<Self, UnitError> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(UnitError::Probability(value)) }
    }

    /// The value from 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Whether it is exactly zero.
    pub fn is_zero(self) -> bool {
        self.0 == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_converts_between_bytes_and_time() {
        let rate = BitRate(8_000_000);
        assert_eq!(rate.transmission_ns(1), 1_000);
        assert_eq!(rate.bytes_in_ns(1_000_000), 1_000);
        assert_eq!(BitRate(3).transmission_ns(1), 2_666_666_667);
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        assert_eq!(Probability::new(1.0), Ok(Probability::ONE));
        for value in [-0.1, 1.1, f64::INFINITY] {
            assert_eq!(Probability::new(value), Err(UnitError::Probability(value)));
        }
        assert!(Probability::new(f64::NAN).is_err());
    }
}
