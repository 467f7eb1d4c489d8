//! The network of a scenario while it runs: ledger, fabric, lab, and the processes of every role.

pub mod faults;
pub mod real;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use dz_sdk::{Ledger as _, NetworkView, ledger::rpc::RpcLedger, program};
use dzsim_fabric::Fabric;
use dzsim_lab::{Host, Lab, NodeName, Process as LabProcess, Spawn};
use dzsim_ledger::{ClientName, Ledger};
use dzsim_scenario::plan::{Node, Plan, Policy, Process};
use solana_pubkey::Pubkey;

use self::{faults::Faults, real::relay};
use super::{
    events::Events,
    keys::{self, Keys, Owner},
    roles::{self, CONTROLLER_PORT, RPC_PORT, Roles, WS_PORT},
};

/// A running network.
pub struct World {
    /// What it was made from.
    pub plan: Plan,
    /// What the parts were told to do.
    pub policy: Policy,
    /// Nodes and processes.
    pub lab: Lab,
    /// The simulated internet and backbone.
    pub fabric: Fabric,
    /// The chain, from inside.
    pub ledger: Ledger,
    /// The chain as a client sees it; its key is the foundation's.
    pub chain: Arc<RpcLedger>,
    /// The event log.
    pub events: Events,
    /// All keys.
    pub keys: Keys,
    /// How roles are started.
    pub roles: Roles,
    /// The folder of the run's artifacts.
    pub artifacts: PathBuf,
    /// What is broken.
    pub faults: Faults,
    pub(super) processes: Mutex<BTreeMap<Process, LabProcess>>,
    pub(super) pairs: Mutex<BTreeSet<(Ipv4Addr, Ipv4Addr)>>,
    /// The far ends of ports that lead nowhere; a port is gone when its far end is closed.
    pub(super) _ports: Vec<OwnedFd>,
}

/// A listener's address inside a node.
pub(super) fn inside(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// The account of a device.
pub fn device_account(code: &str) -> Pubkey {
    program::pda::device(&program::ID, code).0
}

impl World {
    /// Whether a process can be expected to act on what the chain says.
    pub fn is_live(&self, process: &Process) -> bool {
        self.faults.allows(process)
    }

    /// The newest view of the chain that the runner has.
    pub fn view(&self) -> Option<Arc<NetworkView>> {
        self.chain.watch().borrow().clone()
    }

    /// The host of a node.
    pub fn host(&self, node: &Node) -> anyhow::Result<Host> {
        Ok(match node {
            Node::Operator => Host::Core,
            Node::Client(_) | Node::Device(_) => Host::Node(NodeName::new(node.as_str())?),
        })
    }

    /// Where the key of whoever runs commands at a node is.
    pub fn key_file(&self, node: &Node) -> anyhow::Result<PathBuf> {
        let host = self.host(node)?;
        Ok(roles::key_file(&host, &self.lab.folder(&host)))
    }

    /// The process that plays a role, as it was started last.
    pub fn process(&self, process: &Process) -> Option<LabProcess> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).get(process).cloned()
    }

    /// Starts a role and remembers its process.
    pub async fn start(&self, process: Process, spawn: Spawn) -> anyhow::Result<()> {
        let who = process.to_string();
        let started = self.lab.start(spawn).await.with_context(|| format!("starting {who}"))?;
        self.events.record(&who, "process started", serde_json::Value::Null)?;
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).insert(process, started);
        Ok(())
    }

    /// How a role is started.
    pub fn spawn_of(&self, process: &Process) -> anyhow::Result<Spawn> {
        match process {
            Process::Activator(number) => {
                let key = self.lab.folder(&Host::Core).join("activator.json");
                self.roles.activator(*number, &key, &self.policy)
            }
            Process::Controller => self.roles.controller(),
            Process::Daemon(name) => {
                let client = self.plan.clients.get(name).context("no such client")?;
                let folder = self.lab.folder(&roles::node(name.as_str())?);
                let disk = self.lab.folder(&Host::Core).join("disks").join(name.as_str());
                self.roles.daemon(name, client.client_ip, &folder, &disk, &self.policy)
            }
            Process::Agent(code) => self.roles.agent(code, &device_account(code.as_str())),
            Process::Gre(node) => anyhow::bail!("the gre helper of {node} is started by whoever needs a tunnel"),
        }
    }

    /// Starts what serves the network: activators, controller, agents.
    pub(super) async fn start_devices(&self) -> anyhow::Result<()> {
        let activators = (1..=self.policy.activators).map(Process::Activator);
        let agents = self.plan.devices.keys().cloned().map(Process::Agent);
        self.start_all(std::iter::once(Process::Controller).chain(activators).chain(agents)).await
    }

    /// Starts the clients' daemons.
    pub async fn start_clients(&self) -> anyhow::Result<()> {
        self.start_all(self.plan.clients.keys().cloned().map(Process::Daemon)).await
    }

    async fn start_all(&self, processes: impl Iterator<Item = Process>) -> anyhow::Result<()> {
        let spawns: Vec<(Process, Spawn)> = processes
            .map(|process| {
                let spawn = self.spawn_of(&process)?;
                Ok((process, spawn))
            })
            .collect::<anyhow::Result<_>>()?;
        futures_util::future::try_join_all(spawns.into_iter().map(|(process, spawn)| self.start(process, spawn)))
            .await?;
        Ok(())
    }

    /// The outer pairs of every user that a view of the chain has shown since this was last asked.
    pub fn pairs_since_look(&self) -> BTreeSet<(Ipv4Addr, Ipv4Addr)> {
        std::mem::take(&mut *self.pairs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes the outer pairs of a view.
    pub fn note_pairs(&self, view: &NetworkView) {
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.extend(view.users().values().map(|user| (user.client_ip, user.endpoint_ip)));
    }

    /// Binds a rebooted node's listeners again and hands them to their servers.
    pub async fn listen_again(&self, node: &Node) -> anyhow::Result<()> {
        let host = self.host(node)?;
        let http = self.lab.listen(&host, inside(RPC_PORT)).await?;
        let ws = self.lab.listen(&host, inside(WS_PORT)).await?;
        self.ledger.serve(http, ws, ClientName::new(node.as_str()))?;
        if matches!(node, Node::Device(_)) {
            relay::start(self.lab.listen(&host, inside(CONTROLLER_PORT)).await?, inside(CONTROLLER_PORT))?;
        }
        Ok(())
    }

    /// Writes the key of a node's user into the folder of its files.
    pub fn write_key(&self, node: &Node) -> anyhow::Result<()> {
        let owner = match node {
            Node::Operator => Owner::Foundation,
            Node::Client(name) => Owner::Client(name.as_str()),
            Node::Device(code) => {
                let device = self.plan.devices.get(code).context("no such device")?;
                Owner::Contributor(device.contributor.as_str())
            }
        };
        keys::write(&self.key_file(node)?, &self.keys.of(owner)).context("writing a key")
    }

    pub(super) fn write_keys(&self) -> anyhow::Result<()> {
        keys::write(&self.lab.folder(&Host::Core).join("activator.json"), &self.keys.of(Owner::Activator))?;
        let clients = self.plan.clients.keys().cloned().map(Node::Client);
        let devices = self.plan.devices.keys().cloned().map(Node::Device);
        std::iter::once(Node::Operator).chain(clients).chain(devices).try_for_each(|node| self.write_key(&node))
    }

    /// Waits until the runner's own view of the chain has reached this slot.
    pub async fn view_at(&self, slot: u64, deadline: Duration) -> anyhow::Result<Arc<NetworkView>> {
        let mut views = self.chain.watch();
        let reached =
            tokio::time::timeout(deadline, views.wait_for(|view| view.as_ref().is_some_and(|v| v.slot() >= slot)));
        let view = reached.await.with_context(|| format!("the chain's view did not reach slot {slot}"))??.clone();
        view.context("no view of the chain")
    }
}
