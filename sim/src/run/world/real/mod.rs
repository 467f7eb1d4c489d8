//! The real world: namespaces, kernels and processes.

mod account_stream;
mod ledger;
mod relay;
mod shared;
mod start;
mod turns;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::SocketAddr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use dz_client::api::Daemon;
use dz_net::{
    gre::HelperCommand,
    host::{Changes, Host, KernelHost, TunnelMaker},
    kernel::SharedWatch,
    netns::NetNs,
};
use dz_service::stream::{Connect, TcpConnector};
use dzsim_fabric::Fabric;
use dzsim_lab::{Exit, Host as LabHost, Lab, NodeName, Process as LabProcess, RoleName, Spawn};
use dzsim_ledger::{ClientName as LedgerClient, Ledger};
use dzsim_scenario::plan::{ClientName, Node, Plan, Policy, Process};
use solana_signer::Signer;
use tokio::time::timeout;

pub use self::start::start;
use self::{shared::Shared, turns::Turns};
use super::backend::{Backend, Call, LedgerInside, Output, Stop, Turn};
use crate::run::{
    keys::{self, Keys, Owner},
    lateness::{
        Part, Times,
        watch::{Moment, Watch},
    },
    roles::{self, CONTROLLER_PORT, RPC_PORT, Role, Roles, WS_PORT},
    seeds,
};

/// How long a process may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);
/// How long a role may take until it says that it is ready.
const READY: Duration = Duration::from_secs(60);

/// Namespaces, kernels and processes.
pub struct Real {
    plan: Arc<Plan>,
    policy: Policy,
    keys: Keys,
    roles: Roles,
    lab: Lab,
    fabric: Fabric,
    ledger: ledger::Inside,
    /// Clients that are hosted together, if there are any.
    shared: Option<Shared>,
    lateness: Watch,
    commands: Turns,
    starts: Turns,
    processes: Mutex<BTreeMap<Process, LabProcess>>,
    hosts: Mutex<BTreeMap<String, Arc<KernelHost>>>,
    /// Of all nodes but clients that are hosted together, for the oracle.
    watches: SharedWatch,
    /// The far ends of ports that lead nowhere; a port is gone when its far end is closed.
    _ports: Vec<OwnedFd>,
}

/// A listener's address inside a node.
fn inside(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A node as the lab calls it.
fn lab_host(node: &Node) -> anyhow::Result<LabHost> {
    Ok(match node {
        Node::Operator => LabHost::Core,
        Node::Client(_) | Node::Device(_) => LabHost::Node(NodeName::new(node.as_str())?),
    })
}

/// Where the key of somebody is who has no node.
fn operator_key(core: &Path, owner: Owner<'_>) -> PathBuf {
    core.join(format!("{}.json", owner.to_string().replace(' ', "-")))
}

impl Real {
    fn ledger(&self) -> &Ledger {
        &self.ledger.0
    }

    fn process(&self, process: &Process) -> anyhow::Result<LabProcess> {
        let found = locked(&self.processes).get(process).cloned();
        found.with_context(|| format!("{process} was never started"))
    }

    /// The host of a client's daemon, if it is one of those that are hosted together.
    fn shared<'a>(&'a self, process: &'a Process) -> Option<(&'a Shared, &'a ClientName)> {
        let (shared, Process::Daemon(client)) = (self.shared.as_ref()?, process) else { return None };
        self.ledger.2.contains(client).then_some((shared, client))
    }

    /// How the daemon of such a client is started.
    fn shared_start(&self, shared: &Shared, process: &Process, name: &ClientName) -> anyhow::Result<shared::Start> {
        let (_, role) = self.role(process)?;
        let mut args: dz_client::daemon::Args = roles::parsed(role)?;
        args.payer = Some(self.keys.of(Owner::Client(name.as_str())).pubkey());
        let host = shared.host(name, self.netns(&Node::Client(name.clone()))?, self.tunnel_maker())?;
        Ok(shared::Start { args, host, seed: seeds::of(self.keys.seed(), "process", &process.to_string()) })
    }

    fn netns(&self, node: &Node) -> anyhow::Result<NetNs> {
        Ok(self.lab.node(&NodeName::new(node.as_str())?)?.netns())
    }

    fn tunnel_maker(&self) -> TunnelMaker {
        TunnelMaker { dataplane: self.roles.dataplane(), helper: self.roles.helper() }
    }

    /// The folder of a node's files, which a reboot empties.
    fn folder(&self, node: &Node) -> anyhow::Result<PathBuf> {
        Ok(self.lab.folder(&lab_host(node)?))
    }

    /// The role that a process plays, and where.
    fn role(&self, process: &Process) -> anyhow::Result<(Node, Role)> {
        let core = self.lab.folder(&LabHost::Core);
        Ok(match process {
            Process::Activator(number) => {
                (Node::Operator, self.roles.activator(*number, &core.join("activator.json"), &self.policy))
            }
            Process::Controller => (Node::Operator, self.roles.controller()),
            Process::Daemon(name) => {
                let client = self.plan.clients.get(name).context("no such client")?;
                let node = Node::Client(name.clone());
                let disk = core.join("disks").join(name.as_str());
                let role = self.roles.daemon(client.behind(), &self.folder(&node)?, &disk, &self.policy);
                (node, role)
            }
            Process::Agent(code) => (Node::Device(code.clone()), self.roles.agent(&roles::device_account(code))),
            Process::Gre(node) => anyhow::bail!("the gre helper of {node} is started by whoever needs a tunnel"),
        })
    }

    /// How a role is started.
    fn spawn(&self, process: &Process) -> anyhow::Result<Spawn> {
        let (node, role) = self.role(process)?;
        let seed = seeds::of(self.keys.seed(), "process", &process.to_string());
        let spawn = self.spawn_role(&node, role)?.env("DZ_SEED", seed.to_string()).notify(READY);
        Ok(match process {
            // What somebody else asks for in a client's name is not made on its host.
            Process::Daemon(name) => {
                spawn.env("DZ_PAYER", self.keys.of(Owner::Client(name.as_str())).pubkey().to_string())
            }
            Process::Activator(_) | Process::Controller | Process::Agent(_) | Process::Gre(_) => spawn,
        })
    }

    fn spawn_role(&self, node: &Node, role: Role) -> anyhow::Result<Spawn> {
        let Role { name, program, args, env } = role;
        let argv = [self.roles.program().into(), "node".into(), program.into()].into_iter().chain(args);
        let spawn = Spawn::new(lab_host(node)?, RoleName::new(&name)?, argv);
        Ok(env.into_iter().fold(spawn, |spawn, (name, value)| spawn.env(name, value)))
    }

    /// Binds a rebooted node's listeners again and hands them to their servers.
    async fn listen_again(&self, node: &Node) -> anyhow::Result<()> {
        let host = lab_host(node)?;
        let http = self.lab.listen(&host, inside(RPC_PORT)).await?;
        let ws = self.lab.listen(&host, inside(WS_PORT)).await?;
        self.ledger().serve(http, ws, LedgerClient::new(node.as_str()))?;
        if matches!(node, Node::Device(_)) {
            relay::start(self.lab.listen(&host, inside(CONTROLLER_PORT)).await?, inside(CONTROLLER_PORT))?;
        }
        Ok(())
    }

    /// The environment of somebody's command at a node: their key, and the daemon that is there.
    fn user(&self, owner: Owner<'_>, node: &Node) -> anyhow::Result<[(&'static str, OsString); 2]> {
        let core = self.lab.folder(&LabHost::Core);
        let key = match owner {
            Owner::Client(name) => {
                let client = self.plan.clients.get_key_value(name).context("no such client")?.0;
                roles::key_file(name, &self.folder(&Node::Client(client.clone()))?)
            }
            Owner::Foundation => roles::key_file(Node::Operator.as_str(), &core),
            Owner::Contributor(_) | Owner::Tenant(_) | Owner::Activator => operator_key(&core, owner),
        };
        Ok(roles::user_env(key, &self.folder(node)?))
    }

    /// Writes the key of a node's user into the folder of its files.
    fn write_key(&self, node: &Node) -> anyhow::Result<()> {
        let key = self.keys.of(Owner::at(node, &self.plan)?);
        keys::write(&roles::key_file(node.as_str(), &self.folder(node)?), &key).context("writing a key")
    }

    fn write_keys(&self) -> anyhow::Result<()> {
        let core = self.lab.folder(&LabHost::Core);
        for owner in Owner::all(&self.plan) {
            if matches!(owner, Owner::Activator | Owner::Contributor(_) | Owner::Tenant(_)) {
                keys::write(&operator_key(&core, owner), &self.keys.of(owner))?;
            }
        }
        let clients = self.plan.clients.keys().cloned().map(Node::Client);
        let devices = self.plan.devices.keys().cloned().map(Node::Device);
        std::iter::once(Node::Operator).chain(clients).chain(devices).try_for_each(|node| self.write_key(&node))
    }

    /// Puts the programs that people call where the nodes find them.
    fn install(program: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(roles::BIN)?;
        std::os::unix::fs::symlink(program, Path::new(roles::BIN).join("doublezero"))
    }
}

#[async_trait(?Send)]
impl Backend for Real {
    fn internet(&self) -> &Fabric {
        &self.fabric
    }

    fn ledger(&self) -> &dyn LedgerInside {
        &self.ledger
    }

    fn host(&self, node: &Node) -> anyhow::Result<Arc<dyn Host>> {
        let mut hosts = locked(&self.hosts);
        if let Some(host) = hosts.get(node.as_str()) {
            return Ok(Arc::clone(host) as Arc<dyn Host>);
        }
        let host = Arc::new(KernelHost::open_in(self.netns(node)?, self.tunnel_maker())?);
        hosts.insert(node.as_str().to_owned(), Arc::clone(&host));
        Ok(host)
    }

    async fn watch(&self, node: &Node) -> anyhow::Result<Box<dyn Changes>> {
        let netns = self.netns(node)?;
        Ok(Box::new(match (node, &self.shared) {
            (Node::Client(client), Some(shared)) if self.ledger.2.contains(client) => shared.watch(client, &netns)?,
            _ => self.watches.namespace(&netns)?.watch()?,
        }))
    }

    async fn start(&self, process: &Process) -> anyhow::Result<()> {
        if let Some((shared, client)) = self.shared(process) {
            let _turn = self.starts.next().await;
            shared.start(client, self.shared_start(shared, process, client)?).await?;
            // All it could choose is probed first: a thousand that do so at once lose most of it, and ask again. Whether
            // anything answers is the scenario's.
            let _ = timeout(turns::LONGEST, self.daemon(client)?.latency(None)).await;
            return Ok(());
        }
        let started = self.lab.start(self.spawn(process)?).await?;
        locked(&self.processes).insert(process.clone(), started);
        Ok(())
    }

    async fn stop(&self, process: &Process, how: Stop) -> anyhow::Result<()> {
        if let Some((shared, client)) = self.shared(process) {
            return shared.stop(client, how, GRACE).await;
        }
        let running = self.process(process)?;
        match how {
            Stop::Kill => running.kill().await,
            Stop::Terminate => running.stop(GRACE).await,
        };
        Ok(())
    }

    fn pause(&self, process: &Process) -> anyhow::Result<()> {
        if let Some((shared, client)) = self.shared(process) {
            return shared.pause(client);
        }
        self.process(process)?.freeze();
        Ok(())
    }

    fn resume(&self, process: &Process) -> anyhow::Result<()> {
        if let Some((shared, client)) = self.shared(process) {
            return shared.resume(client);
        }
        self.process(process)?.thaw();
        Ok(())
    }

    fn was_started(&self, process: &Process) -> bool {
        if let Some((shared, client)) = self.shared(process) {
            return shared.was_started(client);
        }
        locked(&self.processes).contains_key(process)
    }

    async fn kill_helper(&self, node: &Node) -> anyhow::Result<()> {
        let killed = self.lab.kill_commands(&NodeName::new(node.as_str())?, HelperCommand::ARGUMENT).await?;
        anyhow::ensure!(killed > 0, "no gre helper runs in {node}");
        Ok(())
    }

    async fn reboot(&self, node: &Node) -> anyhow::Result<()> {
        locked(&self.hosts).remove(node.as_str());
        if let Node::Client(client) = node {
            let daemon = Process::Daemon(client.clone());
            if self.shared(&daemon).is_some() && self.was_started(&daemon) {
                self.stop(&daemon, Stop::Kill).await?;
            }
        }
        self.lab.reboot_node(&NodeName::new(node.as_str())?).await?;
        self.listen_again(node).await?;
        self.write_key(node)
    }

    fn set_clock(&self, client: &ClientName, _ahead_ns: i64) -> anyhow::Result<()> {
        anyhow::bail!("{client} has the machine's clock")
    }

    async fn turn(&self) -> Turn {
        self.commands.next().await
    }

    async fn command(&self, call: Call<'_>, deadline: Duration) -> anyhow::Result<Output> {
        let Call { node, owner, program, args } = call;
        if let (Node::Client(client), None) = (node, program)
            && let Some((shared, _)) = self.shared(&Process::Daemon(client.clone()))
        {
            return shared.command(client, self.keys.of(owner), self.daemon(client)?, args, deadline).await;
        }
        let user = self.user(owner, node)?;
        let spawn = match program {
            None => self.spawn_role(node, self.roles.command_line(user, &self.policy, args))?,
            Some(program) => {
                let argv = std::iter::once(program.as_os_str().to_owned()).chain(args.iter().map(OsString::from));
                let spawn = Spawn::new(lab_host(node)?, RoleName::new("program")?, argv).env("PATH", roles::path());
                user.into_iter().fold(spawn, |spawn, (name, value)| spawn.env(name, value))
            }
        };
        let finished = self.lab.run_to_end(spawn, deadline).await?;
        let code = match finished.exit {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 + signal,
        };
        Ok(Output { code, stdout: finished.stdout, stderr: finished.stderr })
    }

    fn server(&self, server: &Process) -> anyhow::Result<Arc<dyn Connect>> {
        let address = match server {
            Process::Activator(number) => roles::activator_address(*number),
            Process::Controller => inside(CONTROLLER_PORT),
            Process::Daemon(_) | Process::Agent(_) | Process::Gre(_) => anyhow::bail!("{server} serves no HTTP"),
        };
        Ok(Arc::new(TcpConnector::new(address.ip().to_string(), address.port())))
    }

    fn daemon(&self, client: &ClientName) -> anyhow::Result<Daemon> {
        Ok(Daemon::at(&roles::socket(&self.folder(&Node::Client(client.clone()))?)))
    }

    fn shells(&self) -> Vec<String> {
        let nodes = self.lab.names();
        nodes.iter().map(ToString::to_string).chain(["operator".to_owned()]).collect()
    }

    fn take_late(&self) -> Times {
        self.lateness.note(Part::Packet, self.fabric.take_lateness());
        self.lateness.note(Part::Answer, self.ledger().take_lateness());
        self.lateness.take_longest()
    }

    fn note_late(&self, part: Part, by: Duration) {
        self.lateness.note(part, by);
    }

    fn moment(&self) -> Option<Moment> {
        Some(self.lateness.moment())
    }

    fn waited_since(&self, moment: &Moment) -> (Duration, Times) {
        self.lateness.since(moment)
    }
}
