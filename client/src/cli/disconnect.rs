//! `doublezero disconnect`: tunnels go, on the chain and on this host.

use std::{
    io::{self, Write},
    net::Ipv4Addr,
};

use dz_sdk::{
    LedgerError, NetworkView, build,
    instruction::decided_on,
    program::{
        error::ServiceabilityError,
        state::{User, UserStatus},
    },
};
use serde::Serialize;
use solana_pubkey::Pubkey;

use super::{
    connect::Client,
    error::CommandError,
    output::{self, Format},
};

/// Tunnels to remove go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// All of this client.
    All,
    /// The unicast ones.
    Ibrl,
    /// The multicast ones.
    Multicast,
}

impl What {
    fn covers(self, user: &User) -> bool {
        match self {
            Self::All => true,
            Self::Ibrl => !user.user_type.is_multicast(),
            Self::Multicast => user.user_type.is_multicast(),
        }
    }
}

/// What has become of a tunnel of this client.
#[derive(Debug, Serialize)]
struct Report {
    user_type: String,
    tunnel_dst: Ipv4Addr,
    /// False for one of another key's, which stays.
    disconnected: bool,
    owner: String,
}

impl Report {
    fn new(user: &User, disconnected: bool) -> Self {
        Self {
            user_type: user.user_type.to_string(),
            tunnel_dst: user.endpoint_ip,
            disconnected,
            owner: user.owner.to_string(),
        }
    }
}

/// Deletes the users and, with `wait`, waits until chain and daemon have none of them.
///
/// # Errors
/// [`CommandError`]: the ledger or the daemon does not answer, or the deadline passes.
pub async fn run(
    client: Client<'_>,
    what: What,
    wait: bool,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let Client { ledger, daemon, waiting } = client;
    let client_ip = waiting.for_status(daemon).await?.client_ip;
    let view = waiting.for_snapshot(ledger).await?;
    let (own, foreign): (Vec<(Pubkey, User)>, Vec<_>) = view
        .users_of_client(client_ip)
        .filter(|(_, user)| what.covers(user) && user.status != UserStatus::Banned)
        .map(|(key, user)| (*key, user.clone()))
        .partition(|(_, user)| user.owner == ledger.payer());
    let mut since = view.slot();
    for (key, user) in &own {
        if matches!(user.status, UserStatus::Deleting | UserStatus::PendingBan) {
            continue;
        }
        let delete = decided_on(&view, build::delete_user(&view, &ledger.payer(), *key)?);
        match waiting.for_landing(ledger, &[delete]).await {
            Ok(slot) => since = since.max(slot),
            // Somebody else was faster: it is what was asked for.
            Err(CommandError::Ledger(LedgerError::Refused {
                error: ServiceabilityError::UserDeleting | ServiceabilityError::AccountNotFound,
                ..
            })) => {}
            Err(error) => return Err(error),
        }
    }
    if wait && !own.is_empty() {
        let all_gone = |now: &NetworkView| {
            let gone = |key: &Pubkey| now.user(key).is_none_or(|user| user.status == UserStatus::Banned);
            own.iter().all(|(key, _)| gone(key)).then(|| now.slot())
        };
        let step = "the tunnels to be released";
        let gone_at = waiting.for_activator(ledger, since, step, all_gone, |_| true).await?;
        waiting
            .for_daemon(daemon, "the tunnels to be removed", "see the log of doublezerod", |status| {
                let held = |user: &User| status.services.iter().any(|service| service.tunnel_dst == user.endpoint_ip);
                let seen = status.slot.is_some_and(|slot| slot >= gone_at);
                (seen && !own.iter().any(|(_, user)| held(user))).then_some(())
            })
            .await?;
    }
    let reports = own.iter().map(|(_, user)| Report::new(user, true));
    let reports: Vec<_> = reports.chain(foreign.iter().map(|(_, user)| Report::new(user, false))).collect();
    print(&reports, format, out).map_err(|error| anyhow::Error::from(error).into())
}

fn print(reports: &[Report], format: Format, out: &mut dyn Write) -> io::Result<()> {
    if format == Format::Json {
        return output::json(out, &reports);
    }
    if reports.is_empty() {
        return writeln!(out, "no tunnels to disconnect");
    }
    reports.iter().try_for_each(|Report { user_type, tunnel_dst, disconnected, owner }| match disconnected {
        true => writeln!(out, "disconnected {user_type} {tunnel_dst}"),
        false => writeln!(out, "{user_type} {tunnel_dst} belongs to {owner} and stays"),
    })
}
