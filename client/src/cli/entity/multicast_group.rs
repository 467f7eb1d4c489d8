//! `doublezero multicast group`.

use std::net::Ipv4Addr;

use clap::Subcommand;
use dz_sdk::{
    NetworkView,
    instruction::multicast_group,
    program::{pda, state::MulticastGroup},
};
use solana_pubkey::Pubkey;

use super::{Changed, KeyArg, Look, Named, Operator, allowlist, args::bandwidth, row::row};
use crate::cli::error::CommandError;

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all, or show one
    #[command(flatten)]
    Look(Look),
    /// Create one
    Create {
        /// Its unique code
        code: String,
        /// Bits per second that its publishers may send together
        #[arg(long, value_name = "BANDWIDTH", value_parser = bandwidth, default_value = "1gbps")]
        max_bandwidth: u64,
        /// Owner, who decides who may publish and subscribe
        #[arg(long, value_name = "KEY", default_value = "me")]
        owner: KeyArg,
    },
    /// Change what is given
    Update {
        /// Which
        #[command(flatten)]
        code: Named,
        /// Bits per second that its publishers may send together
        #[arg(long, value_name = "BANDWIDTH", value_parser = bandwidth)]
        max_bandwidth: Option<u64>,
        /// Owner, who decides who may publish and subscribe
        #[arg(long, value_name = "KEY")]
        owner: Option<KeyArg>,
    },
    /// Clients that may publish and subscribe
    #[command(subcommand)]
    Allowlist(allowlist::Command),
    /// Delete one that neither users nor access passes name
    Delete(Named),
}

row! {
    /// A group.
    GroupRow {
        account: String => "Account",
        code: String => "Code",
        multicast_ip: Option<Ipv4Addr> => "Multicast IP",
        max_bandwidth: u64 => "Max Bandwidth",
        owner: String => "Owner",
        publishers: u32 => "Publishers",
        subscribers: u32 => "Subscribers",
        status: String => "Status",
    }
}

fn row_of(_: &NetworkView, key: &Pubkey, group: &MulticastGroup) -> GroupRow {
    GroupRow {
        account: key.to_string(),
        code: group.code.clone(),
        multicast_ip: group.address.map(|address| address.ip),
        max_bandwidth: group.max_bandwidth,
        owner: group.owner.to_string(),
        publishers: group.publisher_count,
        subscribers: group.subscriber_count,
        status: group.status.to_string(),
    }
}

pub(super) async fn run(command: &Command, operator: &mut Operator<'_>) -> Result<(), CommandError> {
    if let Command::Allowlist(command) = command {
        return allowlist::run(command, operator).await;
    }
    let (program, payer) = (operator.program(), operator.payer());
    let view = operator.view().await?;
    let (changed, instruction) = match command {
        Command::Look(look) => return operator.look(&view, look, row_of),
        Command::Allowlist(_) => return Ok(()),
        Command::Create { code, max_bandwidth, owner } => {
            let changed = Changed::new::<MulticastGroup>(code, pda::multicast_group(&program, code).0);
            let owner = owner.resolve(payer);
            (changed, multicast_group::create_multicast_group(&program, &payer, code, owner, *max_bandwidth))
        }
        Command::Update { code, max_bandwidth, owner } => {
            let (changed, old) = code.find::<MulticastGroup>(&view)?;
            let owner = owner.map_or(old.owner, |owner| owner.resolve(payer));
            let bandwidth = max_bandwidth.unwrap_or(old.max_bandwidth);
            (changed, multicast_group::update_multicast_group(&program, &payer, changed.account, owner, bandwidth))
        }
        Command::Delete(code) => {
            operator.verb::<MulticastGroup>(&view, code, multicast_group::delete_multicast_group)?
        }
    };
    operator.change(&view, changed, [instruction]).await
}
