//! Every key of a scenario, made from its seed.

use std::{fs, io, os::unix::fs::OpenOptionsExt, path::Path};

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
        let name = match owner {
            Owner::Foundation => "foundation".to_owned(),
            Owner::Activator => "activator".to_owned(),
            Owner::Contributor(code) => format!("contributor {code}"),
            Owner::Client(name) => format!("client {name}"),
        };
        keypair(self.seed, &name)
    }
}

/// Writes a key as the Solana tools read it, for its owner only.
pub fn write(path: &Path, key: &Keypair) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(serde_json::to_writer(file, &key.to_bytes().to_vec())?)
}
