//! What every change of this client's tunnels ends with: waiting until chain and daemon have it.

use std::{collections::BTreeMap, io::Write, net::Ipv4Addr};

use dz_sdk::{
    Ledger, build,
    program::{
        instruction::{MAX_ROLES_PER_INSTRUCTION, Roles},
        state::{User, UserStatus},
    },
};
use solana_pubkey::Pubkey;

use super::roles;
use crate::{
    api::{Service, Session},
    cli::{
        daemon::Daemon,
        error::CommandError,
        output::{self, Format},
        wait::{ACTIVATOR, Waiting},
    },
};

/// What is waited for after a change that the activator has a say in.
const ACTIVATED: &str = "the tunnel to be activated";

/// This host, as the command line sees it.
pub struct Client<'a> {
    /// The chain.
    pub ledger: &'a dyn Ledger,
    /// The daemon.
    pub daemon: &'a Daemon,
    /// The deadline and who hears of it.
    pub waiting: Waiting<'a>,
}

impl Client<'_> {
    /// Waits for the activator's word and for the daemon's tunnel, and prints it.
    pub(super) async fn finish(
        &self,
        client_ip: Ipv4Addr,
        endpoint: Ipv4Addr,
        since: u64,
        roles: &BTreeMap<Pubkey, Roles>,
        format: Format,
        out: &mut dyn Write,
    ) -> Result<(), CommandError> {
        let groups = self.activated(client_ip, endpoint, since, roles).await?;
        let service = self.carried(endpoint, &groups).await?;
        match format {
            Format::Json => output::json(out, &service),
            Format::Table => output::rows(out, format, std::slice::from_ref(&service)),
        }
        .map_err(anyhow::Error::from)?;
        Ok(())
    }

    /// Sets roles of a user, as many at a time as an instruction takes, each once the chain shows the one before as
    /// done. Returns the slot from which on the chain shows the last.
    pub(super) async fn set_roles(
        &self,
        key: Pubkey,
        mut since: u64,
        roles: &[(Pubkey, Roles)],
    ) -> Result<u64, CommandError> {
        for batch in roles.chunks(MAX_ROLES_PER_INSTRUCTION) {
            let view = self
                .waiting
                .for_chain(self.ledger, since, ACTIVATED, ACTIVATOR, |view| {
                    decided(view.user(&key)).map(|outcome| outcome.map(|_| view.clone()))
                })
                .await??;
            for change in build::set_user_roles(&view, &self.ledger.payer(), key, batch)? {
                since = self.waiting.for_landing(self.ledger, &[change]).await?;
            }
        }
        Ok(since)
    }

    /// Waits for the activator's word; returns the codes of the wanted groups.
    async fn activated(
        &self,
        client_ip: Ipv4Addr,
        endpoint: Ipv4Addr,
        since: u64,
        roles: &BTreeMap<Pubkey, Roles>,
    ) -> Result<BTreeMap<String, Roles>, CommandError> {
        self.waiting
            .for_chain(self.ledger, since, ACTIVATED, ACTIVATOR, |view| {
                let user = view.user_at(client_ip, endpoint).map(|(_, user)| user);
                let codes = || {
                    let code = |key| view.group(key).map(|group| group.code.clone());
                    roles.iter().filter_map(|(key, roles)| Some((code(key)?, *roles))).collect()
                };
                decided(user).map(|outcome| match outcome {
                    Ok(user) if roles::differ(user, roles) => {
                        Err(CommandError::Rejected { reason: user.reject_reason.clone() })
                    }
                    Ok(_) => Ok(codes()),
                    Err(error) => Err(error),
                })
            })
            .await?
    }

    /// Waits until the daemon's tunnel to this endpoint has these groups and is answered from its far end.
    async fn carried(&self, endpoint: Ipv4Addr, groups: &BTreeMap<String, Roles>) -> Result<Service, CommandError> {
        let step = format!("the tunnel to {endpoint} to come up");
        let hint = "see `doublezero status`, the log of doublezerod and of the device's agent";
        self.waiting
            .for_daemon(self.daemon, &step, hint, |status| {
                let has = |service: &Service| {
                    groups.iter().all(|(code, roles)| {
                        service.publisher.contains(code) == roles.publish
                            && service.subscriber.contains(code) == roles.subscribe
                    })
                };
                let mut services = status.services.iter();
                services
                    .find(|service| service.tunnel_dst == endpoint && service.session == Session::Up && has(service))
                    .cloned()
            })
            .await
    }
}

/// What has become of a user: nothing yet while the activator has a say.
fn decided(user: Option<&User>) -> Option<Result<&User, CommandError>> {
    let rejected = |reason: &str| CommandError::Rejected { reason: reason.to_owned() };
    let Some(user) = user else { return Some(Err(rejected("the user was deleted meanwhile"))) };
    match user.status {
        UserStatus::Activated => Some(Ok(user)),
        UserStatus::Rejected => Some(Err(rejected(&user.reject_reason))),
        UserStatus::PendingBan | UserStatus::Banned => Some(Err(CommandError::Banned { client_ip: user.client_ip })),
        UserStatus::Pending | UserStatus::Updating | UserStatus::Deleting => None,
    }
}
