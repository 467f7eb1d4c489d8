//! Errors of the lab.

use std::io;

use crate::name::NodeName;
use crate::node::NodeError;
use crate::process::RunError;

/// Why the lab did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The process is not in a lab.
    #[error("a lab needs a process of its own pid namespace with its own /proc: call enter() first")]
    NotEntered,
    /// There is no node of that name.
    #[error("no node {0} in the lab")]
    NoNode(NodeName),
    /// There is a node of that name already.
    #[error("node {0} is in the lab already")]
    NodeExists(NodeName),
    /// A node refused.
    #[error("node {0}: {1}")]
    Node(NodeName, #[source] NodeError),
    /// A process did.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A process of that role is running.
    #[error("{0} is running already")]
    Running(String),
    /// A file or another resource of the lab itself.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was to be done.
        what: String,
        /// Why not.
        source: io::Error,
    },
}
