//! `doublezero contributor`: who brings devices and links.

use clap::Subcommand;
use dz_sdk::{
    NetworkView,
    instruction::contributor,
    program::{pda, state::AccountType},
};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;

use super::{Changed, Desk, KeyArg, row::row};
use crate::cli::{error::CommandError, names::lookup};

const KIND: &str = "contributor";

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
        /// Who will own its devices
        #[arg(long, value_name = "KEY", default_value = "me")]
        owner: KeyArg,
    },
    /// Give one to another owner
    Update {
        /// Its code or account
        code: String,
        /// The new owner
        #[arg(long, value_name = "KEY")]
        owner: KeyArg,
    },
    /// Let one add nothing more
    Suspend {
        /// Its code or account
        code: String,
    },
    /// Let one add again
    Resume {
        /// Its code or account
        code: String,
    },
    /// Delete one that has neither devices nor links
    Delete {
        /// Its code or account
        code: String,
    },
}

row! {
    /// A contributor.
    ContributorRow {
        account: String => "Account",
        code: String => "Code",
        owner: String => "Owner",
        blocks: Vec<Ipv4Net> => "Blocks",
        references: u32 => "References",
        status: String => "Status",
    }
}

fn rows(view: &NetworkView, only: Option<Pubkey>) -> Vec<ContributorRow> {
    let mut rows: Vec<_> = view
        .contributors()
        .iter()
        .filter(|(key, _)| only.is_none_or(|only| only == **key))
        .map(|(key, contributor)| ContributorRow {
            account: key.to_string(),
            code: contributor.code.clone(),
            owner: contributor.owner.to_string(),
            blocks: contributor.blocks.iter().map(|block| **block).collect(),
            references: contributor.reference_count,
            status: contributor.status.to_string(),
        })
        .collect();
    rows.sort_by(|a, b| a.code.cmp(&b.code));
    rows
}

pub(super) async fn run(command: &Command, desk: &mut Desk<'_>) -> Result<(), CommandError> {
    let (program, payer) = (desk.program(), desk.payer());
    let view = desk.view().await?;
    let find = |code: &str| lookup(&view, AccountType::Contributor, KIND, code);
    let (name, account, instruction) = match command {
        Command::List => return desk.list(&rows(&view, None)),
        Command::Get { code } => return desk.list_one(rows(&view, Some(find(code)?))),
        Command::Create { code, owner } => {
            let account = pda::contributor(&program, code).0;
            (code, account, contributor::create_contributor(&program, &payer, code, owner.resolve(payer)))
        }
        Command::Update { code, owner } => {
            let account = find(code)?;
            (code, account, contributor::update_contributor(&program, &payer, account, owner.resolve(payer)))
        }
        Command::Suspend { code } => {
            let account = find(code)?;
            (code, account, contributor::suspend_contributor(&program, &payer, account))
        }
        Command::Resume { code } => {
            let account = find(code)?;
            (code, account, contributor::resume_contributor(&program, &payer, account))
        }
        Command::Delete { code } => {
            let account = find(code)?;
            (code, account, contributor::delete_contributor(&program, &payer, account))
        }
    };
    desk.change(Changed { kind: KIND, name, account }, [instruction]).await
}
