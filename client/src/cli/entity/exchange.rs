//! `doublezero exchange`: metros where devices stand.

use clap::Subcommand;
use dz_sdk::{
    NetworkView,
    instruction::exchange,
    program::{pda, state::AccountType},
};
use solana_pubkey::Pubkey;

use super::{Changed, Desk, args::degrees, row::row};
use crate::cli::{error::CommandError, names::lookup};

const KIND: &str = "exchange";

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
        /// Its code or account
        code: String,
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
    Suspend {
        /// Its code or account
        code: String,
    },
    /// Let one take devices again
    Resume {
        /// Its code or account
        code: String,
    },
    /// Delete one without devices
    Delete {
        /// Its code or account
        code: String,
    },
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

fn rows(view: &NetworkView, only: Option<Pubkey>) -> Vec<ExchangeRow> {
    let mut rows: Vec<_> = view
        .exchanges()
        .iter()
        .filter(|(key, _)| only.is_none_or(|only| only == **key))
        .map(|(key, exchange)| ExchangeRow {
            account: key.to_string(),
            code: exchange.code.clone(),
            name: exchange.name.clone(),
            lat: f64::from(exchange.latitude) / 1e6,
            lng: f64::from(exchange.longitude) / 1e6,
            devices: exchange.reference_count,
            status: exchange.status.to_string(),
        })
        .collect();
    rows.sort_by(|a, b| a.code.cmp(&b.code));
    rows
}

pub(super) async fn run(command: &Command, desk: &mut Desk<'_>) -> Result<(), CommandError> {
    let (program, payer) = (desk.program(), desk.payer());
    let view = desk.view().await?;
    let find = |code: &str| lookup(&view, AccountType::Exchange, KIND, code);
    let (code, account, instruction) = match command {
        Command::List => return desk.list(&rows(&view, None)),
        Command::Get { code } => return desk.list_one(rows(&view, Some(find(code)?))),
        Command::Create { code, name, lat, lng } => {
            let create = exchange::create_exchange(&program, &payer, code, name, *lat, *lng);
            (code, pda::exchange(&program, code).0, create)
        }
        Command::Update { code, name, lat, lng } => {
            let account = find(code)?;
            let Some(old) = view.exchange(&account) else { return Err(super::vanished(KIND, code)) };
            let name = name.as_deref().unwrap_or(&old.name);
            let (lat, lng) = (lat.unwrap_or(old.latitude), lng.unwrap_or(old.longitude));
            (code, account, exchange::update_exchange(&program, &payer, account, name, lat, lng))
        }
        Command::Suspend { code } => {
            let account = find(code)?;
            (code, account, exchange::suspend_exchange(&program, &payer, account))
        }
        Command::Resume { code } => {
            let account = find(code)?;
            (code, account, exchange::resume_exchange(&program, &payer, account))
        }
        Command::Delete { code } => {
            let account = find(code)?;
            (code, account, exchange::delete_exchange(&program, &payer, account))
        }
    };
    desk.change(Changed { kind: KIND, name: code, account }, [instruction]).await
}
