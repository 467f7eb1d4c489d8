//! `doublezero multicast group`.

use std::net::Ipv4Addr;

use clap::Subcommand;
use dz_sdk::{
    NetworkView,
    instruction::multicast_group,
    program::{pda, state::AccountType},
};
use solana_pubkey::Pubkey;

use super::{Changed, Desk, KeyArg, args::bandwidth, row::row};
use crate::cli::{error::CommandError, names::lookup};

const KIND: &str = "multicast group";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all
    List,
    /// Show one
    Get {
        /// Its code or account
        code: String,
    },
    /// Create one
    Create {
        /// Its unique code
        code: String,
        /// Bits per second that its publishers may send together
        #[arg(long, value_name = "BANDWIDTH", value_parser = bandwidth, default_value = "1gbps")]
        max_bandwidth: u64,
        /// Who decides who may publish and subscribe
        #[arg(long, value_name = "KEY", default_value = "me")]
        owner: KeyArg,
    },
    /// Change what is given
    Update {
        /// Its code or account
        code: String,
        /// Bits per second that its publishers may send together
        #[arg(long, value_name = "BANDWIDTH", value_parser = bandwidth)]
        max_bandwidth: Option<u64>,
        /// Who decides who may publish and subscribe
        #[arg(long, value_name = "KEY")]
        owner: Option<KeyArg>,
    },
    /// Delete one that neither users nor access passes name
    Delete {
        /// Its code or account
        code: String,
    },
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

fn rows(view: &NetworkView, only: Option<Pubkey>) -> Vec<GroupRow> {
    let mut rows: Vec<_> = view
        .groups()
        .iter()
        .filter(|(key, _)| only.is_none_or(|only| only == **key))
        .map(|(key, group)| GroupRow {
            account: key.to_string(),
            code: group.code.clone(),
            multicast_ip: group.address.map(|address| address.ip),
            max_bandwidth: group.max_bandwidth,
            owner: group.owner.to_string(),
            publishers: group.publisher_count,
            subscribers: group.subscriber_count,
            status: group.status.to_string(),
        })
        .collect();
    rows.sort_by(|a, b| a.code.cmp(&b.code));
    rows
}

pub(super) async fn run(command: &Command, desk: &mut Desk<'_>) -> Result<(), CommandError> {
    let (program, payer) = (desk.program(), desk.payer());
    let view = desk.view().await?;
    let find = |code: &str| lookup(&view, AccountType::MulticastGroup, KIND, code);
    let (name, account, instruction) = match command {
        Command::List => return desk.list(&rows(&view, None)),
        Command::Get { code } => return desk.list_one(rows(&view, Some(find(code)?))),
        Command::Create { code, max_bandwidth, owner } => {
            let owner = owner.resolve(payer);
            let create = multicast_group::create_multicast_group(&program, &payer, code, owner, *max_bandwidth);
            (code, pda::multicast_group(&program, code).0, create)
        }
        Command::Update { code, max_bandwidth, owner } => {
            let account = find(code)?;
            let Some(old) = view.group(&account) else { return Err(super::vanished(KIND, code)) };
            let owner = owner.map_or(old.owner, |owner| owner.resolve(payer));
            let bandwidth = max_bandwidth.unwrap_or(old.max_bandwidth);
            (code, account, multicast_group::update_multicast_group(&program, &payer, account, owner, bandwidth))
        }
        Command::Delete { code } => {
            let account = find(code)?;
            (code, account, multicast_group::delete_multicast_group(&program, &payer, account))
        }
    };
    desk.change(Changed { kind: KIND, name, account }, [instruction]).await
}
