//! The name of a config's content, by which a device and the controller agree on what it runs.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::DeviceConfig;

/// SHA-256 of the JSON form, cut to 64 bits: enough to distinguish the configs of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConfigHash([u8; 8]);

/// A text that is no hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no config hash: expected 16 hexadecimal digits")]
pub struct InvalidHash(String);

impl ConfigHash {
    /// The hash of a JSON form.
    pub(crate) fn of_json(json: &[u8]) -> Self {
        let digest = solana_sha256_hasher::hash(json).to_bytes();
        let mut short = [0; 8];
        short.copy_from_slice(&digest[..8]);
        Self(short)
    }
}

impl DeviceConfig {
    /// The JSON form: what devices fetch and what the hash is of.
    pub fn to_json(&self) -> String {
        // Every key of the maps is a string or a number and nothing else in it can fail.
        serde_json::to_string(self).expect("a config is always JSON")
    }

    /// The hash of the content.
    pub fn hash(&self) -> ConfigHash {
        ConfigHash::of_json(self.to_json().as_bytes())
    }
}

impl fmt::Display for ConfigHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ConfigHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let invalid = || InvalidHash(text.to_owned());
        if text.len() != 16 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        u64::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| invalid())
    }
}

impl TryFrom<String> for ConfigHash {
    type Error = InvalidHash;

    fn try_from(text: String) -> Result<Self, InvalidHash> {
        text.parse()
    }
}

impl From<ConfigHash> for String {
    fn from(hash: ConfigHash) -> Self {
        hash.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_hash_are_each_others_inverse() {
        let hash = ConfigHash::of_json(b"{}");
        assert_eq!(hash.to_string(), "44136fa355b3678a");
        assert_eq!("44136fa355b3678a".parse(), Ok(hash));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["", "44136fa355b3678", "44136fa355b3678aa", "+4136fa355b3678a", "x4136fa355b3678a"] {
            assert_eq!(bad.parse::<ConfigHash>(), Err(InvalidHash(bad.to_owned())));
        }
    }
}
