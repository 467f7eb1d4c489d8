//! Outcomes of requests to the kernel: those that a repeated request may meet, and errors that name their object.

use std::io;

/// What came of an addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an addition that met an existing thing has not given it the wanted properties"]
pub enum Added {
    /// It was not there, and now is.
    Created,
    /// Something of that identity was there already and is untouched (`EEXIST`).
    Existed,
}

/// What came of a deletion. Either way the thing is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It was there, and is gone.
    Deleted,
    /// It was not there (`ENODEV`, `ESRCH`, `EADDRNOTAVAIL`, `ENOENT`).
    Absent,
}

/// Why the kernel did not do what was asked; `what` names the request and its object.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// No netlink socket in the wanted namespace.
    #[error("cannot open a netlink socket: {0}")]
    Open(#[source] io::Error),
    /// The thing to read or change is not there.
    #[error("{what}: not found")]
    NotFound {
        /// The request and its object.
        what: String,
    },
    /// Something else holds the wanted identity.
    #[error("{what}: already exists")]
    Exists {
        /// The request and its object.
        what: String,
    },
    /// The caller lacks the capability in this namespace.
    #[error("{what}: not permitted (needs CAP_NET_ADMIN in the network namespace)")]
    Denied {
        /// The request and its object.
        what: String,
    },
    /// The kernel has no such feature, or its module is not loaded.
    #[error("{what}: not supported by this kernel")]
    Unsupported {
        /// The request and its object.
        what: String,
    },
    /// Any other refusal.
    #[error("{what}: {source}")]
    Refused {
        /// The request and its object.
        what: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// The connection to the kernel broke, or it answered with something else than asked.
    #[error("{what}: {reason}")]
    Answer {
        /// The request and its object.
        what: String,
        /// What came instead.
        reason: String,
    },
}

impl NetlinkError {
    pub(super) fn new(what: impl FnOnce() -> String, error: rtnetlink::Error) -> Self {
        match error {
            rtnetlink::Error::NetlinkError(message) => Self::refused(what, message.raw_code().saturating_neg()),
            error => Self::Answer { what: what(), reason: error.to_string() },
        }
    }

    /// What the kernel's error number says of the request `what`.
    pub fn refused(what: impl FnOnce() -> String, errno: i32) -> Self {
        let what = what();
        match errno {
            libc::ENODEV | libc::ESRCH | libc::ENOENT | libc::EADDRNOTAVAIL => Self::NotFound { what },
            libc::EEXIST => Self::Exists { what },
            libc::EPERM | libc::EACCES => Self::Denied { what },
            libc::EOPNOTSUPP | libc::EAFNOSUPPORT => Self::Unsupported { what },
            number => Self::Refused { what, source: io::Error::from_raw_os_error(number) },
        }
    }
}

/// Reads the result of an addition.
pub(super) fn added(result: Result<(), NetlinkError>) -> Result<Added, NetlinkError> {
    match result {
        Ok(()) => Ok(Added::Created),
        Err(NetlinkError::Exists { .. }) => Ok(Added::Existed),
        Err(error) => Err(error),
    }
}

/// Reads the result of a deletion.
pub(super) fn deleted(result: Result<(), NetlinkError>) -> Result<Deleted, NetlinkError> {
    match result {
        Ok(()) => Ok(Deleted::Deleted),
        Err(NetlinkError::NotFound { .. }) => Ok(Deleted::Absent),
        Err(error) => Err(error),
    }
}
