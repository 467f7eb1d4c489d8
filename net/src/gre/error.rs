//! Tunnel errors.

use std::io;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::kernel::NetlinkError;

/// Why a tunnel operation failed.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// `EEXIST`: the name, or the (local, remote) pair, is taken.
    #[error("tunnel {name} ({local} -> {remote}): {taken} (EEXIST)")]
    Exists {
        /// The refused tunnel.
        name: String,
        /// Its outer source.
        local: Ipv4Addr,
        /// Its outer destination.
        remote: Ipv4Addr,
        /// What is taken.
        taken: Taken,
    },
    /// There is no tunnel of that name.
    #[error("tunnel {name}: not found")]
    NotFound {
        /// The name.
        name: String,
    },
    /// The specification makes no sense.
    #[error("tunnel {name}: {reason}")]
    Invalid {
        /// The refused tunnel.
        name: String,
        /// What was expected, and what was got.
        reason: String,
    },
    /// The machine cannot make tunnels this way.
    #[error("{0}")]
    Unsupported(Unsupported),
    /// The kernel refused.
    #[error("tunnel {name}: {source}")]
    Kernel {
        /// The tunnel.
        name: String,
        /// Why.
        source: NetlinkError,
    },
    /// No answer from the kernel outside of a tunnel's operation.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The helper could not do it.
    #[error("tunnel {name}: {reason}")]
    Refused {
        /// The tunnel.
        name: String,
        /// Why, in the helper's words.
        reason: String,
    },
    /// The helper could not be started or does not answer.
    #[error("gre helper: {what}: {source}")]
    Helper {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// What stands in the way of a new tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// An interface of that name.
    Name,
    /// A tunnel with the same local and remote address.
    Endpoints {
        /// Its name.
        by: String,
    },
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name => f.write_str("an interface of that name exists"),
            Self::Endpoints { by } => write!(f, "tunnel {by} has the same local and remote address"),
        }
    }
}

/// What the machine lacks for a backend, with the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The backend.
    pub backend: &'static str,
    /// What is missing.
    pub missing: &'static str,
    /// What to do.
    pub fix: &'static str,
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tunnels: {} ({})", self.backend, self.missing, self.fix)
    }
}
