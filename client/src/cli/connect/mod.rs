//! `doublezero connect`: from the wish for a service to a tunnel that carries traffic.
//!
//! 1. asks the daemon who this client is and how far every endpoint is,
//! 2. chooses an endpoint and takes a seat on the chain; who loses a race for the endpoint chooses again,
//! 3. waits for the activator's word, then for the daemon's tunnel.
//!
//! Asking for what there is already succeeds.

mod client;
mod request;
mod roles;

use std::{collections::BTreeSet, io::Write, net::Ipv4Addr, time::Duration};

use dz_sdk::{
    LedgerError, NetworkView, build,
    program::{
        error::ServiceabilityError,
        instruction::MAX_ROLES_PER_INSTRUCTION,
        pda,
        state::{User, UserStatus},
    },
};
use solana_pubkey::Pubkey;

use self::request::Wish;
pub use self::{
    client::Client,
    request::{Request, Service},
    roles::{RoleChange, Verb},
};
use super::{error::CommandError, output::Format, wait::ACTIVATOR};
use crate::{
    api,
    select::{self, Measured},
};

/// What a connect needs to know besides what is wanted.
pub struct Connect<'a> {
    /// This host.
    pub client: Client<'a>,
    /// How much slower than the device the client already has another one may be.
    pub tolerance: Duration,
    /// Round-trip times that differ by no more than this are equal.
    pub tie: Duration,
}

impl Connect<'_> {
    /// Connects and prints the tunnel.
    pub async fn run(&self, request: &Request, format: Format, out: &mut dyn Write) -> Result<(), CommandError> {
        let client_ip = self.client.daemon.status(None).await?.client_ip;
        let view = self.client.ledger.snapshot().await?;
        let wish = request.resolve(&view, client_ip, self.client.ledger.payer())?;
        let (endpoint, roles, since) = match self.present(&view, client_ip, &wish, request.another)? {
            Some((key, user)) => {
                let roles = roles::with_held(&user, &wish.roles);
                let changed = roles::changed(&user, &roles);
                (user.endpoint_ip, roles, self.client.set_roles(key, view.slot(), &changed).await?)
            }
            None => {
                let (endpoint, since) = self.take_seat(client_ip, &wish).await?;
                (endpoint, wish.roles, since)
            }
        };
        self.client.daemon.enable(true).await?;
        self.client.finish(client_ip, endpoint, since, &roles, format, out).await
    }

    /// The user that already is what is wanted, if there is one and no further one is asked for.
    fn present(
        &self,
        view: &NetworkView,
        client_ip: Ipv4Addr,
        wish: &Wish,
        another: bool,
    ) -> Result<Option<(Pubkey, User)>, CommandError> {
        let users: Vec<_> =
            view.users_of_client(client_ip).filter(|(_, user)| user.owner == self.client.ledger.payer()).collect();
        if users.iter().any(|(_, user)| matches!(user.status, UserStatus::PendingBan | UserStatus::Banned)) {
            return Err(CommandError::Banned { client_ip });
        }
        if another {
            return Ok(None);
        }
        Ok(users
            .into_iter()
            .find(|(_, user)| {
                matches!(user.status, UserStatus::Pending | UserStatus::Activated | UserStatus::Updating)
                    && user.user_type == wish.user_type
                    && user.tenant == wish.tenant
                    && wish.device.is_none_or(|device| device == user.device)
            })
            .map(|(key, user)| (*key, user.clone())))
    }

    /// Chooses an endpoint and creates the user; a concurrent connect of this client that is faster makes it choose
    /// again among what is left, so it ends. Returns the endpoint and the slot from which on the chain shows it.
    async fn take_seat(&self, client_ip: Ipv4Addr, wish: &Wish) -> Result<(Ipv4Addr, u64), CommandError> {
        self.earlier_gone(client_ip, wish).await?;
        let payer = self.client.ledger.payer();
        let roles: Vec<_> = wish.roles.iter().map(|(key, roles)| (*key, *roles)).collect();
        let (first, rest) = roles.split_at(roles.len().min(MAX_ROLES_PER_INSTRUCTION));
        let mut lost = BTreeSet::new();
        loop {
            let view = self.client.ledger.snapshot().await?;
            wish.check_pass(&view, client_ip, payer)?;
            let latency = self.client.waiting.for_latency(self.client.daemon, &view).await?;
            let measured: Vec<_> = latency.results.iter().map(measured).collect();
            let choice = select::choose(&view, &measured, &self.asked(client_ip, wish, &lost))?;
            let user = build::CreateUser {
                client_ip,
                endpoint_ip: choice.endpoint,
                user_type: wish.user_type,
                tenant: wish.tenant,
                roles: first.to_vec(),
            };
            let create = build::create_user(&view, &payer, &payer, user)?;
            match self.client.waiting.for_landing(self.client.ledger, &[create]).await {
                Ok(since) => {
                    let key = pda::user(view.program(), client_ip, choice.endpoint).0;
                    return Ok((choice.endpoint, self.client.set_roles(key, since, rest).await?));
                }
                Err(CommandError::Ledger(LedgerError::Refused { error, .. })) if is_lost_race(error) => {
                    lost.insert(choice.endpoint);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn asked(&self, client_ip: Ipv4Addr, wish: &Wish, lost: &BTreeSet<Ipv4Addr>) -> select::Request {
        select::Request {
            client_ip,
            user_type: wish.user_type,
            publisher: wish.roles.values().any(|roles| roles.publish),
            device: wish.device,
            tolerance: self.tolerance,
            tie: self.tie,
            lost: lost.clone(),
        }
    }

    /// Waits until what this client disconnected from before has given its seat back.
    async fn earlier_gone(&self, client_ip: Ipv4Addr, wish: &Wish) -> Result<(), CommandError> {
        let going = |view: &NetworkView| {
            view.users_of_client(client_ip).any(|(_, user)| {
                user.status == UserStatus::Deleting && user.user_type.is_multicast() == wish.user_type.is_multicast()
            })
        };
        let view = self.client.ledger.snapshot().await?;
        if !going(&view) {
            return Ok(());
        }
        let step = "the earlier tunnel to be released";
        self.client
            .waiting
            .for_chain(self.client.ledger, view.slot(), step, ACTIVATOR, |view| (!going(view)).then_some(()))
            .await
    }
}

fn measured(result: &api::EndpointLatency) -> Measured {
    Measured {
        endpoint: result.device_ip,
        median: result.median_latency_ns.filter(|_| result.reachable).map(Duration::from_nanos),
    }
}

/// Whether somebody was faster between our reading and our writing: another connect of this client that took the
/// endpoint, or another client that took the last seat.
fn is_lost_race(error: ServiceabilityError) -> bool {
    use ServiceabilityError::{
        DeviceFull, DevicePublishersFull, DeviceSubscribersFull, DeviceUnicastFull, EndpointInUse,
    };
    matches!(error, EndpointInUse | DeviceFull | DeviceUnicastFull | DeviceSubscribersFull | DevicePublishersFull)
}
