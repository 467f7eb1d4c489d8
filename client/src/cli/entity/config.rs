//! `doublezero config`: keys, numbers and blocks of the whole network.

use clap::{Args, Subcommand};
use dz_sdk::{
    NetworkView, build,
    instruction::global_config,
    program::{
        network::NetworkV4,
        pda,
        state::{ConfigNumbers, Device, GlobalConfig, PoolKind},
    },
};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;

use super::{Changed, KeyArg, Operator, rollout, row::row};
use crate::cli::{error::CommandError, names};

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show it
    Get,
    /// Create it, once; the payer becomes the foundation
    Init(NumberArgs),
    /// Change what is given; a new number of endpoints per device is brought to the devices first, one by one
    Set(SetArgs),
    /// Name the activator
    SetActivator {
        /// Its key
        key: KeyArg,
    },
    /// Add a foundation key
    AddFoundation {
        /// The key
        key: KeyArg,
    },
    /// Remove a foundation key
    RemoveFoundation {
        /// The key
        key: KeyArg,
    },
    /// Add a block; allocation goes on there when those before it are full
    AddBlock {
        /// Its kind, such as user-tunnel-block
        kind: PoolKind,
        /// The network
        block: NetworkV4,
    },
    /// Remove a block that is not in use
    RemoveBlock {
        /// Its kind, such as user-tunnel-block
        kind: PoolKind,
        /// The network
        block: NetworkV4,
    },
}

/// Arguments of `set`.
#[derive(Args, Debug)]
pub struct SetArgs {
    /// The numbers
    #[command(flatten)]
    numbers: NumberArgs,
    /// Devices that keep the endpoints they have: their codes or accounts
    #[arg(long, value_name = "DEVICE", requires = "endpoints_per_device", value_delimiter = ',')]
    keep: Vec<String>,
}

/// The numbers.
#[derive(Args, Clone, Copy, Debug)]
pub struct NumberArgs {
    /// BGP autonomous system number of the devices
    #[arg(long, value_name = "NUMBER")]
    local_asn: Option<u32>,
    /// BGP autonomous system number of the clients
    #[arg(long, value_name = "NUMBER")]
    remote_asn: Option<u32>,
    /// First number of the loopbacks reserved for tunnel termination
    #[arg(long, value_name = "NUMBER")]
    endpoint_loopback_first: Option<u16>,
    /// Last number of them
    #[arg(long, value_name = "NUMBER")]
    endpoint_loopback_last: Option<u16>,
    /// Longest prefix a contributor may bring or be given
    #[arg(long, value_name = "LENGTH")]
    min_contributor_prefix: Option<u8>,
    /// Endpoints of a device whose registration does not say
    #[arg(long, value_name = "NUMBER")]
    endpoints_per_device: Option<u8>,
    /// Route between users of one metro through DoubleZero
    #[arg(long, value_name = "BOOL")]
    same_metro_routing: Option<bool>,
    /// /24s of each DoubleZero block that are kept for edge filtering
    #[arg(long, value_name = "NUMBER")]
    kept_blocks: Option<u16>,
}

impl NumberArgs {
    fn over(self, old: ConfigNumbers) -> ConfigNumbers {
        ConfigNumbers {
            local_asn: self.local_asn.unwrap_or(old.local_asn),
            remote_asn: self.remote_asn.unwrap_or(old.remote_asn),
            endpoint_loopback_first: self.endpoint_loopback_first.unwrap_or(old.endpoint_loopback_first),
            endpoint_loopback_last: self.endpoint_loopback_last.unwrap_or(old.endpoint_loopback_last),
            min_contributor_prefix: self.min_contributor_prefix.unwrap_or(old.min_contributor_prefix),
            endpoints_per_device: self.endpoints_per_device.unwrap_or(old.endpoints_per_device),
            same_metro_routing: self.same_metro_routing.unwrap_or(old.same_metro_routing),
            kept_blocks: self.kept_blocks.unwrap_or(old.kept_blocks),
        }
    }
}

row! {
    /// The config.
    ConfigRow {
        account: String => "Account",
        foundation: Vec<String> => "Foundation",
        activator: String => "Activator",
        local_asn: u32 => "Local ASN",
        remote_asn: u32 => "Remote ASN",
        endpoint_loopback_first: u16 => "First Loopback",
        endpoint_loopback_last: u16 => "Last Loopback",
        min_contributor_prefix: u8 => "Min Prefix",
        endpoints_per_device: u8 => "Endpoints Per Device",
        same_metro_routing: bool => "Same Metro Routing",
        kept_blocks: u16 => "Kept Blocks",
        devices: u32 => "Devices",
        double_zero_blocks: Vec<Ipv4Net> => "DoubleZero Blocks",
        user_tunnel_blocks: Vec<Ipv4Net> => "User Tunnel Blocks",
        device_tunnel_blocks: Vec<Ipv4Net> => "Device Tunnel Blocks",
        multicast_group_blocks: Vec<Ipv4Net> => "Group Blocks",
        multicast_publisher_blocks: Vec<Ipv4Net> => "Publisher Blocks",
    }
}

fn row_of(account: Pubkey, config: &GlobalConfig) -> ConfigRow {
    let nets = |blocks: &[NetworkV4]| blocks.iter().map(|block| **block).collect();
    ConfigRow {
        account: account.to_string(),
        foundation: config.foundation.iter().map(Pubkey::to_string).collect(),
        activator: config.activator.to_string(),
        local_asn: config.local_asn,
        remote_asn: config.remote_asn,
        endpoint_loopback_first: config.endpoint_loopback_first,
        endpoint_loopback_last: config.endpoint_loopback_last,
        min_contributor_prefix: config.min_contributor_prefix,
        endpoints_per_device: config.endpoints_per_device,
        same_metro_routing: config.same_metro_routing,
        kept_blocks: config.kept_blocks,
        devices: config.device_count,
        double_zero_blocks: nets(&config.double_zero_blocks),
        user_tunnel_blocks: nets(&config.user_tunnel_blocks),
        device_tunnel_blocks: nets(&config.device_tunnel_blocks),
        multicast_group_blocks: nets(&config.multicast_group_blocks),
        multicast_publisher_blocks: nets(&config.multicast_publisher_blocks),
    }
}

fn config(view: &NetworkView) -> Result<&GlobalConfig, CommandError> {
    Ok(view.config().ok_or(dz_sdk::build::BuildError::NoConfig)?)
}

pub(super) async fn run(command: &Command, operator: &mut Operator<'_>) -> Result<(), CommandError> {
    let (program, payer) = (operator.program(), operator.payer());
    let account = pda::config(&program).0;
    let view = operator.view().await?;
    let instruction = match command {
        Command::Get => return operator.one(&row_of(account, config(&view)?)),
        Command::Init(numbers) => {
            global_config::init_global_config(&program, &payer, numbers.over(ConfigNumbers::default()))
        }
        Command::Set(SetArgs { numbers, keep }) => {
            let old = config(&view)?;
            if let Some(endpoints) = numbers.endpoints_per_device {
                let keep = keep.iter().map(|device| names::account::<Device>(&view, device));
                let keep: Vec<_> = keep.collect::<Result<_, _>>()?;
                let rows = rollout::endpoints(operator, old.endpoints_per_device, endpoints, &keep).await?;
                operator.notes(&rows)?;
            }
            let old = ConfigNumbers {
                local_asn: old.local_asn,
                remote_asn: old.remote_asn,
                endpoint_loopback_first: old.endpoint_loopback_first,
                endpoint_loopback_last: old.endpoint_loopback_last,
                min_contributor_prefix: old.min_contributor_prefix,
                endpoints_per_device: old.endpoints_per_device,
                same_metro_routing: old.same_metro_routing,
                kept_blocks: old.kept_blocks,
            };
            global_config::set_global_config(&program, &payer, numbers.over(old))
        }
        Command::SetActivator { key } => global_config::set_activator(&program, &payer, key.resolve(payer)),
        Command::AddFoundation { key } => global_config::add_foundation(&program, &payer, key.resolve(payer)),
        Command::RemoveFoundation { key } => global_config::remove_foundation(&program, &payer, key.resolve(payer)),
        Command::AddBlock { kind, block } => global_config::add_block(&program, &payer, *kind, *block),
        Command::RemoveBlock { kind, block } => build::remove_block(&view, &payer, *kind, *block),
    };
    operator.change(&view, Changed { kind: "config", name: "of the network", account }, [instruction]).await
}
