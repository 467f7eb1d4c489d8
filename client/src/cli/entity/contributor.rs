//! `doublezero contributor`: contributors of devices and links.

use clap::Subcommand;
use dz_sdk::{
    NetworkView, build,
    instruction::contributor,
    program::{network::NetworkV4, pda, state::Contributor},
};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;

use super::{Changed, KeyArg, Look, Named, Operator, row::row};
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
        /// Owner of its devices
        #[arg(long, value_name = "KEY", default_value = "me")]
        owner: KeyArg,
    },
    /// Change what is given
    Update {
        /// Which
        #[command(flatten)]
        code: Named,
        /// The new owner
        #[arg(long, value_name = "KEY")]
        owner: Option<KeyArg>,
        /// /24s it gets even out of those that are kept for edge filtering
        #[arg(long, value_name = "NUMBER")]
        granted_blocks: Option<u8>,
    },
    /// Register a prefix of its own that is divided among its devices
    AddPrefix {
        /// Which
        #[command(flatten)]
        code: Named,
        /// The network
        net: NetworkV4,
    },
    /// Remove one of which no device has a share
    RemovePrefix {
        /// Which
        #[command(flatten)]
        code: Named,
        /// The network
        net: NetworkV4,
    },
    /// Let one add nothing more
    Suspend(Named),
    /// Let one add again
    Resume(Named),
    /// Delete one that has neither devices nor links
    Delete(Named),
}

row! {
    /// A contributor.
    ContributorRow {
        account: String => "Account",
        code: String => "Code",
        owner: String => "Owner",
        prefixes: Vec<Ipv4Net> => "Prefixes",
        blocks: Vec<Ipv4Net> => "Blocks",
        granted_blocks: u8 => "Granted Blocks",
        references: u32 => "References",
        status: String => "Status",
    }
}

fn row_of(_: &NetworkView, key: &Pubkey, contributor: &Contributor) -> ContributorRow {
    ContributorRow {
        account: key.to_string(),
        code: contributor.code.clone(),
        owner: contributor.owner.to_string(),
        prefixes: contributor.prefixes.iter().map(|prefix| **prefix).collect(),
        blocks: contributor.blocks.iter().map(|block| **block).collect(),
        granted_blocks: contributor.granted_blocks,
        references: contributor.reference_count,
        status: contributor.status.to_string(),
    }
}

pub(super) async fn run(command: &Command, operator: &mut Operator<'_>) -> Result<(), CommandError> {
    let (program, payer) = (operator.program(), operator.payer());
    let view = operator.view().await?;
    let (changed, instruction) = match command {
        Command::Look(look) => return operator.look(&view, look, row_of),
        Command::Create { code, owner } => {
            let changed = Changed::new::<Contributor>(code, pda::contributor(&program, code).0);
            (changed, contributor::create_contributor(&program, &payer, code, owner.resolve(payer)))
        }
        Command::Update { code, owner, granted_blocks } => {
            let (changed, old) = code.find::<Contributor>(&view)?;
            let owner = owner.as_ref().map_or(old.owner, |owner| owner.resolve(payer));
            let granted = granted_blocks.unwrap_or(old.granted_blocks);
            (changed, contributor::update_contributor(&program, &payer, changed.account, owner, granted))
        }
        Command::AddPrefix { code, net } => {
            let (changed, _) = code.find::<Contributor>(&view)?;
            (changed, contributor::add_contributor_prefix(&program, &payer, changed.account, *net))
        }
        Command::RemovePrefix { code, net } => {
            let (changed, _) = code.find::<Contributor>(&view)?;
            (changed, build::remove_contributor_prefix(&view, &payer, changed.account, *net))
        }
        Command::Suspend(code) => operator.verb::<Contributor>(&view, code, contributor::suspend_contributor)?,
        Command::Resume(code) => operator.verb::<Contributor>(&view, code, contributor::resume_contributor)?,
        Command::Delete(code) => operator.verb::<Contributor>(&view, code, contributor::delete_contributor)?,
    };
    operator.change(&view, changed, [instruction]).await
}
