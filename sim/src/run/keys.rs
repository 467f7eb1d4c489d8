//! Every key of a scenario, made from its seed.

use std::{fmt, fs, io, os::unix::fs::OpenOptionsExt, path::Path};

use dzsim_ledger::keypair;
use solana_keypair::Keypair;

/// Whose key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// The foundation: the operator.
    Foundation,
    /// The activators; all of them share it.
    Activator,
    /// A contributor.
    Contributor(&'a str),
    /// A client.
    Client(&'a str),
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foundation => f.write_str("foundation"),
            Self::Activator => f.write_str("activator"),
            Self::Contributor(code) => write!(f, "contributor {code}"),
            Self::Client(name) => write!(f, "client {name}"),
        }
    }
}

/// The keys that a seed gives.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    seed: u64,
}

impl Keys {
    /// The keys of this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// One of them.
    pub fn of(&self, owner: Owner<'_>) -> Keypair {
        keypair(self.seed, &owner.to_string())
    }
}

/// Writes a key as the Solana tools read it, for its owner only.
pub fn write(path: &Path, key: &Keypair) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(serde_json::to_writer(file, &key.to_bytes().to_vec())?)
}
