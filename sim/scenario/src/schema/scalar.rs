//! Values written as one word, with their units.

use std::{borrow::Cow, fmt, marker::PhantomData, net::Ipv4Addr, str::FromStr};

use dz_policy::{Duration, quantity};
use ipnet::Ipv4Net;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// Reads a type that is written as one word through its `FromStr`, and describes it to editors.
macro_rules! word {
    ($type:ident, $expecting:literal, $description:literal, [$($example:literal),+]) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Word::<Self>($expecting, PhantomData))
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": ["string", "number"],
                    "description": $description,
                    "examples": [$($example),+],
                })
            }
        }
    };
}

/// Reads one word; a bare number counts as the word it is written as.
struct Word<T>(&'static str, PhantomData<T>);

impl<T: FromStr<Err = String>> de::Visitor<'_> for Word<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.trim().parse().map_err(|why| E::custom(format_args!("expected {}, got `{text}`: {why}", self.0)))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }
}

/// A share of a whole, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Percent(pub(crate) u32);

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match quantity(text)? {
            (thousandths, "%") if thousandths <= 100_000 => Ok(Self(thousandths as u32 * 10)),
            (0, "") => Ok(Self(0)),
            (_, "%") => Err("it is more than all".into()),
            (_, _) => Err("the sign % is missing".into()),
        }
    }
}

word!(Percent, "a percentage such as 0.5%", "a share of all packets or messages, 0% to 100%", ["0.5%", "100%"]);

/// Bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) u64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (thousandths, unit) = quantity(text)?;
        let scale: u128 = match unit {
            "bit" => 1,
            "kbit" => 1_000,
            "mbit" => 1_000_000,
            "gbit" => 1_000_000_000,
            "" => return Err("it has no unit; units are bit, kbit, mbit, gbit".into()),
            _ => return Err(format!("`{unit}` is no unit of rate; units are bit, kbit, mbit, gbit")),
        };
        match u64::try_from(thousandths * scale / 1000) {
            Ok(0) => Err("it must be more than 0".into()),
            Ok(rate) => Ok(Self(rate)),
            Err(_) => Err("it is too large".into()),
        }
    }
}

word!(Rate, "a rate such as 1gbit", "bits per second: a number and bit, kbit, mbit or gbit", ["100mbit", "1gbit"]);

/// Numbers from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<u16>().map_err(|_| format!("`{text}` is no number up to 65535"));
        let (first, last) = text.split_once("..").ok_or_else(|| "the two dots are missing".to_owned())?;
        let (first, last) = (number(first)?, number(last)?);
        if first > last { Err("it ends before it begins".into()) } else { Ok(Self { first, last }) }
    }
}

word!(Range, "a range such as 100..199", "numbers from the first to the last, both included", ["100..199"]);

/// An IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address(pub(crate) Ipv4Addr);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let why =
            if text.contains('/') { "a single address has no length" } else { "it is not four numbers up to 255" };
        text.parse().map(Self).map_err(|_| why.to_owned())
    }
}

word!(Address, "an address such as 9.1.2.3", "an IPv4 address", ["9.1.2.3"]);

/// An IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Net(pub(crate) Ipv4Net);

impl FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((address, _)) = text.split_once('/') else { return Err("its length is missing".into()) };
        address.parse::<Address>().map_err(|why| why.to_string())?;
        let net: Ipv4Net = text.parse().map_err(|_| "its length is not 0 to 32".to_owned())?;
        if net.trunc() == net { Ok(Self(net)) } else { Err(format!("the network is {}", net.trunc())) }
    }
}

word!(Net, "a network such as 9.1.2.0/24", "an IPv4 network", ["9.1.2.0/24"]);

/// A number that a count is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound(pub(crate) crate::plan::Bound<u64>);

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (comparison, rest) = comparison(text);
        let value = rest.parse().map_err(|_| format!("`{rest}` is no number"))?;
        Ok(Self(crate::plan::Bound { comparison, value }))
    }
}

word!(Bound, "a number such as 3 or \">= 1\"", "a number, or one of = != < <= > >= and a number", [">= 1", "0"]);

/// A duration that a time is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DurationBound(pub(crate) crate::plan::Bound<std::time::Duration>);

impl FromStr for DurationBound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (comparison, rest) = comparison(text);
        Ok(Self(crate::plan::Bound { comparison, value: rest.parse::<Duration>()?.0 }))
    }
}

word!(DurationBound, "a bound such as \"< 30ms\"", "one of = != < <= > >= and a duration", ["< 30ms"]);

/// Splits `>= 1` into its sign and the rest; no sign means equal.
pub(crate) fn comparison(text: &str) -> (crate::plan::Comparison, &str) {
    use crate::plan::Comparison::{AtLeast, AtMost, Equal, Less, More, NotEqual};
    const SIGNS: [(&str, crate::plan::Comparison); 7] =
        [(">=", AtLeast), ("<=", AtMost), ("!=", NotEqual), ("==", Equal), (">", More), ("<", Less), ("=", Equal)];
    SIGNS
        .iter()
        .find_map(|(sign, comparison)| Some((*comparison, text.strip_prefix(sign)?.trim())))
        .unwrap_or((Equal, text))
}

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OneOrMany<T>(pub(crate) Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list of values")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(OneOrMany(items))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany<T>, E> {
                T::deserialize(de::value::StrDeserializer::new(text)).map(|item| OneOrMany(vec![item]))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<OneOrMany<T>, E> {
                T::deserialize(de::value::U64Deserializer::new(value)).map(|item| OneOrMany(vec![item]))
            }
        }

        deserializer.deserialize_any(Visitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}
