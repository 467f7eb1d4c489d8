//! Names of things, one type for each kind of thing. A name exists only if the plan has the thing.

use std::fmt;

use serde::Serialize;

macro_rules! name {
    ($($(#[$meta:meta])* $type:ident;)+) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
            #[serde(transparent)]
            pub struct $type(String);

            impl $type {
                pub(crate) fn new(name: &str) -> Self {
                    Self(name.to_owned())
                }

                /// The name as it is written.
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl fmt::Display for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }

            impl AsRef<str> for $type {
                fn as_ref(&self) -> &str {
                    &self.0
                }
            }

            impl std::borrow::Borrow<str> for $type {
                fn borrow(&self) -> &str {
                    &self.0
                }
            }
        )+
    };
}

name! {
    /// Code of a metro.
    ExchangeCode;
    /// Code of a contributor.
    ContributorCode;
    /// Code of a device; also the name of its node.
    DeviceCode;
    /// Name of a client; also the name of its node.
    ClientName;
    /// Code of a tenant.
    TenantCode;
    /// Code of a multicast group.
    GroupCode;
    /// Code of a backbone link.
    LinkCode;
}

/// Where a command runs or a process lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// A client's host.
    Client(ClientName),
    /// A device.
    Device(DeviceCode),
    /// The operator: the foundation's key, the core node.
    Operator,
}

impl Node {
    /// The name as a scenario writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Client(name) => name.as_str(),
            Self::Device(code) => code.as_str(),
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
