//! Every key of a scenario, made from its seed.

use std::{fmt, fs, io, os::unix::fs::OpenOptionsExt, path::Path};

use anyhow::Context;
use dzsim_ledger::keypair;
use dzsim_scenario::plan::{Identity, Node, Plan};
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
    /// The administrator of a tenant.
    Tenant(&'a str),
    /// A client.
    Client(&'a str),
}

impl<'a> Owner<'a> {
    /// Everybody who pays for something in a scenario.
    pub fn all(plan: &'a Plan) -> impl Iterator<Item = Self> {
        let contributors = plan.contributors.keys().map(|code| Self::Contributor(code.as_str()));
        let tenants = plan.tenants.keys().map(|code| Self::Tenant(code.as_str()));
        let clients = plan.clients.keys().map(|name| Self::Client(name.as_str()));
        [Self::Foundation, Self::Activator].into_iter().chain(contributors).chain(tenants).chain(clients)
    }

    /// Whose key the user of a node has.
    ///
    /// # Errors
    /// The plan has no such device.
    pub fn at(node: &'a Node, plan: &'a Plan) -> anyhow::Result<Self> {
        Ok(match node {
            Node::Operator => Self::Foundation,
            Node::Client(name) => Self::Client(name.as_str()),
            Node::Device(code) => {
                Self::Contributor(plan.devices.get(code).context("no such device")?.contributor.as_str())
            }
        })
    }
}

impl<'a> From<&'a Identity> for Owner<'a> {
    fn from(identity: &'a Identity) -> Self {
        match identity {
            Identity::Foundation => Self::Foundation,
            Identity::Contributor(code) => Self::Contributor(code.as_str()),
            Identity::Tenant(code) => Self::Tenant(code.as_str()),
            Identity::Client(name) => Self::Client(name.as_str()),
        }
    }
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foundation => f.write_str("foundation"),
            Self::Activator => f.write_str("activator"),
            Self::Contributor(code) => write!(f, "contributor {code}"),
            Self::Tenant(code) => write!(f, "tenant {code}"),
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

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// One of them.
    pub fn of(&self, owner: Owner<'_>) -> Keypair {
        keypair(self.seed, &owner.to_string())
    }
}

/// Writes a key as the Solana tools read it, for its owner only.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, key: &Keypair) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(serde_json::to_writer(file, &key.to_bytes().to_vec())?)
}
