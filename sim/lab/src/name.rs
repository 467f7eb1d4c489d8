//! Names of nodes, of roles and of interfaces. They become file names and interface names, so they are checked once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name that can not be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{name}` must be {expected}")]
pub struct InvalidName {
    what: &'static str,
    name: String,
    expected: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $max:literal, $expected:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Checks a name.
            ///
            /// # Errors
            #[doc = concat!("[`InvalidName`] unless it is ", $expected, ".")]
            pub fn new(name: &str) -> Result<Self, InvalidName> {
                let allowed: fn(char) -> bool = $allowed;
                if (1..=$max).contains(&name.len()) && !name.starts_with(['.', '-']) && name.chars().all(allowed) {
                    Ok(Self(name.to_owned()))
                } else {
                    Err(InvalidName { what: $what, name: name.to_owned(), expected: $expected })
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(name: &str) -> Result<Self, InvalidName> {
                Self::new(name)
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(name: String) -> Result<Self, InvalidName> {
                Self::new(&name)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

name!(
    /// The name of a node. Unix socket paths below its folder must fit into 107 bytes, hence the limit.
    NodeName, "node name", 40, "1 to 40 letters, digits, `-`, `_` or `.`, not starting with `-` or `.`",
    |c| c.is_ascii_alphanumeric() || "-_.".contains(c)
);

name!(
    /// The name of a process within its node, as `agent`.
    RoleName, "role name", 30, "1 to 30 letters, digits, `-`, `_` or `.`, not starting with `-` or `.`",
    |c| c.is_ascii_alphanumeric() || "-_.".contains(c)
);

name!(
    /// The name of an interface, as the kernel takes it: at most 15 bytes (IFNAMSIZ).
    PortName, "interface name", 15, "1 to 15 printable characters without `/` or `:`, not starting with `-` or `.`",
    |c| c.is_ascii_graphic() && !"/:".contains(c)
);

impl PortName {
    /// The name of a node's uplink, `eth0`.
    pub fn uplink() -> Self {
        Self("eth0".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_names_of_the_live_network() {
        assert_eq!(NodeName::new("nyc002-dz002").unwrap().as_str(), "nyc002-dz002");
        assert_eq!(RoleName::new("doublezerod").unwrap().as_str(), "doublezerod");
        assert_eq!(PortName::new("Ethernet12.1001").unwrap().as_str(), "Ethernet12.1001");
    }

    #[test]
    fn refuses_what_is_no_file_name_or_interface_name() {
        for bad in ["", ".", "..", "a/b", "a b", "-a", &"a".repeat(41)] {
            let error = NodeName::new(bad).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "node name `{bad}` must be 1 to 40 letters, digits, `-`, `_` or `.`, not starting with `-` or `.`"
                )
            );
        }
        for bad in ["", "Ethernet12.10011", "Switch1/1", "eth0:1", "..", "é"] {
            assert!(PortName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn is_checked_when_deserialised() {
        let error = serde_json::from_str::<PortName>("\"a/b\"").unwrap_err();
        assert!(error.to_string().starts_with("interface name `a/b` must be"), "{error}");
    }
}
