//! The operator's verbs: one file for each kind of thing on the chain, with its arguments, its row and what it sends.
//!
//! Nothing is decided here: what is asked for is sent, and the program judges it. Reading takes no key.

pub mod access_pass;
pub mod allowlist;
mod args;
pub mod config;
pub mod contributor;
pub mod device;
pub mod exchange;
pub mod interface;
mod limit;
pub mod link;
pub mod multicast_group;
mod named;
mod operator;
pub mod pool;
pub mod prefix;
mod rollout;
mod row;
pub mod tenant;
pub mod user;

use clap::Subcommand;
use dz_sdk::NetworkView;
use solana_pubkey::Pubkey;

pub use args::{EndArg, KeyArg};
pub use named::{Look, Named};
use operator::Changed;
pub use operator::Operator;

use super::{error::CommandError, output::Row};

/// What an operator looks after.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Contributors of devices and links
    #[command(subcommand)]
    Contributor(contributor::Command),
    /// Metros where devices stand
    #[command(subcommand)]
    Exchange(exchange::Command),
    /// Devices
    #[command(subcommand)]
    Device(device::Command),
    /// Interfaces of devices
    #[command(subcommand)]
    Interface(interface::Command),
    /// Public addresses of devices
    #[command(subcommand)]
    Prefix(prefix::Command),
    /// The backbone
    #[command(subcommand)]
    Link(link::Command),
    /// Scopes of unicast routing
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Permissions to connect
    #[command(subcommand)]
    AccessPass(access_pass::Command),
    /// Tunnels of all clients, as the chain has them
    #[command(subcommand)]
    User(user::Command),
    /// Pools of addresses and numbers
    #[command(subcommand)]
    Pool(pool::Command),
    /// Keys, numbers and blocks of the network
    #[command(subcommand)]
    Config(config::Command),
}

/// Does what an operator asks for.
///
/// # Errors
/// [`CommandError`]: names that are not on the chain, a refusal, or the deadline.
pub async fn run(command: &Command, mut operator: Operator<'_>) -> Result<(), CommandError> {
    let operator = &mut operator;
    match command {
        Command::Contributor(command) => contributor::run(command, operator).await,
        Command::Exchange(command) => exchange::run(command, operator).await,
        Command::Device(command) => device::run(command, operator).await,
        Command::Interface(command) => interface::run(command, operator).await,
        Command::Prefix(command) => prefix::run(command, operator).await,
        Command::Link(command) => link::run(command, operator).await,
        Command::Tenant(command) => tenant::run(command, operator).await,
        Command::AccessPass(command) => access_pass::run(command, operator).await,
        Command::User(command) => user::run(command, operator).await,
        Command::Pool(command) => pool::run(command, operator).await,
        Command::Config(command) => config::run(command, operator).await,
    }
}

/// Does what an operator asks for about groups.
///
/// # Errors
/// [`CommandError`]: names that are not on the chain, a refusal, or the deadline.
pub async fn run_group(command: &multicast_group::Command, mut operator: Operator<'_>) -> Result<(), CommandError> {
    multicast_group::run(command, &mut operator).await
}

impl Operator<'_> {
    /// Prints the one thing of a list that was filtered down to it.
    fn list_one<R: Row>(&mut self, rows: Vec<R>) -> Result<(), CommandError> {
        match rows.into_iter().next() {
            Some(row) => self.one(&row),
            None => Err(CommandError::Other(anyhow::anyhow!("the account was closed before it could be shown"))),
        }
    }
}

/// What a thing is called, or its account when it has gone.
fn code_of(view: &NetworkView, key: &Pubkey) -> String {
    let code = None
        .or_else(|| view.device(key).map(|device| &device.code))
        .or_else(|| view.exchange(key).map(|exchange| &exchange.code))
        .or_else(|| view.contributor(key).map(|contributor| &contributor.code))
        .or_else(|| view.link(key).map(|link| &link.code))
        .or_else(|| view.tenant(key).map(|tenant| &tenant.code))
        .or_else(|| view.group(key).map(|group| &group.code));
    code.map_or_else(|| key.to_string(), String::clone)
}
