//! Values as operators type them.

use std::str::FromStr;

use solana_pubkey::Pubkey;

/// A key: its base58, or `me` for who pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyArg {
    /// Who pays.
    Me,
    /// This one.
    Key(Pubkey),
}

impl KeyArg {
    /// The key, given who pays.
    pub fn resolve(self, payer: Pubkey) -> Pubkey {
        match self {
            Self::Me => payer,
            Self::Key(key) => key,
        }
    }
}

impl FromStr for KeyArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "me" {
            return Ok(Self::Me);
        }
        text.parse().map(Self::Key).map_err(|_| "expected a key in base58 or `me`".to_owned())
    }
}

/// Bits per second: a number with `kbps`, `mbps` or `gbps`, or with `bps` or nothing.
pub(super) fn bandwidth(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let units = [("kbps", 1_000), ("mbps", 1_000_000), ("gbps", 1_000_000_000), ("bps", 1), ("", 1)];
    units
        .into_iter()
        .find_map(|(unit, factor)| lower.strip_suffix(unit)?.trim().parse::<u64>().ok()?.checked_mul(factor))
        .ok_or_else(|| "expected bits per second such as 10gbps".to_owned())
}

/// Degrees as millionths of a degree; the program says which it takes.
pub(super) fn degrees(text: &str) -> Result<i32, String> {
    let degrees: f64 = text.parse().map_err(|_| "expected degrees such as 40.7128".to_owned())?;
    let micro = (degrees * 1e6).round();
    if micro.abs() > 180e6 || micro.is_nan() {
        return Err("expected at most 180 degrees".to_owned());
    }
    // Within the range checked above, so nothing is cut off.
    Ok(micro as i32)
}

/// An end of a link: a device and one of its interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndArg {
    /// Code or account of the device.
    pub device: String,
    /// Name of the interface.
    pub interface: String,
}

impl FromStr for EndArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((device, interface)) if !device.is_empty() && !interface.is_empty() => {
                Ok(Self { device: device.to_owned(), interface: interface.to_owned() })
            }
            _ => Err("expected a device and an interface such as nyc1:Ethernet1".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10gbps", Some(10_000_000_000))]
    #[case("10Gbps", Some(10_000_000_000))]
    #[case("250 mbps", Some(250_000_000))]
    #[case("64kbps", Some(64_000))]
    #[case("1000", Some(1000))]
    #[case("1000bps", Some(1000))]
    #[case("fast", None)]
    #[case("-1", None)]
    #[case("99999999999gbps", None)]
    fn bandwidths(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(bandwidth(text).ok(), expected);
    }

    #[rstest]
    #[case("40.7128", Some(40_712_800))]
    #[case("-74.006", Some(-74_006_000))]
    #[case("181", None)]
    #[case("NaN", None)]
    #[case("north", None)]
    fn places(#[case] text: &str, #[case] expected: Option<i32>) {
        assert_eq!(degrees(text).ok(), expected);
    }

    #[rstest]
    #[case("nyc1:Ethernet1/1", Some(("nyc1", "Ethernet1/1")))]
    #[case("nyc1", None)]
    #[case(":Ethernet1", None)]
    #[case("nyc1:", None)]
    fn ends(#[case] text: &str, #[case] expected: Option<(&str, &str)>) {
        let end = text.parse::<EndArg>().ok();
        assert_eq!(end.as_ref().map(|end| (end.device.as_str(), end.interface.as_str())), expected);
    }
}
