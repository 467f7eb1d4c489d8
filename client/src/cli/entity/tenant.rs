//! `doublezero tenant`: scopes of unicast routing.

use clap::Subcommand;
use dz_sdk::{
    NetworkView,
    instruction::tenant,
    program::{pda, state::AccountType},
};
use solana_pubkey::Pubkey;

use super::{Changed, Desk, KeyArg, row::row};
use crate::cli::{error::CommandError, names::lookup};

const KIND: &str = "tenant";

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
        /// Who may give access passes for it
        #[arg(long, value_name = "KEY", value_delimiter = ',')]
        administrator: Vec<KeyArg>,
    },
    /// Set its administrators
    Update {
        /// Its code or account
        code: String,
        /// Who may give access passes for it
        #[arg(long, value_name = "KEY", value_delimiter = ',')]
        administrator: Vec<KeyArg>,
    },
    /// Delete one that neither users nor access passes name
    Delete {
        /// Its code or account
        code: String,
    },
}

row! {
    /// A tenant.
    TenantRow {
        account: String => "Account",
        code: String => "Code",
        vrf_id: Option<u16> => "VRF",
        administrators: Vec<String> => "Administrators",
        references: u32 => "References",
        status: String => "Status",
    }
}

fn rows(view: &NetworkView, only: Option<Pubkey>) -> Vec<TenantRow> {
    let mut rows: Vec<_> = view
        .tenants()
        .iter()
        .filter(|(key, _)| only.is_none_or(|only| only == **key))
        .map(|(key, tenant)| TenantRow {
            account: key.to_string(),
            code: tenant.code.clone(),
            vrf_id: tenant.vrf_id,
            administrators: tenant.administrators.iter().map(Pubkey::to_string).collect(),
            references: tenant.reference_count,
            status: tenant.status.to_string(),
        })
        .collect();
    rows.sort_by(|a, b| a.code.cmp(&b.code));
    rows
}

pub(super) async fn run(command: &Command, desk: &mut Desk<'_>) -> Result<(), CommandError> {
    let (program, payer) = (desk.program(), desk.payer());
    let view = desk.view().await?;
    let find = |code: &str| lookup(&view, AccountType::Tenant, KIND, code);
    let keys = |keys: &[KeyArg]| keys.iter().map(|key| key.resolve(payer)).collect();
    let (name, account, instruction) = match command {
        Command::List => return desk.list(&rows(&view, None)),
        Command::Get { code } => return desk.list_one(rows(&view, Some(find(code)?))),
        Command::Create { code, administrator } => {
            let create = tenant::create_tenant(&program, &payer, code, keys(administrator));
            (code, pda::tenant(&program, code).0, create)
        }
        Command::Update { code, administrator } => {
            let account = find(code)?;
            (code, account, tenant::update_tenant(&program, &payer, account, keys(administrator)))
        }
        Command::Delete { code } => {
            let account = find(code)?;
            (code, account, tenant::delete_tenant(&program, &payer, account))
        }
    };
    desk.change(Changed { kind: KIND, name, account }, [instruction]).await
}
