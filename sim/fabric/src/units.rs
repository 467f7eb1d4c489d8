//! Quantities with their unit in the type, and how they are written in text. Knows nothing of packets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A text that is not the quantity it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// The text is not a rate.
    #[error("expected a rate such as 100mbit or 1.5gbit, got {0:?}")]
    Rate(String),
    /// The text or number is not a probability.
    #[error("expected a probability from 0 to 1, or a percentage such as 2.5%, got {0:?}")]
    Probability(String),
}

/// A rate in bits per second, never zero. In text: `9600bit`, `64kbit`, `100mbit`, `1.5gbit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitRate(u64);

const RATE_UNITS: [(&str, f64); 4] = [("gbit", 1e9), ("mbit", 1e6), ("kbit", 1e3), ("bit", 1.0)];

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

impl FromStr for BitRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || UnitError::Rate(text.to_owned());
        let (number, scale) =
            RATE_UNITS.iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, *scale))).ok_or_else(bad)?;
        let bits = number.trim_end().parse::<f64>().map_err(|_| bad())? * scale;
        if !(1.0..1e18).contains(&bits) {
            return Err(bad());
        }
        Self::from_bits_per_second(bits.round() as u64).ok_or_else(bad)
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = RATE_UNITS.iter().find(|(_, scale)| self.0.is_multiple_of(*scale as u64));
        let (unit, scale) = whole.unwrap_or(&("bit", 1.0));
        write!(f, "{}{unit}", self.0 / *scale as u64)
    }
}

impl Serialize for BitRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BitRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A probability from 0 to 1. In text also as a percentage: `2.5%`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Probability(f64);

impl Probability {
    /// What never happens.
    pub const ZERO: Self = Self(0.0);
    /// What always happens.
    pub const ONE: Self = Self(1.0);

    /// A probability of `value`; refuses what is outside 0..=1 or not a number.
    pub fn new(value: f64) -> Result<Self, UnitError> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(UnitError::Probability(value.to_string())) }
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

impl FromStr for Probability {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let bad = || UnitError::Probability(text.to_owned());
        let (number, scale) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent, 0.01));
        Self::new(number.trim_end().parse::<f64>().map_err(|_| bad())? * scale).map_err(|_| bad())
    }
}

impl Serialize for Probability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for Probability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Probability;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a probability from 0 to 1, or a percentage such as 2.5%")
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Probability, E> {
                Probability::new(value).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Probability, E> {
                Probability::new(value as f64).map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Probability, E> {
                Probability::new(value as f64).map_err(E::custom)
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Probability, E> {
                value.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// `#[serde(with = "duration")]`: a duration written as people write it, `1ms 500us`.
pub(crate) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        humantime::parse_duration(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// `#[serde(with = "durations")]`: a list of them.
pub(crate) mod durations {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(values: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| humantime::format_duration(*value).to_string()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| humantime::parse_duration(text).map_err(de::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_in_text() {
        for (text, bits) in [("1bit", 1), ("64kbit", 64_000), ("100mbit", 100_000_000), ("1.5gbit", 1_500_000_000)] {
            assert_eq!(text.parse::<BitRate>().map(BitRate::bits_per_second), Ok(bits), "{text}");
        }
        for text in ["", "0bit", "fast", "-1mbit", "10", "10mb", "nanbit", "infbit"] {
            assert_eq!(text.parse::<BitRate>(), Err(UnitError::Rate(text.to_owned())));
        }
        assert_eq!(BitRate(1_500_000_000).to_string(), "1500mbit");
    }

    #[test]
    fn rate_converts_between_bytes_and_time() {
        let rate = BitRate(8_000_000);
        assert_eq!(rate.transmission_ns(1), 1_000);
        assert_eq!(rate.bytes_in_ns(1_000_000), 1_000);
        assert_eq!(BitRate(3).transmission_ns(1), 2_666_666_667);
    }

    #[test]
    fn probabilities_in_text_and_number() {
        assert_eq!("2.5%".parse::<Probability>().map(|p| (p.get() * 1e6).round()), Ok(25_000.0));
        assert_eq!("1".parse::<Probability>(), Ok(Probability::ONE));
        for text in ["", "101%", "-0.1", "NaN", "1.1"] {
            assert_eq!(text.parse::<Probability>(), Err(UnitError::Probability(text.to_owned())));
        }
        assert_eq!(serde_json::from_str::<Probability>("0.25").unwrap().get(), 0.25);
        assert_eq!(serde_json::from_str::<Probability>("\"25%\"").unwrap().get(), 0.25);
    }
}
