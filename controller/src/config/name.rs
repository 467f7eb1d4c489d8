//! Names of interfaces as the device's kernel has them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The longest name the kernel takes (`IFNAMSIZ` without the final zero).
const MAX_LEN: usize = 15;

/// A name that the kernel accepts for an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IfName(String);

/// A name that no interface can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no interface name: expected 1 to {MAX_LEN} printable characters without `/` and `:`")]
pub struct InvalidIfName(pub String);

impl IfName {
    /// The kernel's name for an interface of the chain: the same, with `-` for the `/` that the kernel does not take, and
    /// the word cut to two letters if it is too long. `Loopback100` stays as it is, `Ethernet1/1` becomes `Ethernet1-1`
    /// and `Port-channel1000.10` becomes `po1000.10`.
    ///
    /// # Errors
    /// No kernel interface can have that name.
    pub fn of_interface(name: &str) -> Result<Self, InvalidIfName> {
        let full = name.replace('/', "-");
        let fits = if full.len() <= MAX_LEN { full } else { short(&full) };
        fits.parse().map_err(|_| InvalidIfName(name.to_owned()))
    }

    /// The kernel's name for the tunnel with this id: `tun500`.
    pub fn of_tunnel(id: u16) -> Self {
        Self(format!("tun{id}"))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when it is the name of a user tunnel.
    pub fn is_tunnel(&self) -> bool {
        is_numbered(&self.0, "tun")
    }

    /// True when it is the name of a loopback of the chain.
    pub fn is_loopback(&self) -> bool {
        is_numbered(&self.0, "Loopback")
    }
}

/// The form the live network's devices abbreviate to.
fn short(full: &str) -> String {
    let numbers = full.find(|c: char| c.is_ascii_digit()).unwrap_or(full.len());
    let (word, numbers) = full.split_at(numbers);
    word.chars().take(2).map(|c| c.to_ascii_lowercase()).chain(numbers.chars()).collect()
}

fn is_numbered(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) && (number == "0" || !number.starts_with('0'))
    })
}

impl FromStr for IfName {
    type Err = InvalidIfName;

    fn from_str(name: &str) -> Result<Self, InvalidIfName> {
        let allowed = |c: char| c.is_ascii_graphic() && !"/:".contains(c);
        let valid = (1..=MAX_LEN).contains(&name.len()) && name != "." && name != ".." && name.chars().all(allowed);
        if valid { Ok(Self(name.to_owned())) } else { Err(InvalidIfName(name.to_owned())) }
    }
}

impl TryFrom<String> for IfName {
    type Error = InvalidIfName;

    fn try_from(name: String) -> Result<Self, InvalidIfName> {
        name.parse()
    }
}

impl From<IfName> for String {
    fn from(name: IfName) -> Self {
        name.0
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_becomes_a_dash() {
        for (chain, kernel) in
            [("Loopback100", "Loopback100"), ("Ethernet1/1", "Ethernet1-1"), ("Switch1/1/1.10", "Switch1-1-1.10")]
        {
            assert_eq!(IfName::of_interface(chain).map(String::from), Ok(kernel.to_owned()));
        }
    }

    #[test]
    fn a_name_too_long_is_cut_to_its_short_form() {
        for (chain, kernel) in [
            ("Port-channel1000.10", "po1000.10"),
            ("Ethernet12/34.4094", "et12-34.4094"),
            ("Switch10/10/10.4094", "sw10-10-10.4094"),
        ] {
            assert_eq!(IfName::of_interface(chain).map(String::from), Ok(kernel.to_owned()));
        }
    }

    #[test]
    fn what_the_kernel_refuses_is_refused_under_its_own_name() {
        for bad in ["", "eth 0", "a:b", ".", "Switch100/100/100.4094"] {
            assert_eq!(IfName::of_interface(bad), Err(InvalidIfName(bad.to_owned())));
        }
    }

    #[test]
    fn own_names_are_told_from_others() {
        let name = |text: &str| text.parse::<IfName>().expect("a valid name");
        assert!(name("tun500").is_tunnel() && !name("tun").is_tunnel() && !name("tun0500").is_tunnel());
        assert!(name("Loopback100").is_loopback() && !name("lo").is_loopback() && !name("Loopback1x").is_loopback());
        assert!(!name("tunnel1").is_tunnel() && !name("Loopback100").is_tunnel());
    }
}
