//! Exit codes of `doublezero`: one for each way to fail, stable, documented in `doublezero --help`.

use std::process::ExitCode;

/// The exit codes of `doublezero`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumIter)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing had to be done.
    Done = 0,
    /// Something else went wrong.
    Other = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The ledger does not answer.
    LedgerUnavailable = 3,
    /// The daemon does not answer.
    DaemonUnavailable = 4,
    /// The daemon's socket is not for this user.
    SocketNotPermitted = 5,
    /// The program refused the transaction.
    Refused = 6,
    /// There is no endpoint for the tunnel.
    NoEndpoint = 7,
    /// The activator rejected the user.
    Rejected = 8,
    /// A deadline passed.
    TimedOut = 9,
    /// There is no such thing on the chain.
    Unknown = 10,
    /// There is no access pass for this client and key.
    NoAccessPass = 11,
    /// The access pass does not allow it: tenant, group, epoch or number of tunnels.
    NotAllowed = 12,
    /// A user of this client is banned.
    Banned = 13,
}

impl Exit {
    /// What the code means, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing had to be done",
            Self::Other => "something else went wrong",
            Self::Usage => "the command line is wrong",
            Self::LedgerUnavailable => "the ledger does not answer",
            Self::DaemonUnavailable => "the daemon does not answer",
            Self::SocketNotPermitted => "the daemon's socket is not for this user",
            Self::Refused => "the program refused the transaction",
            Self::NoEndpoint => "there is no endpoint for the tunnel",
            Self::Rejected => "the activator rejected the user",
            Self::TimedOut => "a deadline passed",
            Self::Unknown => "there is no such thing on the chain",
            Self::NoAccessPass => "there is no access pass for this client and key",
            Self::NotAllowed => "the access pass does not allow it",
            Self::Banned => "a user of this client is banned",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
