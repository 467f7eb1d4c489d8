//! Errors of the fabric.

use std::io;
use std::path::PathBuf;

use ipnet::Ipv4Net;

use crate::profile::ProfileError;

/// An error of the fabric's interface. What happens to packets is never an error: it is counted.
#[derive(Debug, thiserror::Error)]
pub enum FabricError {
    /// A node of this name is attached.
    #[error("node {0} is attached already")]
    NodeExists(String),
    /// No node of this name was ever attached.
    #[error("no node {0} is known to the fabric")]
    UnknownNode(String),
    /// The node is known but has no uplink now.
    #[error("node {0} has no uplink attached")]
    NotAttached(String),
    /// The name stands for the internet itself.
    #[error("the name {0} is taken by the internet itself")]
    ReservedName(String),
    /// A link of this name exists.
    #[error("link {0} exists already")]
    LinkExists(String),
    /// No link has this name.
    #[error("no link {0} is known to the fabric")]
    UnknownLink(String),
    /// Two nodes claim the same addresses.
    #[error("{prefix} of {node} overlaps {other_prefix} of {other}")]
    Overlap {
        /// Who asks.
        node: String,
        /// For what.
        prefix: Ipv4Net,
        /// The node that has it.
        other: String,
        /// What that one registered.
        other_prefix: Ipv4Net,
    },
    /// The node did not register this prefix.
    #[error("{prefix} is not registered for {node}")]
    UnknownPrefix {
        /// Whose prefix it should be.
        node: String,
        /// The prefix.
        prefix: Ipv4Net,
    },
    /// The profile cannot be carried out.
    #[error("{what}: {source}")]
    Profile {
        /// The path or link.
        what: String,
        /// Why not.
        source: ProfileError,
    },
    /// The capture file cannot be opened or written.
    #[error("capture {}: {source}", path.display())]
    Capture {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A system call on behalf of the fabric failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The fabric was stopped.
    #[error("the fabric is stopped")]
    Stopped,
}

impl FabricError {
    pub(crate) fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { what: what.into(), source: source.into() }
    }

    pub(crate) fn profile(what: impl Into<String>) -> impl FnOnce(ProfileError) -> Self {
        let what = what.into();
        |source| Self::Profile { what, source }
    }
}

/// Shorthand for results of the fabric's interface.
pub type Result<T> = std::result::Result<T, FabricError>;
