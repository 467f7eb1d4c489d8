//! The network of a scenario while it runs.

pub mod backend;
pub mod bug;
pub mod fault_hits;
pub mod faults;
pub mod real;
mod task;
mod task_logs;
pub mod r#virtual;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use dz_net::{gre::Dataplane, host::Changes, kernel::Change};
use dz_sdk::{Ledger, NetworkView};
use dzsim_fabric::Fabric;
use dzsim_scenario::plan::{self, ClientName, Node, Plan, Policy, Process};
use futures_util::future::try_join_all;

use self::{backend::Backend, fault_hits::FaultHits, faults::Faults};
use super::{events::Events, keys::Keys, roles::log_name};

/// Which world a scenario runs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// Namespaces, kernels and packets, in real time.
    #[default]
    Real,
    /// The same products in one process, on modelled hosts and in virtual time.
    Virtual,
}

impl From<plan::World> for Kind {
    fn from(world: plan::World) -> Self {
        match world {
            plan::World::Real => Self::Real,
            plan::World::Virtual => Self::Virtual,
        }
    }
}

/// A running network.
pub struct World {
    /// What it was made from.
    pub plan: Arc<Plan>,
    /// The policy of the parts.
    pub policy: Policy,
    /// Everybody's keys.
    pub keys: Keys,
    /// The chain as a client sees it; its key is the foundation's.
    pub chain: Arc<dyn Ledger>,
    /// The event log.
    pub events: Events,
    /// The folder of the run's artifacts.
    pub artifacts: PathBuf,
    /// What is broken.
    pub faults: Faults,
    /// What faults have hit.
    pub fault_hits: FaultHits,
    /// Nodes, processes and the ledger.
    pub backend: Box<dyn Backend>,
    pairs: Mutex<BTreeSet<(Ipv4Addr, Ipv4Addr)>>,
    /// Notices of what changes at the nodes, since each was looked at.
    watches: Mutex<BTreeMap<Node, Box<dyn Changes>>>,
    /// The public addresses of clients that have moved.
    moved: Mutex<BTreeMap<ClientName, Ipv4Addr>>,
}

impl World {
    /// A network without any process.
    pub fn new(
        plan: Arc<Plan>,
        policy: Policy,
        keys: Keys,
        chain: Arc<dyn Ledger>,
        events: Events,
        artifacts: &Path,
        backend: Box<dyn Backend>,
    ) -> Self {
        Self {
            plan,
            policy,
            keys,
            chain,
            events,
            artifacts: artifacts.to_owned(),
            faults: Faults::default(),
            fault_hits: FaultHits::default(),
            backend,
            pairs: Mutex::default(),
            watches: Mutex::default(),
            moved: Mutex::default(),
        }
    }

    /// The internet and the backbone.
    pub fn internet(&self) -> &Fabric {
        self.backend.internet()
    }

    /// A client's public address now.
    ///
    /// # Errors
    /// There is no such client.
    pub fn client_ip(&self, name: &ClientName) -> anyhow::Result<Ipv4Addr> {
        let moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied();
        Ok(moved.unwrap_or(self.plan.clients.get(name).context("no such client")?.client_ip))
    }

    /// The address of a client's way to the internet now.
    ///
    /// # Errors
    /// There is no such client.
    pub fn host_ip(&self, name: &ClientName) -> anyhow::Result<Ipv4Addr> {
        match &self.plan.clients.get(name).context("no such client")?.nat {
            Some(nat) => Ok(nat.inside),
            None => self.client_ip(name),
        }
    }

    /// Notes that a client has moved.
    pub fn note_moved(&self, name: &ClientName, public_ip: Ipv4Addr) {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), public_ip);
    }

    /// The latest slot of the chain itself.
    pub fn latest_slot(&self) -> u64 {
        *self.backend.ledger().slots().borrow()
    }

    /// Whether a process can be expected to act on what the chain says.
    pub fn is_live(&self, process: &Process) -> bool {
        self.faults.allows(process)
    }

    /// The newest view of the chain that the runner has.
    pub fn view(&self) -> Option<Arc<NetworkView>> {
        self.chain.watch().borrow().clone()
    }

    /// Where tunnels are made: in the kernel or in userspace. None if there is no node to have one.
    ///
    /// # Errors
    /// A node that does not answer.
    pub async fn dataplane_used(&self) -> anyhow::Result<Option<Dataplane>> {
        let devices = self.plan.devices.keys().cloned().map(Node::Device);
        let Some(node) = devices.chain(self.plan.clients.keys().cloned().map(Node::Client)).next() else {
            return Ok(None);
        };
        Ok(Some(self.backend.host(&node)?.tunnels().await?.dataplane()))
    }

    /// Starts a role.
    ///
    /// # Errors
    /// It does not start, or ends before it is ready.
    pub async fn start(&self, process: Process) -> anyhow::Result<()> {
        self.backend.start(&process).await.with_context(|| format!("starting {process}"))?;
        Ok(self.events.record(&log_name(&process), "process started", serde_json::Value::Null)?)
    }

    /// Starts what serves the network: activators, controller, agents.
    pub(super) async fn start_devices(&self) -> anyhow::Result<()> {
        let activators = (1..=self.policy.activators).map(Process::Activator);
        let agents = self.plan.devices.keys().cloned().map(Process::Agent);
        let all = std::iter::once(Process::Controller).chain(activators).chain(agents);
        try_join_all(all.map(|process| self.start(process))).await.map(drop)
    }

    /// Starts the clients' daemons.
    ///
    /// # Errors
    /// One of them does not start.
    pub async fn start_clients(&self) -> anyhow::Result<()> {
        let all = self.plan.clients.keys().cloned().map(Process::Daemon);
        try_join_all(all.map(|process| self.start(process))).await.map(drop)
    }

    /// What may have changed in a node's network configuration since this was last asked; none if that is not known.
    ///
    /// # Errors
    /// The node cannot be watched.
    pub async fn changes(&self, node: &Node) -> anyhow::Result<Option<BTreeSet<Change>>> {
        let watches = || self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = watches().get_mut(node)
            && let Ok(changes) = watch.since()
        {
            return Ok(Some(changes));
        }
        let watch = self.backend.watch(node).await?;
        watches().insert(node.clone(), watch);
        Ok(None)
    }

    /// Turns a node off and on: what its kernel had is gone, and none of its processes runs.
    ///
    /// # Errors
    /// The node does not come up again.
    pub async fn reboot(&self, node: &Node) -> anyhow::Result<()> {
        // A watch would keep the old namespace.
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).remove(node);
        self.backend.reboot(node).await
    }

    /// The outer pairs of every user that a view of the chain has shown since this was last asked.
    pub fn pairs_since_look(&self) -> BTreeSet<(Ipv4Addr, Ipv4Addr)> {
        std::mem::take(&mut *self.pairs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes an outer pair that no user has: a step sends such packets.
    pub fn note_pair(&self, pair: (Ipv4Addr, Ipv4Addr)) {
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner).insert(pair);
    }

    /// Notes the outer pairs of a view.
    pub fn note_pairs(&self, view: &NetworkView) {
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.extend(view.users().values().map(|user| (user.client_ip, user.endpoint_ip)));
    }
}
