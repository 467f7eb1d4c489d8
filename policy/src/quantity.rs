//! A number with its unit, as one word.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number and the unit behind it: `20ms` is (20000, "ms"), the number in thousandths.
///
/// # Errors
/// The text is negative, does not begin with a number, or has more than three digits behind the point.
pub fn quantity(text: &str) -> Result<(u128, &str), String> {
    if text.starts_with('-') {
        return Err("it must not be negative".into());
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 3 || fraction.contains('.') {
        return Err(if number.is_empty() { "a number comes first".into() } else { format!("`{number}` is no number") });
    }
    let whole: u128 = whole.parse::<u64>().map_err(|_| format!("`{whole}` is too large"))?.into();
    let thousandths = format!("{fraction:0<3}").parse::<u128>().map_err(|_| format!("`{number}` is no number"))?;
    Ok((whole * 1000 + thousandths, unit.trim()))
}

/// A length of time, written `20ms` or `1.5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub std::time::Duration);

/// Units of time in nanoseconds.
const UNITS: [(&str, u128); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

impl Duration {
    /// None.
    pub const ZERO: Self = Self(std::time::Duration::ZERO);

    /// A number of milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(std::time::Duration::from_millis(millis))
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (thousandths, unit) = quantity(text.trim())?;
        let known = UNITS.iter().find(|(name, _)| *name == unit);
        let Some((_, scale)) = known else {
            let units = UNITS.map(|(name, _)| name).join(", ");
            return Err(match unit {
                "" if thousandths == 0 => return Ok(Self(std::time::Duration::ZERO)),
                "" => format!("it has no unit; units are {units}"),
                _ => format!("`{unit}` is no unit of time; units are {units}"),
            });
        };
        let nanos = thousandths * scale / 1000;
        let nanos = u64::try_from(nanos).map_err(|_| "it is longer than 584 years".to_owned())?;
        Ok(Self(std::time::Duration::from_nanos(nanos)))
    }
}

/// In the largest unit that leaves no fraction, as it is read.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let fits = UNITS.iter().rev().find(|(_, scale)| nanos.is_multiple_of(*scale) && nanos > 0);
        let (unit, scale) = fits.copied().unwrap_or(("ms", 1_000_000));
        write!(f, "{}{unit}", nanos / scale)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as 20ms")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                text.parse().map_err(|why| {
                    E::custom(format_args!("expected {}, got `{text}`: {why}", &self as &dyn de::Expected))
                })
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Duration, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Duration, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Duration, E> {
                self.visit_str(&value.to_string())
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number"],
            "description": "a length of time: a number and ns, us, ms, s, min or h",
            "examples": ["20ms", "1.5s"],
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0", 0, "0ms")]
    #[case("20ms", 20_000_000, "20ms")]
    #[case("1.5s", 1_500_000_000, "1500ms")]
    #[case("90s", 90_000_000_000, "90s")]
    #[case("2min", 120_000_000_000, "2min")]
    #[case("1h", 3_600_000_000_000, "1h")]
    #[case("7ns", 7, "7ns")]
    fn read_and_shown(#[case] text: &str, #[case] nanos: u64, #[case] shown: &str) {
        let duration: Duration = text.parse().unwrap();
        assert_eq!((duration.0, duration.to_string().as_str()), (std::time::Duration::from_nanos(nanos), shown));
        assert_eq!(shown.parse(), Ok(duration));
    }

    #[rstest]
    #[case("20", "it has no unit; units are ns, us, ms, s, min, h")]
    #[case("20 parsec", "`parsec` is no unit of time; units are ns, us, ms, s, min, h")]
    #[case("-1s", "it must not be negative")]
    #[case("soon", "a number comes first")]
    #[case("1.2345s", "`1.2345` is no number")]
    #[case("99999999999h", "it is longer than 584 years")]
    fn not_a_duration(#[case] text: &str, #[case] why: &str) {
        assert_eq!(text.parse::<Duration>(), Err(why.to_owned()));
    }
}
