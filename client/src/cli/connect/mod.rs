//! `doublezero connect`: from a request for a service to a tunnel that carries traffic.
//!
//! 1. asks the daemon who this client is and how far every endpoint is,
//! 2. chooses an endpoint and takes a seat on the chain; who loses a race for the endpoint chooses again,
//! 3. waits for the activator's word, then for the daemon's tunnel.
//!
//! Asking for what there is already succeeds.

mod client;
mod rejections;
mod remainders;
mod request;
mod roles;
mod seat;

use std::{collections::BTreeSet, io::Write, net::Ipv4Addr, sync::Arc, time::Duration};

use dz_policy::{ConnectPolicy, WhenDrained};
use dz_sdk::{
    LedgerError, NetworkView, build,
    instruction::decided_on,
    program::{
        error::ServiceabilityError,
        instruction::MAX_ROLES_PER_INSTRUCTION,
        pda,
        state::{User, UserStatus},
    },
};
use solana_pubkey::Pubkey;

pub use self::{
    client::Client,
    request::{Request, Service},
    roles::{ChangeRoles, Verb},
};
use self::{client::out_of_use, rejections::Rejections, request::Wish, seat::Seat};
use super::{error::CommandError, output::Format};
use crate::{
    api,
    select::{self, Measured, Rtt},
};

/// What a connect needs to know besides what is wanted.
pub struct Connect<'a> {
    /// This host.
    pub client: Client<'a>,
    /// How the endpoint is chosen.
    pub policy: ConnectPolicy,
}

/// What a client has of what it asks for.
enum Present {
    /// A user that is what is wanted, or will be once it has its roles.
    Seat(Seat),
    /// A user whose device takes no traffic.
    OutOfUse { user: Pubkey, error: CommandError },
    /// None.
    Nothing,
}

impl Connect<'_> {
    /// Connects and prints the tunnel. Where the activator rejects the user for want of room, another device is tried,
    /// unless one was asked for by name.
    ///
    /// # Errors
    /// There is no tunnel, or none that carries traffic, within the deadline; or there cannot be one.
    pub async fn run(&self, request: &Request, format: Format, out: &mut dyn Write) -> Result<(), CommandError> {
        let Client { ledger, daemon, waiting } = &self.client;
        let client_ip = waiting.for_status(daemon).await?.client_ip;
        let mut rejections = Rejections::default();
        loop {
            let view = waiting.for_snapshot(*ledger).await?;
            let wish = request.resolve(&view, client_ip, ledger.payer())?;
            let seat = match self.present(&view, client_ip, &wish)? {
                Present::Seat(seat) => Ok(seat),
                Present::Nothing => self.take_seat(client_ip, &wish, &rejections).await,
                Present::OutOfUse { user, error } if self.moves(request) => {
                    self.give_up(&view, client_ip, &wish, user, error).await?;
                    self.take_seat(client_ip, &wish, &rejections).await
                }
                Present::OutOfUse { error, .. } => Err(error),
            };
            let seat = seat.map_err(|error| rejections.instead_of(error))?;
            match self.client.finish(&seat, &wish.wanted(), format, out).await {
                Ok(_) => return Ok(()),
                Err(error @ CommandError::Rejected { .. }) if wish.device.is_none() => {
                    let view = waiting.for_snapshot(*ledger).await?;
                    let user = view.user(&seat.user).filter(|user| user.status == UserStatus::Rejected);
                    let Some(user) = user else { return Err(error) };
                    rejections.add(seat.user, user.device, error)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn moves(&self, request: &Request) -> bool {
        request.moves || self.policy.when_drained == WhenDrained::Move
    }

    /// The user that already is what is wanted, if there is one and no further one is asked for.
    fn present(&self, view: &NetworkView, client_ip: Ipv4Addr, wish: &Wish) -> Result<Present, CommandError> {
        let users: Vec<_> =
            view.users_of_client(client_ip).filter(|(_, user)| user.owner == self.client.ledger.payer()).collect();
        if users.iter().any(|(_, user)| matches!(user.status, UserStatus::PendingBan | UserStatus::Banned)) {
            return Err(CommandError::Banned { client_ip });
        }
        if wish.another {
            return Ok(Present::Nothing);
        }
        let wanted = wish.wanted();
        let fitting = users.into_iter().filter(|(_, user)| {
            matches!(user.status, UserStatus::Pending | UserStatus::Activated | UserStatus::Updating)
                && user.user_type == wish.user_type
                && user.tenant == wish.tenant
                && wish.device.is_none_or(|device| device == user.device)
        });
        // Of several, one that carries traffic comes first; then one that has the roles already is not changed for
        // nothing.
        let rank = |user: &User| (out_of_use(view, user).is_some(), !roles::met(user, &wanted), user.endpoint_ip);
        let Some((key, user)) = fitting.min_by_key(|(_, user)| rank(user)) else { return Ok(Present::Nothing) };
        if let Some(error) = out_of_use(view, user) {
            return Ok(Present::OutOfUse { user: *key, error });
        }
        self.client.check_roles(view, user, &wanted)?;
        Ok(Present::Seat(Seat { user: *key, endpoint: user.endpoint_ip, since: view.slot() }))
    }

    /// Deletes a user on a device that takes no traffic, once there is another place for it; `error` says why there is
    /// need to.
    async fn give_up(
        &self,
        view: &NetworkView,
        client_ip: Ipv4Addr,
        wish: &Wish,
        user: Pubkey,
        error: CommandError,
    ) -> Result<(), CommandError> {
        let Client { ledger, daemon, waiting } = &self.client;
        if wish.device.is_some() {
            return Err(error);
        }
        let latency = waiting.for_latencies(daemon).await?;
        let measured: Vec<_> = latency.results.iter().map(measured).collect();
        let asked = select::Request { leaving: Some(user), ..self.asked(client_ip, wish, &Rejections::default()) };
        select::choose(view, &measured, &asked)?;
        let delete = build::delete_user(view, &ledger.payer(), user)?;
        let since = waiting.for_landing(*ledger, &[delete]).await?;
        let step = "the tunnel on the drained device to be released";
        let gone = |view: &NetworkView| view.user(&user).is_none().then_some(());
        waiting.for_activator(*ledger, since, step, gone, |()| true).await
    }

    /// Chooses an endpoint and creates the user. Where a concurrent connect was faster, either it wanted the same and
    /// its seat is ours, too, or the choice is made again among what is left: it ends. Users that were rejected before
    /// go in the same transaction.
    async fn take_seat(&self, client_ip: Ipv4Addr, wish: &Wish, rejections: &Rejections) -> Result<Seat, CommandError> {
        let Client { ledger, daemon, waiting } = &self.client;
        let view = self.earlier_gone(client_ip, wish).await?;
        self.client.reclaim(&view, client_ip).await?;
        let payer = ledger.payer();
        let first = wish.roles.iter().take(MAX_ROLES_PER_INSTRUCTION).map(|(group, roles)| (*group, *roles));
        let first: Vec<_> = first.collect();
        let mut lost = BTreeSet::new();
        let before = waiting.for_status(daemon).await?.reconciler_enabled;
        loop {
            let view = waiting.for_snapshot(*ledger).await?;
            let asked = select::Request { lost: lost.clone(), ..self.asked(client_ip, wish, rejections) };
            // No probe makes up for a pass that went, a device that was drained or an endpoint that was deleted.
            // What another connect has landed meanwhile is no obstacle: it may be what is wanted.
            let check = |view: &NetworkView| match self.present(view, client_ip, wish)? {
                Present::Nothing => {
                    wish.check_pass(view, client_ip, payer)?;
                    Ok(select::possible(view, &asked)?)
                }
                Present::Seat(_) | Present::OutOfUse { .. } => Ok(()),
            };
            check(&view)?;
            let (view, latency) = waiting.for_latency(*ledger, daemon, view, check).await?;
            // In this view, as the choice is made in it.
            match self.present(&view, client_ip, wish)? {
                Present::Seat(seat) => return Ok(seat),
                Present::OutOfUse { error, .. } => return Err(error),
                Present::Nothing => {}
            }
            let measured: Vec<_> = latency.results.iter().map(measured).collect();
            let choice = select::choose(&view, &measured, &asked)?;
            // Who was rejected once waits in no queue for the same.
            if let Some(full) = choice.full.filter(|_| rejections.any()) {
                return Err(CommandError::Rejected { reason: full.to_string() });
            }
            let user = build::CreateUser {
                client_ip,
                endpoint_ip: choice.endpoint,
                user_type: wish.user_type,
                tenant: wish.tenant,
                roles: first.clone(),
            };
            let mut instructions = remainders::delete_rejected(&view, &payer, client_ip, choice.endpoint)?;
            instructions.push(build::create_user(&view, &payer, &payer, user)?);
            let decided: Vec<_> = instructions.into_iter().map(|one| decided_on(&view, one)).collect();
            // Before it lands: whatever ends this command from there on, the daemon holds what the chain has accepted.
            waiting.for_enabled(daemon, true).await?;
            match waiting.for_landing(*ledger, &decided).await {
                Ok(since) => {
                    let user = pda::user(view.program(), client_ip, choice.endpoint).0;
                    return Ok(Seat { user, endpoint: choice.endpoint, since });
                }
                Err(CommandError::Ledger(LedgerError::Refused { error, .. })) if is_lost_race(error) => {
                    lost.insert(choice.endpoint);
                }
                Err(error @ CommandError::Ledger(LedgerError::Refused { .. })) if !before => {
                    self.hold_none_again(client_ip).await?;
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Turns the daemon's tunnels off again after a refusal, unless another connect of this client has landed: that one
    /// needs them on.
    async fn hold_none_again(&self, client_ip: Ipv4Addr) -> Result<(), CommandError> {
        let Client { ledger, daemon, waiting } = &self.client;
        let view = waiting.for_snapshot(*ledger).await?;
        if !view.users_of_client(client_ip).any(|(_, user)| user.is_live()) {
            waiting.for_enabled(daemon, false).await?;
        }
        Ok(())
    }

    fn asked(&self, client_ip: Ipv4Addr, wish: &Wish, rejections: &Rejections) -> select::Request {
        select::Request {
            client_ip,
            user_type: wish.user_type,
            publisher: wish.roles.values().any(|roles| roles.publish),
            device: wish.device,
            policy: self.policy,
            lost: BTreeSet::new(),
            rejected: rejections.devices(),
            leaving: None,
        }
    }

    /// Waits until what this client disconnected from before has given its seat back; returns the chain as it is then.
    async fn earlier_gone(&self, client_ip: Ipv4Addr, wish: &Wish) -> Result<Arc<NetworkView>, CommandError> {
        let going = |view: &NetworkView| {
            view.users_of_client(client_ip).any(|(_, user)| {
                user.status == UserStatus::Deleting && user.user_type.is_multicast() == wish.user_type.is_multicast()
            })
        };
        let view = self.client.waiting.for_snapshot(self.client.ledger).await?;
        if !going(&view) {
            return Ok(view);
        }
        let step = "the earlier tunnel to be released";
        let gone = |view: &NetworkView| (!going(view)).then_some(());
        self.client.waiting.for_activator(self.client.ledger, view.slot(), step, gone, |()| true).await?;
        self.client.waiting.for_snapshot(self.client.ledger).await
    }
}

fn measured(result: &api::EndpointLatency) -> Measured {
    let time = |nanos: Option<u64>| nanos.map(Duration::from_nanos);
    let rtt = time(result.min_latency_ns).zip(time(result.median_latency_ns)).filter(|_| result.reachable);
    Measured { endpoint: result.device_ip, rtt: rtt.map(|(min, median)| Rtt { min, median }) }
}

/// Whether another transaction landed between our read and our write: another connect of this client that took the
/// endpoint or the last tunnel of the pass, or another client that took the last seat of the device.
fn is_lost_race(error: ServiceabilityError) -> bool {
    use ServiceabilityError::{
        DeviceFull, DevicePublishersFull, DeviceSubscribersFull, DeviceUnicastFull, EndpointInUse, EndpointKept,
        PassMulticastFull, PassUnicastFull,
    };
    matches!(
        error,
        EndpointInUse
            | EndpointKept
            | PassUnicastFull
            | PassMulticastFull
            | DeviceFull
            | DeviceUnicastFull
            | DeviceSubscribersFull
            | DevicePublishersFull
    )
}
