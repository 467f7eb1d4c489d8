//! `doublezero disconnect`: tunnels go, on the chain and on this host.

use std::io::Write;

use dz_sdk::{
    Ledger, LedgerError, build,
    program::{
        error::ServiceabilityError,
        state::{User, UserStatus},
    },
};
use solana_pubkey::Pubkey;

use super::{
    daemon::Daemon,
    error::CommandError,
    wait::{ACTIVATOR, Waiting},
};

/// Which tunnels go.
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

/// Deletes the users and, with `wait`, waits until chain and daemon have none of them.
pub async fn run(
    ledger: &dyn Ledger,
    daemon: &Daemon,
    waiting: Waiting<'_>,
    what: What,
    wait: bool,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let client_ip = daemon.status(None).await?.client_ip;
    let view = ledger.snapshot().await?;
    let (own, foreign): (Vec<(Pubkey, User)>, Vec<_>) = view
        .users_of_client(client_ip)
        .filter(|(_, user)| what.covers(user) && user.status != UserStatus::Banned)
        .map(|(key, user)| (*key, user.clone()))
        .partition(|(_, user)| user.owner == ledger.payer());
    for (_, user) in &foreign {
        say(out, &format!("{} {} belongs to {}", user.user_type, user.endpoint_ip, user.owner))?;
    }
    let mut since = view.slot();
    for (key, user) in &own {
        if matches!(user.status, UserStatus::Deleting | UserStatus::PendingBan) {
            continue;
        }
        let delete = build::delete_user(&view, &ledger.payer(), *key)?;
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
        waiting
            .for_chain(ledger, since, "the tunnels to be released", ACTIVATOR, |now| {
                let gone = |key: &Pubkey| now.user(key).is_none_or(|user| user.status == UserStatus::Banned);
                own.iter().all(|(key, _)| gone(key)).then_some(())
            })
            .await?;
        waiting
            .for_daemon(daemon, "the tunnels to be removed", "see the log of doublezerod", |status| {
                let held = |user: &User| status.services.iter().any(|service| service.tunnel_dst == user.endpoint_ip);
                (!own.iter().any(|(_, user)| held(user))).then_some(())
            })
            .await?;
    }
    for (_, user) in &own {
        say(out, &format!("disconnected {} {}", user.user_type, user.endpoint_ip))?;
    }
    if own.is_empty() {
        say(out, "no tunnels to disconnect")?;
    }
    Ok(())
}

fn say(out: &mut dyn Write, line: &str) -> Result<(), CommandError> {
    writeln!(out, "{line}").map_err(|error| anyhow::Error::from(error).into())
}
