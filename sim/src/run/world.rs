//! The network of a scenario while it runs: ledger, fabric, lab, and the processes of every role.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use dz_net::tun::Offload;
use dz_sdk::{Ledger as _, NetworkView, ledger::rpc::RpcLedger, program};
use dzsim_fabric::{CaptureConfig, Fabric, FabricConfig, LinkSpec, NodeSpec as FabricNode};
use dzsim_lab::{Host, Lab, NewNode, NodeKind, NodeName, NodeSpec, PortName, PortSpec, Process as LabProcess, Spawn};
use dzsim_ledger::{ClientName, Ledger};
use dzsim_scenario::plan::{Bootstrap, Node, Plan, Policy, Process};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::{
    artifacts, chain,
    events::Events,
    genesis,
    keys::{self, Keys, Owner},
    paths,
    phases::Phases,
    relay,
    roles::{self, CONTROLLER_PORT, CORE, RPC_PORT, Roles, WS_PORT},
    routes,
};

/// The runner, towards the ledger.
const RUNNER: &str = "runner";
/// Where the ledger answers the runner: HTTP and WebSocket.
const RUNNER_PORTS: [u16; 2] = [8897, 8898];

/// What a scenario's uplinks may leave to the fabric: it cuts what a path needs cut.
const OFFLOAD: Offload = Offload { checksum: true, tso4: true, uso4: false };

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
    processes: Mutex<BTreeMap<Process, LabProcess>>,
    pairs: Mutex<BTreeSet<(Ipv4Addr, Ipv4Addr)>>,
    /// The far ends of ports that lead nowhere; a port is gone when its far end is closed.
    _ports: Vec<OwnedFd>,
}

/// A listener's address inside a node.
fn inside(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// The account of a device.
pub fn device_account(code: &str) -> Pubkey {
    program::pda::device(&program::ID, code).0
}

impl World {
    /// Brings the network up: chain and nodes first, then the processes, which find everything in place.
    pub async fn bring_up(
        plan: Plan,
        policy: Policy,
        seed: u64,
        roles: Roles,
        artifacts: &Path,
        capture: CaptureConfig,
        phases: &mut Phases,
    ) -> anyhow::Result<Arc<Self>> {
        let events = Events::create(&artifacts.join(artifacts::EVENTS))?;
        let keys = Keys::new(seed);
        let lab = Lab::new(&artifacts.join(artifacts::LOGS)).await?;
        let (ledger, nodes) = tokio::join!(start_ledger(seed, &plan, keys), lab.add_nodes(node_specs(&plan)?));
        let (ledger, nodes) = (ledger?, nodes?);
        phases.end("ledger and nodes");

        let fabric = Fabric::start(FabricConfig { seed, capture: Some(capture), ..FabricConfig::default() })?;
        connect_nodes(&plan, &fabric, &ledger, nodes)?;
        lay_links(&plan, &lab, &fabric).await?;
        let ports = add_endpoint_ports(&plan, &lab).await?;
        paths::apply_geography(&plan, &fabric)?;

        // The runner asks on ports of its own: what is done to others' connections must not blind it.
        for (client, [http, ws]) in [(CORE, [RPC_PORT, WS_PORT]), (RUNNER, RUNNER_PORTS)] {
            ledger.serve(TcpListener::bind(inside(http))?, TcpListener::bind(inside(ws))?, ClientName::new(client))?;
        }
        let [http, ws] = RUNNER_PORTS;
        let chain = Arc::new(RpcLedger::connect(
            format!("http://{}", inside(http)),
            format!("ws://{}", inside(ws)),
            program::ID,
            keys.of(Owner::Foundation),
        ));
        let world = Arc::new(Self {
            plan,
            policy,
            lab,
            fabric,
            ledger,
            chain,
            events,
            keys,
            roles,
            artifacts: artifacts.to_owned(),
            processes: Mutex::default(),
            pairs: Mutex::default(),
            _ports: ports,
        });
        world.write_keys()?;
        std::fs::create_dir_all(roles::BIN)?;
        std::os::unix::fs::symlink(std::env::current_exe()?, Path::new(roles::BIN).join("doublezero"))?;
        phases.end("fabric");

        tokio::spawn(routes::follow_chain(Arc::clone(&world)));
        genesis::write(&world).await.context("writing the network to the chain")?;
        phases.end("genesis");
        world.start_devices().await?;
        phases.end("processes");
        Ok(world)
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
    async fn start_devices(&self) -> anyhow::Result<()> {
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

    fn write_keys(&self) -> anyhow::Result<()> {
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

async fn start_ledger(seed: u64, plan: &Plan, keys: Keys) -> anyhow::Result<Ledger> {
    let mut config = chain::config(seed);
    let contributors = plan.contributors.keys().map(|code| Owner::Contributor(code.as_str()));
    let clients = plan.clients.keys().map(|name| Owner::Client(name.as_str()));
    for owner in [Owner::Foundation, Owner::Activator].into_iter().chain(contributors).chain(clients) {
        config = config.fund(keys.of(owner).pubkey(), chain::FUNDS);
    }
    Ok(Ledger::start(config).await?)
}

fn node_specs(plan: &Plan) -> anyhow::Result<Vec<NodeSpec>> {
    let spec = |name: &str, kind, address: Ipv4Addr, ports: &[u16]| -> anyhow::Result<NodeSpec> {
        let mut uplink = PortSpec { offload: Some(OFFLOAD), ..PortSpec::uplink([address]) };
        if kind == NodeKind::Router {
            uplink.name = PortName::new(paths::UPLINK_INTERFACE)?;
        }
        Ok(NodeSpec {
            name: NodeName::new(name)?,
            kind,
            ports: vec![uplink],
            listen: ports.iter().map(|port| inside(*port)).collect(),
        })
    };
    let devices = plan.devices.iter().map(|(code, device)| {
        spec(code.as_str(), NodeKind::Router, device.public_ip, &[RPC_PORT, WS_PORT, CONTROLLER_PORT])
    });
    let clients = plan
        .clients
        .iter()
        .map(|(name, client)| spec(name.as_str(), NodeKind::Host, client.client_ip, &[RPC_PORT, WS_PORT]));
    devices.chain(clients).collect()
}

/// Hands each node's uplink to the fabric and its listeners to the ledger and the controller.
fn connect_nodes(plan: &Plan, fabric: &Fabric, ledger: &Ledger, nodes: Vec<NewNode>) -> anyhow::Result<()> {
    for node in nodes {
        let name = node.name.as_str().to_owned();
        let address = plan
            .devices
            .get(name.as_str())
            .map(|device| device.public_ip)
            .or_else(|| plan.clients.get(name.as_str()).map(|client| client.client_ip))
            .context("a node that the plan does not have")?;
        let (_, tun) = node.ports.into_iter().next().context("a node without an uplink")?;
        let prefixes = vec![Ipv4Net::from(address)];
        fabric.attach(FabricNode { name: name.clone(), tun, vnet_hdr: true, prefixes })?;
        let mut listeners = node.listeners.into_iter();
        let (http, ws) = listeners.next().zip(listeners.next()).context("a node without its listeners")?;
        ledger.serve(http, ws, ClientName::new(name.clone()))?;
        listeners.try_for_each(|listener| relay::start(listener, inside(CONTROLLER_PORT)))?;
    }
    Ok(())
}

/// Gives devices the ports that their own endpoints are on. Nothing is at their other ends: what is for such an
/// address comes in by the uplink.
async fn add_endpoint_ports(plan: &Plan, lab: &Lab) -> anyhow::Result<Vec<OwnedFd>> {
    let mut ends = Vec::new();
    for (code, device) in &plan.devices {
        let Bootstrap::OwnEndpoints { endpoints, .. } = &device.bootstrap else { continue };
        for own in endpoints.iter().filter(|own| !own.interface.starts_with("Loopback")) {
            let port = PortSpec::new(&paths::port_name(&own.interface)?)?;
            ends.push(lab.add_port(&NodeName::new(code.as_str())?, port).await?);
        }
    }
    Ok(ends)
}

async fn lay_links(plan: &Plan, lab: &Lab, fabric: &Fabric) -> anyhow::Result<()> {
    for (code, link) in &plan.links {
        let port = |interface: &str| -> anyhow::Result<PortSpec> {
            let name = paths::port_name(interface)?;
            Ok(PortSpec { mtu: u32::from(link.mtu), offload: Some(OFFLOAD), ..PortSpec::new(&name)? })
        };
        let (a, z) = (NodeName::new(link.a.as_str())?, NodeName::new(link.z.as_str())?);
        let (a_fd, z_fd) = lab.add_link((&a, port(&link.a_interface)?), (&z, port(&link.z_interface)?)).await?;
        let profile = paths::link_profile(plan, link)?;
        fabric.add_link(LinkSpec {
            name: code.as_str().to_owned(),
            a: (link.a.as_str().to_owned(), a_fd),
            z: (link.z.as_str().to_owned(), z_fd),
            profile_az: profile.clone(),
            profile_za: profile,
        })?;
    }
    Ok(())
}
