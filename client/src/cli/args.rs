//! The command line of `doublezero`.

use std::{net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use clap::{Args, Parser, Subcommand};
use dz_policy::ConnectPolicy;
use dz_sdk::{Ledger, ledger::rpc::RpcArgs};
use solana_keypair::Keypair;

use super::{entity, output::Format};
use crate::{api::DEFAULT_SOCKET, keypair};

/// Connects this host to DoubleZero and shows how it is connected.
#[derive(Debug, Parser)]
#[command(name = "doublezero", version, after_help = exit_codes())]
pub struct Cli {
    /// Where the chain is and who pays.
    #[command(flatten)]
    pub chain: RpcArgs,
    /// Payer's Solana key file; not needed by read-only commands.
    #[arg(long, env = "DZ_KEYPAIR", global = true, value_name = "PATH")]
    pub keypair: Option<PathBuf>,
    /// The daemon's socket.
    #[arg(long, env = "DZ_SOCKET", global = true, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    pub socket: PathBuf,
    /// Deadline of a command.
    #[arg(long, global = true, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "60s")]
    pub timeout: Duration,
    /// Time after which an activator that serves nobody counts as down.
    #[arg(long, global = true, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "20s")]
    pub patience: Duration,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// For operators: also wait for the activator's part.
    #[arg(long, global = true)]
    pub wait: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Connects to the ledger as who pays.
    ///
    /// # Errors
    /// The key file cannot be read.
    pub fn connect(&self) -> anyhow::Result<Arc<dyn Ledger>> {
        let keypair = self.keypair.as_deref().map(keypair::read_keypair).transpose()?;
        // Without a key nothing can be paid for, and a new one reads.
        Ok(Arc::new(self.chain.connect(keypair.unwrap_or_else(Keypair::new))))
    }

    /// How to answer.
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Table }
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a tunnel.
    Connect(ConnectArgs),
    /// Remove tunnels; all of this host if none is named.
    Disconnect(DisconnectArgs),
    /// Show the tunnels of this host.
    Status,
    /// Show the round-trip time of each endpoint.
    Latency,
    /// Show what is reached through the tunnels of this host.
    Routes,
    /// Let the daemon create tunnels.
    Enable,
    /// Make the daemon remove its tunnels; the chain keeps them.
    Disable,
    /// Groups, and the roles of this host in them
    #[command(subcommand)]
    Multicast(MulticastCommand),
    /// What an operator looks after.
    #[command(flatten)]
    Entity(entity::Command),
    /// Print the payer's address
    Address,
    /// Print what the key that pays has
    Balance,
    /// Write a new key to a file
    Keygen {
        /// File to write; an existing one is kept
        #[arg(short = 'o', long, value_name = "PATH")]
        outfile: PathBuf,
    },
    /// Print completions for a shell
    #[command(visible_alias = "completion")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Verbs of `multicast`.
#[derive(Debug, Subcommand)]
pub enum MulticastCommand {
    /// The groups
    #[command(subcommand)]
    Group(entity::multicast_group::Command),
    /// Send to groups on the live tunnel
    Publish(GroupsArgs),
    /// Stop sending to groups
    Unpublish(GroupsArgs),
    /// Receive groups on the live tunnel
    Subscribe(GroupsArgs),
    /// Stop receiving groups
    Unsubscribe(GroupsArgs),
}

/// Which groups, on which tunnel.
#[derive(Args, Debug)]
pub struct GroupsArgs {
    /// Their codes or accounts
    #[arg(required = true, value_name = "CODE", value_delimiter = ',')]
    pub groups: Vec<String>,
    /// The endpoint of the tunnel, if this host has several multicast tunnels
    #[arg(long, value_name = "ADDRESS")]
    pub endpoint: Option<Ipv4Addr>,
}

/// Arguments of `connect`.
#[derive(Args, Debug)]
pub struct ConnectArgs {
    /// How to choose.
    #[command(flatten)]
    pub policy: ConnectPolicy,
    /// Which service.
    #[command(subcommand)]
    pub service: ServiceArgs,
}

/// The services.
#[derive(Debug, Subcommand)]
pub enum ServiceArgs {
    /// Unicast.
    Ibrl {
        /// Take an address of the device's prefix instead of the host's own.
        #[arg(long, short = 'a')]
        allocate_addr: bool,
        /// Be in this tenant.
        #[arg(long, value_name = "CODE")]
        tenant: Option<String>,
        /// Which device, and whether one more tunnel is wanted.
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Unicast from an address of DoubleZero's, filtered at the edge: what the internet sends to it comes by the tunnel,
    /// and what is sent from it leaves by the tunnel.
    EdgeFiltering {
        /// Be in this tenant.
        #[arg(long, value_name = "CODE")]
        tenant: Option<String>,
        /// Which device, and whether one more tunnel is wanted.
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Group traffic.
    Multicast {
        /// The role in the groups that follow.
        #[arg(value_enum, value_name = "ROLE", requires = "codes", conflicts_with_all = ["publish", "subscribe"])]
        role: Option<RoleArg>,
        /// The groups of that role.
        #[arg(value_name = "CODE", value_delimiter = ',', requires = "role")]
        codes: Vec<String>,
        /// Send to these groups.
        #[arg(long, value_name = "CODE", num_args = 1.., value_delimiter = ',')]
        publish: Vec<String>,
        /// Receive these groups.
        #[arg(long, value_name = "CODE", num_args = 1.., value_delimiter = ',')]
        subscribe: Vec<String>,
        /// Which device, and whether one more tunnel is wanted.
        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// A role in a group, as a word before the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum RoleArg {
    /// Send to them.
    Publisher,
    /// Receive them.
    Subscriber,
}

/// Where a tunnel may end.
#[derive(Args, Debug)]
pub struct PlaceArgs {
    /// Accept only this device: its code or account.
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Make one more tunnel even if there is one of this service.
    #[arg(long)]
    pub another: bool,
    /// Give up a tunnel that ends on a drained device and make one elsewhere: `--when-drained move`.
    #[arg(long = "move")]
    pub moves: bool,
}

/// Arguments of `disconnect`.
#[derive(Args, Debug)]
pub struct DisconnectArgs {
    /// Tunnels to remove.
    #[arg(value_enum)]
    pub what: Option<WhatArg>,
    /// Do not wait until they are gone.
    #[arg(long)]
    pub no_wait: bool,
}

/// A service to disconnect.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum WhatArg {
    /// The unicast tunnels.
    Ibrl,
    /// The multicast tunnels.
    Multicast,
}

fn exit_codes() -> String {
    use strum::IntoEnumIterator;
    let lines = super::exit::Exit::iter().map(|exit| format!("  {:>2}  {}", exit as u8, exit.meaning()));
    std::iter::once("Exit codes:".to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}
