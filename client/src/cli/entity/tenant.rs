//! `doublezero tenant`: scopes of unicast routing.

use clap::Subcommand;
use dz_sdk::{
    NetworkView,
    instruction::tenant,
    program::{pda, state::Tenant},
};
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
        /// Keys that may give access passes for it
        #[arg(long, value_name = "KEY", value_delimiter = ',')]
        administrator: Vec<KeyArg>,
    },
    /// Set its administrators
    Update {
        /// Which
        #[command(flatten)]
        code: Named,
        /// Keys that may give access passes for it
        #[arg(long, value_name = "KEY", value_delimiter = ',')]
        administrator: Vec<KeyArg>,
    },
    /// Delete one that neither users nor access passes name
    Delete(Named),
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

fn row_of(_: &NetworkView, key: &Pubkey, tenant: &Tenant) -> TenantRow {
    TenantRow {
        account: key.to_string(),
        code: tenant.code.clone(),
        vrf_id: tenant.vrf_id,
        administrators: tenant.administrators.iter().map(Pubkey::to_string).collect(),
        references: tenant.reference_count,
        status: tenant.status.to_string(),
    }
}

pub(super) async fn run(command: &Command, operator: &mut Operator<'_>) -> Result<(), CommandError> {
    let (program, payer) = (operator.program(), operator.payer());
    let view = operator.view().await?;
    let keys = |keys: &[KeyArg]| keys.iter().map(|key| key.resolve(payer)).collect();
    let (changed, instruction) = match command {
        Command::Look(look) => return operator.look(&view, look, row_of),
        Command::Create { code, administrator } => {
            let changed = Changed::new::<Tenant>(code, pda::tenant(&program, code).0);
            (changed, tenant::create_tenant(&program, &payer, code, keys(administrator)))
        }
        Command::Update { code, administrator } => {
            let (changed, _) = code.find::<Tenant>(&view)?;
            (changed, tenant::update_tenant(&program, &payer, changed.account, keys(administrator)))
        }
        Command::Delete(code) => operator.verb::<Tenant>(&view, code, tenant::delete_tenant)?,
    };
    operator.change(&view, changed, [instruction]).await
}
