//! `doublezero pool`: pools and their use.

use clap::Subcommand;
use dz_sdk::{
    NetworkView,
    program::state::{Pool, PoolKind},
};
use solana_pubkey::Pubkey;

use super::{
    Operator, code_of,
    row::{Share, row},
};
use crate::cli::error::CommandError;

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all, or those of a kind
    List {
        /// Only of this kind, such as user-tunnel-block
        kind: Option<PoolKind>,
    },
    /// Show one with what is taken of it
    Get {
        /// Its account
        account: Pubkey,
    },
}

row! {
    /// A pool.
    PoolRow {
        account: String => "Account",
        kind: String => "Kind",
        owner: String => "Owner",
        first: String => "First",
        unit: u32 => "Unit",
        units: Share => "Units",
        reserved: u32 => "Reserved",
        kept: u32 => "Kept",
    }
}

row! {
    /// A pool and what is taken of it.
    TakenRow {
        account: String => "Account",
        kind: String => "Kind",
        owner: String => "Owner",
        first: String => "First",
        unit: u32 => "Unit",
        units: Share => "Units",
        reserved: u32 => "Reserved",
        kept: u32 => "Kept",
        taken: Vec<String> => "Taken",
    }
}

fn row_of(view: &NetworkView, key: &Pubkey, pool: &Pool) -> PoolRow {
    PoolRow {
        account: key.to_string(),
        kind: pool.kind.to_string(),
        owner: code_of(view, &pool.owner),
        first: pool.kind.show(pool.base),
        unit: pool.unit,
        units: Share { used: pool.used(), max: Some(pool.capacity()) },
        reserved: pool.reserved,
        kept: kept(view, pool),
    }
}

/// Units of a DoubleZero block that are free and kept for edge filtering.
fn kept(view: &NetworkView, pool: &Pool) -> u32 {
    let kept = view.config().map_or(0, |config| config.kept_blocks.into());
    if pool.kind == PoolKind::DoubleZeroBlock { (pool.capacity() - pool.used()).min(kept) } else { 0 }
}

pub(super) async fn run(command: &Command, operator: &mut Operator<'_>) -> Result<(), CommandError> {
    let view = operator.view().await?;
    match command {
        Command::List { kind } => {
            let mut pools: Vec<_> =
                view.pools().iter().filter(|(_, pool)| kind.is_none_or(|kind| kind == pool.kind)).collect();
            pools.sort_by_key(|(_, pool)| (pool.kind, code_of(&view, &pool.owner), pool.base));
            operator.list(&pools.into_iter().map(|(key, pool)| row_of(&view, key, pool)).collect::<Vec<_>>())
        }
        Command::Get { account } => {
            let Some(pool) = view.pool(account) else {
                return Err(CommandError::Unknown { kind: "pool", name: account.to_string(), nearest: None });
            };
            let PoolRow { account, kind, owner, first, unit, units, reserved, kept } = row_of(&view, account, pool);
            let taken = pool.taken().map(|value| pool.kind.show(value)).collect();
            operator.one(&TakenRow { account, kind, owner, first, unit, units, reserved, kept, taken })
        }
    }
}
