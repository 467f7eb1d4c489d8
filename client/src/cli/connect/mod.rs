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
    program::{error::ServiceabilityError, instruction::MAX_ROLES_PER_INSTRUCTION, pda, state::UserStatus},
};

pub use self::{
    client::Client,
    request::{Request, Service},
    roles::{ChangeRoles, Verb},
};
use self::{client::Seat, request::Wish};
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
        let Client { ledger, daemon, waiting } = &self.client;
        let client_ip = waiting.for_status(daemon).await?.client_ip;
        let view = waiting.for_snapshot(*ledger).await?;
        let wish = request.resolve(&view, client_ip, ledger.payer())?;
        let seat = match self.present(&view, client_ip, &wish)? {
            Some(seat) => seat,
            None => self.take_seat(client_ip, &wish).await?,
        };
        self.client.finish(&seat, &wish.wanted(), format, out).await?;
        Ok(())
    }

    /// The user that already is what is wanted, if there is one and no further one is asked for.
    fn present(&self, view: &NetworkView, client_ip: Ipv4Addr, wish: &Wish) -> Result<Option<Seat>, CommandError> {
        let users: Vec<_> =
            view.users_of_client(client_ip).filter(|(_, user)| user.owner == self.client.ledger.payer()).collect();
        if users.iter().any(|(_, user)| matches!(user.status, UserStatus::PendingBan | UserStatus::Banned)) {
            return Err(CommandError::Banned { client_ip });
        }
        if wish.another {
            return Ok(None);
        }
        let wanted = wish.wanted();
        let fitting = users.into_iter().filter(|(_, user)| {
            matches!(user.status, UserStatus::Pending | UserStatus::Activated | UserStatus::Updating)
                && user.user_type == wish.user_type
                && user.tenant == wish.tenant
                && wish.device.is_none_or(|device| device == user.device)
        });
        // Of several, one that has the roles already is not changed for nothing.
        let found = fitting.min_by_key(|(_, user)| (!roles::met(user, &wanted), user.endpoint_ip));
        let Some((key, user)) = found else { return Ok(None) };
        self.client.check_roles(view, user, &wanted)?;
        Ok(Some(Seat { user: *key, endpoint: user.endpoint_ip, since: view.slot() }))
    }

    /// Chooses an endpoint and creates the user. Where a concurrent connect was faster, either it wanted the same and
    /// its seat is ours, too, or the choice is made again among what is left, so it ends.
    async fn take_seat(&self, client_ip: Ipv4Addr, wish: &Wish) -> Result<Seat, CommandError> {
        let Client { ledger, daemon, waiting } = &self.client;
        self.earlier_gone(client_ip, wish).await?;
        let payer = ledger.payer();
        let first = wish.roles.iter().take(MAX_ROLES_PER_INSTRUCTION).map(|(group, roles)| (*group, *roles));
        let first: Vec<_> = first.collect();
        let mut lost = BTreeSet::new();
        loop {
            let view = waiting.for_snapshot(*ledger).await?;
            // In this view, as the choice is made in it: another connect may have landed since the last look.
            if let Some(seat) = self.present(&view, client_ip, wish)? {
                return Ok(seat);
            }
            wish.check_pass(&view, client_ip, payer)?;
            let latency = waiting.for_latency(daemon, &view).await?;
            let measured: Vec<_> = latency.results.iter().map(measured).collect();
            let choice = select::choose(&view, &measured, &self.asked(client_ip, wish, &lost))?;
            let user = build::CreateUser {
                client_ip,
                endpoint_ip: choice.endpoint,
                user_type: wish.user_type,
                tenant: wish.tenant,
                roles: first.clone(),
            };
            let create = build::create_user(&view, &payer, &payer, user)?;
            match waiting.for_landing(*ledger, &[create]).await {
                Ok(since) => {
                    let user = pda::user(view.program(), client_ip, choice.endpoint).0;
                    return Ok(Seat { user, endpoint: choice.endpoint, since });
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
        let view = self.client.waiting.for_snapshot(self.client.ledger).await?;
        if !going(&view) {
            return Ok(());
        }
        let step = "the earlier tunnel to be released";
        let gone = |view: &NetworkView| (!going(view)).then_some(());
        self.client.waiting.for_certain(self.client.ledger, view.slot(), step, ACTIVATOR, gone, |()| true).await
    }
}

fn measured(result: &api::EndpointLatency) -> Measured {
    Measured {
        endpoint: result.device_ip,
        median: result.median_latency_ns.filter(|_| result.reachable).map(Duration::from_nanos),
    }
}

/// Whether somebody was faster between our reading and our writing: another connect of this client that took the
/// endpoint or the last tunnel of the pass, or another client that took the last seat of the device.
fn is_lost_race(error: ServiceabilityError) -> bool {
    use ServiceabilityError::{
        DeviceFull, DevicePublishersFull, DeviceSubscribersFull, DeviceUnicastFull, EndpointInUse, PassMulticastFull,
        PassUnicastFull,
    };
    matches!(
        error,
        EndpointInUse
            | PassUnicastFull
            | PassMulticastFull
            | DeviceFull
            | DeviceUnicastFull
            | DeviceSubscribersFull
            | DevicePublishersFull
    )
}
