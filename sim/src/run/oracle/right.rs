//! The tunnels, addresses and routes that a node's kernel has to have, from the chain and from what its own part says.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_client::api::Session;
use dz_controller::config::DeviceConfig;
use dz_net::kernel::Change;
use dz_sdk::{
    NetworkView,
    program::state::{DeviceStatus, User},
};
use dzsim_scenario::plan::{ClientName, DeviceCode, Process};
use solana_signer::Signer;

use super::{
    Pair, Settled, audit,
    routes::{self, Tables, Way},
    settle::Said,
};
use crate::run::{keys::Owner, view::daemon, world::World};

/// An address that a node has to have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// Whose it is.
    pub(super) subject: String,
    pub(super) address: Ipv4Addr,
    /// The tunnel whose interface holds it; any interface of the node if none.
    pub(super) tunnel: Option<Pair>,
}

/// What a node's kernel has to have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Right {
    /// The tunnels, each with its user.
    pub(super) wanted: BTreeMap<Pair, String>,
    pub(super) placed: Vec<Placed>,
    /// Where a client's tunnels lead.
    pub(super) ways: Vec<Way>,
    /// A device's tables; none while it serves nobody.
    pub(super) tables: Option<Tables>,
    /// True while a fault holds an interface of it down.
    pub(super) down: bool,
}

/// What of a node has to be looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    None,
    Routes,
    All,
}

impl Right {
    /// Of a device; none while it cannot know.
    pub(super) fn of_device(
        world: &World,
        view: &NetworkView,
        config: Option<&DeviceConfig>,
        code: &DeviceCode,
    ) -> Option<Self> {
        let (key, device) = view.device_by_code(code.as_str())?;
        if !world.is_live(&Process::Agent(code.clone())) || !world.is_live(&Process::Controller) {
            return None;
        }
        let serves = device.status == DeviceStatus::Activated;
        let users = || view.users_of_device(&key).map(|(_, user)| user).filter(|_| serves);
        let endpoints = view.interfaces_of_device(&key).filter_map(|(_, interface)| {
            let subject = format!("endpoint {} of {code}", interface.name);
            Some(Placed { subject, address: interface.endpoint()?, tunnel: None })
        });
        let near = users().filter_map(|user| {
            let tunnel = Some((user.endpoint_ip, user.client_ip));
            Some(Placed { subject: audit::name(user), address: overlay(user, 0)?, tunnel })
        });
        let has = users().filter(|user| user.status.has_tunnel());
        Some(Self {
            wanted: has.map(|user| ((user.endpoint_ip, user.client_ip), audit::name(user))).collect(),
            placed: endpoints.chain(near).collect(),
            ways: Vec::new(),
            tables: config.filter(|_| serves).map(routes::tables),
            down: world.faults.broken().interfaces.keys().any(|down| down.device == *code),
        })
    }

    /// Of a client; none while its daemon does not run.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub(super) async fn of_client(
        world: &World,
        view: &NetworkView,
        settled: &Settled,
        name: &ClientName,
    ) -> anyhow::Result<Option<Self>> {
        let (client_ip, host_ip) = (world.client_ip(name)?, world.host_ip(name)?);
        if !world.is_live(&Process::Daemon(name.clone())) {
            return Ok(None);
        }
        let Said { enabled, sessions } = match settled.0.get(name) {
            Some(said) => said.clone(),
            None => daemon(world, name)?.status(None).await?.into(),
        };
        // What another payer has asked for at this address is not built here.
        let payer = world.keys.of(Owner::Client(name.as_str())).pubkey();
        let has = |user: &&User| enabled && user.status.has_tunnel() && user.owner == payer;
        let users = || view.users_of_client(client_ip).map(|(_, user)| user).filter(has);
        let tunnel = |user: &User| (host_ip, user.endpoint_ip);
        let far = users().flat_map(|user| {
            let place = |address, tunnel| Placed { subject: audit::name(user), address, tunnel };
            let dz_ip = audit::granted(user).map(|granted| place(granted.dz_ip, None));
            overlay(user, 1).map(|address| place(address, Some(tunnel(user)))).into_iter().chain(dz_ip)
        });
        let ways = users().map(|user| {
            let session = sessions.get(&user.endpoint_ip).copied().unwrap_or(Session::Pending);
            Way::of(view, user, tunnel(user), session)
        });
        Ok(Some(Self {
            wanted: users().map(|user| (tunnel(user), audit::name(user))).collect(),
            placed: far.collect(),
            ways: ways.collect(),
            tables: None,
            down: false,
        }))
    }

    /// What has to be looked at, if the node was right by `before` at the last look and its kernel has changed since in this;
    /// none is not known.
    pub(super) fn look(&self, before: Option<&Self>, changes: Option<&BTreeSet<Change>>) -> Look {
        let (Some(before), Some(changes)) = (before, changes) else { return Look::All };
        let Self { wanted, placed, ways, tables, down } = before;
        if (wanted, placed, down) != (&self.wanted, &self.placed, &self.down) {
            return Look::All;
        }
        match (ways, tables) == (&self.ways, &self.tables) {
            true if changes.is_empty() => Look::None,
            // A client that has come is a route at each other, and that alone.
            _ if changes.iter().all(|change| *change == Change::Route) => Look::Routes,
            _ => Look::All,
        }
    }

    /// How many routes there may be of it.
    pub(super) fn routes(&self) -> usize {
        let tables = self.tables.iter().flat_map(BTreeMap::values).map(|table| table.len());
        self.ways.iter().map(Way::size).chain(tables).sum()
    }
}

/// One end's address of a user's tunnel; none while the activator has a say.
fn overlay(user: &User, end: u32) -> Option<Ipv4Addr> {
    audit::granted(user)?.tunnel_net.address(end)
}
