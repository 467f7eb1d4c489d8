//! `doublezero connect`: from the wish for a service to a tunnel that carries traffic.
//!
//! 1. asks the daemon who this client is and how far every endpoint is,
//! 2. chooses an endpoint and takes a seat on the chain; who loses a race for the endpoint chooses again,
//! 3. waits for the activator's word, then for the daemon's tunnel.
//!
//! Asking for what there is already succeeds.

mod request;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use dz_sdk::{
    Ledger, LedgerError, NetworkView, build,
    program::{
        error::ServiceabilityError,
        instruction::{MAX_ROLES_PER_INSTRUCTION, Roles},
        pda,
        state::{User, UserStatus},
    },
};
use solana_pubkey::Pubkey;

pub use request::{Request, Service};

use super::{
    daemon::Daemon,
    error::CommandError,
    output::{self, Format},
    wait::Waiting,
};
use crate::{
    api::{self, Session},
    select::{self, Measured},
};

/// What a connect needs to know besides what is wanted.
pub struct Connect<'a> {
    /// The chain.
    pub ledger: &'a dyn Ledger,
    /// This host's daemon.
    pub daemon: &'a Daemon,
    /// The deadline and who hears of it.
    pub waiting: Waiting<'a>,
    /// How much slower than the device the client already has another one may be.
    pub tolerance: Duration,
    /// Round-trip times that differ by no more than this are equal.
    pub tie: Duration,
}

impl Connect<'_> {
    /// Connects and prints the tunnel.
    pub async fn run(&self, request: &Request, format: Format, out: &mut dyn Write) -> Result<(), CommandError> {
        let client_ip = self.daemon.status(None).await?.client_ip;
        let view = self.ledger.snapshot().await?;
        let wish = request.resolve(&view, client_ip, self.ledger.payer())?;
        let (endpoint, since) = match self.present(&view, client_ip, &wish, request.another)? {
            Some((key, user)) => (user.endpoint_ip, self.change_roles(view, key, &user, &wish.roles).await?),
            None => self.take_seat(client_ip, &wish).await?,
        };
        self.daemon.enable(true).await?;
        self.activated(client_ip, endpoint, since, &wish.roles).await?;
        let service = self.carried(endpoint).await?;
        match format {
            Format::Json => output::json(out, &service),
            Format::Table => output::rows(out, format, std::slice::from_ref(&service)),
        }
        .map_err(anyhow::Error::from)?;
        Ok(())
    }

    /// The user that already is what is wanted, if there is one and no further one is asked for.
    fn present(
        &self,
        view: &NetworkView,
        client_ip: Ipv4Addr,
        wish: &request::Wish,
        another: bool,
    ) -> Result<Option<(Pubkey, User)>, CommandError> {
        let users: Vec<_> =
            view.users_of_client(client_ip).filter(|(_, user)| user.owner == self.ledger.payer()).collect();
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
    async fn take_seat(&self, client_ip: Ipv4Addr, wish: &request::Wish) -> Result<(Ipv4Addr, u64), CommandError> {
        self.earlier_gone(client_ip, wish).await?;
        let mut lost = BTreeSet::new();
        loop {
            let view = self.ledger.snapshot().await?;
            wish.check_pass(&view, client_ip, self.ledger.payer())?;
            let latency = self.waiting.for_latency(self.daemon, &view).await?;
            let measured: Vec<_> = latency.results.iter().map(measured).collect();
            let choice = select::choose(
                &view,
                &measured,
                &select::Request {
                    client_ip,
                    user_type: wish.user_type,
                    publisher: wish.roles.values().any(|roles| roles.publish),
                    device: wish.device,
                    tolerance: self.tolerance,
                    tie: self.tie,
                    lost: lost.clone(),
                },
            )?;
            let roles: Vec<_> = wish.roles.iter().map(|(key, roles)| (*key, *roles)).collect();
            let (first, rest) = roles.split_at(roles.len().min(MAX_ROLES_PER_INSTRUCTION));
            let payer = self.ledger.payer();
            let user = build::CreateUser {
                client_ip,
                endpoint_ip: choice.endpoint,
                user_type: wish.user_type,
                tenant: wish.tenant,
                roles: first.to_vec(),
            };
            let create = build::create_user(&view, &payer, &payer, user)?;
            match self.ledger.send(&[create]).await {
                Ok(landed) => {
                    let key = pda::user(view.program(), client_ip, choice.endpoint).0;
                    return Ok((choice.endpoint, self.add_roles(key, landed.slot, rest).await?));
                }
                Err(LedgerError::Refused { error: ServiceabilityError::EndpointInUse, .. }) => {
                    lost.insert(choice.endpoint);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until what this client disconnected from before has given its seat back.
    async fn earlier_gone(&self, client_ip: Ipv4Addr, wish: &request::Wish) -> Result<(), CommandError> {
        let going = |view: &NetworkView| {
            view.users_of_client(client_ip).any(|(_, user)| {
                user.status == UserStatus::Deleting && user.user_type.is_multicast() == wish.user_type.is_multicast()
            })
        };
        let view = self.ledger.snapshot().await?;
        if !going(&view) {
            return Ok(());
        }
        let step = "the earlier tunnel to be released";
        self.waiting.for_chain(self.ledger, view.slot(), step, ACTIVATOR, |view| (!going(view)).then_some(())).await
    }

    /// Gives a user roles, as many at a time as an instruction takes, each once the chain shows the one before as
    /// done. Returns the slot from which on the chain shows the last.
    async fn add_roles(&self, key: Pubkey, mut since: u64, roles: &[(Pubkey, Roles)]) -> Result<u64, CommandError> {
        for batch in roles.chunks(MAX_ROLES_PER_INSTRUCTION) {
            let view = self
                .waiting
                .for_chain(self.ledger, since, ACTIVATED, ACTIVATOR, |view| {
                    settled(view.user(&key)).map(|outcome| outcome.map(|()| view.clone()))
                })
                .await??;
            for change in build::set_user_roles(&view, &self.ledger.payer(), key, batch)? {
                since = self.ledger.send(&[change]).await?.slot;
            }
        }
        Ok(since)
    }

    /// Adds the wanted roles to those a user has: what it held before, it keeps.
    async fn change_roles(
        &self,
        view: Arc<NetworkView>,
        key: Pubkey,
        user: &User,
        wanted: &BTreeMap<Pubkey, Roles>,
    ) -> Result<u64, CommandError> {
        let changed: Vec<(Pubkey, Roles)> = wanted
            .iter()
            .filter_map(|(group, roles)| {
                let held =
                    Roles { publish: user.publishers.contains(group), subscribe: user.subscribers.contains(group) };
                let union =
                    Roles { publish: held.publish || roles.publish, subscribe: held.subscribe || roles.subscribe };
                (union != held).then_some((*group, union))
            })
            .collect();
        self.add_roles(key, view.slot(), &changed).await
    }

    /// Waits for the activator's word.
    async fn activated(
        &self,
        client_ip: Ipv4Addr,
        endpoint: Ipv4Addr,
        since: u64,
        roles: &BTreeMap<Pubkey, Roles>,
    ) -> Result<(), CommandError> {
        self.waiting
            .for_chain(self.ledger, since, ACTIVATED, ACTIVATOR, |view| {
                let user = view.user_at(client_ip, endpoint).map(|(_, user)| user);
                settled(user).map(|outcome| {
                    outcome?;
                    match user.filter(|user| request::lacks(user, roles)) {
                        Some(user) => Err(CommandError::Rejected { reason: user.reject_reason.clone() }),
                        None => Ok(()),
                    }
                })
            })
            .await?
    }

    /// Waits until the daemon's tunnel to this endpoint is answered from its far end.
    async fn carried(&self, endpoint: Ipv4Addr) -> Result<api::Service, CommandError> {
        self.waiting
            .for_daemon(
                self.daemon,
                &format!("the tunnel to {endpoint} to come up"),
                "see `doublezero status`, the log of doublezerod and of the device's agent",
                |status| {
                    status
                        .services
                        .iter()
                        .find(|service| service.tunnel_dst == endpoint && service.session == Session::Up)
                        .cloned()
                },
            )
            .await
    }
}

const ACTIVATED: &str = "the tunnel to be activated";
const ACTIVATOR: &str = "is the activator running?";

/// What has become of a user: nothing yet while the activator has a say.
fn settled(user: Option<&User>) -> Option<Result<(), CommandError>> {
    let Some(user) = user else {
        return Some(Err(CommandError::Rejected { reason: "the user was deleted meanwhile".to_owned() }));
    };
    match user.status {
        UserStatus::Activated => Some(Ok(())),
        UserStatus::Rejected => Some(Err(CommandError::Rejected { reason: user.reject_reason.clone() })),
        UserStatus::PendingBan | UserStatus::Banned => Some(Err(CommandError::Banned { client_ip: user.client_ip })),
        UserStatus::Pending | UserStatus::Updating | UserStatus::Deleting => None,
    }
}

fn measured(result: &api::EndpointLatency) -> Measured {
    Measured {
        endpoint: result.device_ip,
        median: result.median_latency_ns.filter(|_| result.reachable).map(Duration::from_nanos),
    }
}
