//! Why a command did not do what it was asked, and the exit code of each reason.

use std::{net::Ipv4Addr, time::Duration};

use dz_sdk::{LedgerError, build::BuildError};
use solana_pubkey::Pubkey;

use super::{daemon::DaemonError, exit::Exit};
use crate::select::NoEndpoint;

/// Why a command failed. The text is printed as it is, after `error: `.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The daemon.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// The ledger, or the program behind it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What an instruction would refer to is not there.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// No endpoint is left.
    #[error(transparent)]
    NoEndpoint(#[from] NoEndpoint),
    /// The activator said no.
    #[error("rejected: {reason}")]
    Rejected {
        /// Its words.
        reason: String,
    },
    /// A deadline passed.
    #[error("{waited:?} passed while waiting for {step}; {hint}")]
    TimedOut {
        /// What was waited for.
        step: String,
        /// How long.
        waited: Duration,
        /// What to look at.
        hint: String,
    },
    /// A name that the chain does not know.
    #[error("unknown {kind} '{name}'{}", suggestion(.nearest))]
    Unknown {
        /// What was looked for.
        kind: &'static str,
        /// Under which name.
        name: String,
        /// The name that comes nearest.
        nearest: Option<String>,
    },
    /// No pass.
    #[error("no access pass for {client_ip} and key {payer}: ask for one with exactly these two")]
    NoAccessPass {
        /// The client.
        client_ip: Ipv4Addr,
        /// The key that would pay.
        payer: Pubkey,
    },
    /// A change to a tunnel that is not there.
    #[error("{client_ip} has no such multicast tunnel: make one with `doublezero connect multicast`")]
    NoTunnel {
        /// The client.
        client_ip: Ipv4Addr,
    },
    /// The pass says no.
    #[error("the access pass does not allow {what}")]
    NotAllowed {
        /// What was asked.
        what: String,
    },
    /// Banned.
    #[error("client {client_ip} is banned")]
    Banned {
        /// The client.
        client_ip: Ipv4Addr,
    },
    /// A command line that parses and makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The key file, the terminal.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean '{name}'?")).unwrap_or_default()
}

impl CommandError {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Daemon(DaemonError::Unavailable { .. } | DaemonError::Answer { .. }) => Exit::DaemonUnavailable,
            Self::Daemon(DaemonError::NotPermitted { .. }) => Exit::SocketNotPermitted,
            Self::Ledger(LedgerError::Unavailable { .. }) => Exit::LedgerUnavailable,
            Self::Ledger(LedgerError::Refused { .. }) => Exit::Refused,
            Self::Ledger(LedgerError::Failed(_) | LedgerError::View(_)) | Self::Other(_) => Exit::Other,
            Self::Build(BuildError::NoAccessPass { .. }) => Exit::NoAccessPass,
            Self::Build(_) => Exit::Unknown,
            Self::NoEndpoint(_) => Exit::NoEndpoint,
            Self::Rejected { .. } => Exit::Rejected,
            Self::TimedOut { .. } => Exit::TimedOut,
            Self::Unknown { .. } | Self::NoTunnel { .. } => Exit::Unknown,
            Self::NoAccessPass { .. } => Exit::NoAccessPass,
            Self::NotAllowed { .. } => Exit::NotAllowed,
            Self::Banned { .. } => Exit::Banned,
            Self::Usage(_) => Exit::Usage,
        }
    }
}
