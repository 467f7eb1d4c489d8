//! `doublezero exchange`: metros where devices stand.

use clap::Subcommand;
use dz_sdk::{
    NetworkView, build,
    instruction::exchange,
    program::{pda, state::Exchange},
};
use solana_pubkey::Pubkey;

use super::{Changed, Look, Named, Operator, args::degrees, row::row};
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
        /// Its name for people
        #[arg(long)]
        name: String,
        /// Its latitude
        #[arg(long, value_name = "DEGREES", value_parser = degrees, allow_negative_numbers = true)]
        lat: i32,
        /// Its longitude
        #[arg(long, value_name = "DEGREES", value_parser = degrees, allow_negative_numbers = true)]
        lng: i32,
    },
    /// Change what is given
    Update {
        /// Which
        #[command(flatten)]
        code: Named,
        /// Its name for people
        #[arg(long)]
        name: Option<String>,
        /// Its latitude
        #[arg(long, value_name = "DEGREES", value_parser = degrees, allow_negative_numbers = true)]
        lat: Option<i32>,
        /// Its longitude
        #[arg(long, value_name = "DEGREES", value_parser = degrees, allow_negative_numbers = true)]
        lng: Option<i32>,
    },
    /// Let one take no more devices
    Suspend(Named),
    /// Let one take devices again
    Resume(Named),
    /// Delete one without devices
    Delete(Named),
}

row! {
    /// A metro.
    ExchangeRow {
        account: String => "Account",
        code: String => "Code",
        name: String => "Name",
        lat: f64 => "Lat",
        lng: f64 => "Lng",
        devices: u32 => "Devices",
        status: String => "Status",
    }
}

fn row_of(_: &NetworkView, key: &Pubkey, exchange: &Exchange) -> ExchangeRow {
    ExchangeRow {
        account: key.to_string(),
        code: exchange.code.clone(),
        name: exchange.name.clone(),
        lat: f64::from(exchange.latitude) / 1e6,
        lng: f64::from(exchange.longitude) / 1e6,
        devices: exchange.reference_count,
        status: exchange.status.to_string(),
    }
}

pub(super) async fn run(command: &Command, operator: &mut Operator<'_>) -> Result<(), CommandError> {
    let (program, payer) = (operator.program(), operator.payer());
    let view = operator.view().await?;
    let (changed, instruction) = match command {
        Command::Look(look) => return operator.look(&view, look, row_of),
        Command::Create { code, name, lat, lng } => {
            let changed = Changed::new::<Exchange>(code, pda::exchange(&program, code).0);
            (changed, exchange::create_exchange(&program, &payer, code, name, *lat, *lng))
        }
        Command::Update { code, name, lat, lng } => {
            let (changed, old) = code.find::<Exchange>(&view)?;
            let name = name.as_deref().unwrap_or(&old.name);
            let (lat, lng) = (lat.unwrap_or(old.latitude), lng.unwrap_or(old.longitude));
            (changed, exchange::update_exchange(&program, &payer, changed.account, name, lat, lng))
        }
        Command::Suspend(code) => operator.verb::<Exchange>(&view, code, exchange::suspend_exchange)?,
        Command::Resume(code) => operator.verb::<Exchange>(&view, code, exchange::resume_exchange)?,
        Command::Delete(code) => {
            let (changed, _) = code.find::<Exchange>(&view)?;
            (changed, build::delete_exchange(&view, &payer, changed.account))
        }
    };
    operator.change(&view, changed, [instruction]).await
}
