//! Instructions whose accounts depend on what the chain holds: these find them in a view.
//!
//! Nothing is decided here: what a caller asks for is what it gets, and the program judges it.

mod contributor;
mod device;
mod group;
mod interface;
mod link;
mod pack;
mod pass;
mod user;

use dz_serviceability::state::{AccountType, Contributor, Device, GlobalConfig, Interface, Link, PoolKind, User};
use solana_pubkey::Pubkey;

pub use self::{contributor::*, device::*, group::*, interface::*, link::*, pack::*, pass::*, user::*};
use crate::view::NetworkView;

/// What a builder looked for and the view does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The network is not initialised.
    #[error("the network is not initialised")]
    NoConfig,
    /// There is no such account.
    #[error("there is no {what} {key}")]
    Missing {
        /// Of which type.
        what: AccountType,
        /// Its address.
        key: Pubkey,
    },
    /// No block of this kind holds the value.
    #[error("no {kind} holds {value}")]
    NoPool {
        /// The kind that was looked for.
        kind: PoolKind,
        /// The value, as people write it.
        value: String,
    },
    /// No interface has this address.
    #[error("no interface has the address {0}")]
    NoInterface(std::net::Ipv4Addr),
    /// The payer has no access pass for this address.
    #[error("{payer} has no access pass for {client_ip}")]
    NoAccessPass {
        /// The key that wants to connect.
        payer: Pubkey,
        /// The address it wants to connect from.
        client_ip: std::net::Ipv4Addr,
    },
    /// The user has a status in which there is nothing to do.
    #[error("user {user} holds nothing to change")]
    NothingToDo {
        /// The user.
        user: Pubkey,
    },
}

type Result<T> = std::result::Result<T, BuildError>;

fn config(view: &NetworkView) -> Result<&GlobalConfig> {
    view.config().ok_or(BuildError::NoConfig)
}

fn missing(what: AccountType, key: &Pubkey) -> BuildError {
    BuildError::Missing { what, key: *key }
}

fn contributor<'a>(view: &'a NetworkView, key: &Pubkey) -> Result<&'a Contributor> {
    view.contributor(key).ok_or_else(|| missing(AccountType::Contributor, key))
}

fn device<'a>(view: &'a NetworkView, key: &Pubkey) -> Result<&'a Device> {
    view.device(key).ok_or_else(|| missing(AccountType::Device, key))
}

fn interface<'a>(view: &'a NetworkView, key: &Pubkey) -> Result<&'a Interface> {
    view.interface(key).ok_or_else(|| missing(AccountType::Interface, key))
}

fn link<'a>(view: &'a NetworkView, key: &Pubkey) -> Result<&'a Link> {
    view.link(key).ok_or_else(|| missing(AccountType::Link, key))
}

fn user<'a>(view: &'a NetworkView, key: &Pubkey) -> Result<&'a User> {
    view.user(key).ok_or_else(|| missing(AccountType::User, key))
}

/// The global block of this kind that holds a value.
fn global_pool(view: &NetworkView, kind: PoolKind, value: std::net::Ipv4Addr) -> Result<Pubkey> {
    let found = view.block_pools(kind).into_iter().find(|(_, pool)| pool.contains(value.into()));
    found.map(|(key, _)| key).ok_or_else(|| BuildError::NoPool { kind, value: value.to_string() })
}
