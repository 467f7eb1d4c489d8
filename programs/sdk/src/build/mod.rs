//! Instructions whose accounts depend on what the chain holds: these find them in a view.
//!
//! Nothing is decided here: what a caller asks for is what it gets, and the program judges it.

mod access_pass;
mod block;
mod contributor;
mod device;
pub mod find;
mod interface;
mod link;
mod multicast_group;
mod pack;
mod tenant;
mod user;

use dz_serviceability::state::{AccountType, PoolKind};
use solana_pubkey::Pubkey;

pub use self::{
    access_pass::*, block::*, contributor::*, device::*, interface::*, link::*, multicast_group::*, pack::*, tenant::*,
    user::*,
};

/// What a builder looked for and the view does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The network is not initialised.
    #[error("the network is not initialised: `doublezero config init` comes first")]
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
    /// The payer has no pass that the foundation gave for this very address.
    #[error("{payer} has no access pass of the foundation's for {client_ip} itself")]
    NoNamedPass {
        /// The key that wants the address.
        payer: Pubkey,
        /// The address.
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
