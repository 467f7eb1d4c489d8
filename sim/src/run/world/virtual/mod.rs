//! The virtual world: the same roles as tasks of one runtime whose clock is paused, on hosts that are values and a chain
//! in memory. Time passes when nothing is left to do at a moment.

mod clock;
mod ledger;
mod planted;
mod roles;
mod start;

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use dz_client::{
    api::Daemon,
    cli::{self, progress::Quiet},
    daemon::MemoryStore,
};
use dz_net::host::{Changes, Host, Watched};
use dz_sdk::Ledger;
use dz_service::{
    WallClock,
    stream::{Connect, memory::Place},
};
use dzsim_fabric::Fabric;
use dzsim_host::Network;
use dzsim_scenario::plan::{ClientName, Node, Plan, Policy, Process};
use solana_signer::Signer;
use tokio::{sync::watch, time::timeout};

pub use self::start::start;
use self::{
    clock::HostClock,
    ledger::{Inside, RUNNER},
};
use super::{
    backend::{Backend, Call, LedgerInside, Output, Stop},
    bug::Bug,
    task::Running,
    task_logs::Logs,
};
use crate::run::{
    keys::{Keys, Owner},
    roles::{CORE, Roles},
};

/// The exit code of what SIGKILL has ended, as shells say it.
const KILLED: i32 = 128 + 9;

/// How long a process may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(5);

/// Tasks, virtual hosts and a chain in memory.
pub struct Virtual {
    plan: Arc<Plan>,
    policy: Policy,
    keys: Keys,
    roles: Roles,
    clock: WallClock,
    network: Network,
    ledger: Inside,
    /// What is put in on purpose.
    bug: Option<Bug>,
    logs: Logs,
    /// Where the controller and the activators answer, and each daemon.
    places: Mutex<BTreeMap<Process, Place>>,
    /// The clocks of clients, which can be set.
    clocks: BTreeMap<ClientName, Arc<HostClock>>,
    /// What daemons keep over a reboot.
    disks: BTreeMap<ClientName, Arc<MemoryStore>>,
    processes: Mutex<BTreeMap<Process, Running>>,
    /// How many processes there have been, for a seed of its own for each.
    started: Mutex<u64>,
    /// How often each node was rebooted.
    reboots: watch::Sender<BTreeMap<Node, u64>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Virtual {
    /// Where a process answers.
    fn place(&self, process: &Process) -> Place {
        let mut places = locked(&self.places);
        places.entry(process.clone()).or_insert_with(|| Place::new(&process.to_string())).clone()
    }

    /// A client of the chain at a node.
    fn chain(&self, node: &str, owner: Owner<'_>) -> anyhow::Result<Arc<dyn Ledger>> {
        let at = self.ledger.node(node)?;
        let client = at.connect(self.keys.of(owner).pubkey(), self.roles.verify_every());
        // The runner and the oracle see everything as it is.
        let bug = self.bug.filter(|_| node != RUNNER);
        Ok(planted::ledger(bug, Arc::new(client), at, self.ledger.chain()))
    }

    fn running(&self, process: &Process) -> anyhow::Result<Running> {
        locked(&self.processes).get(process).cloned().with_context(|| format!("{process} was never started"))
    }
}

#[async_trait(?Send)]
impl Backend for Virtual {
    fn internet(&self) -> &Fabric {
        self.network.fabric()
    }

    fn ledger(&self) -> &dyn LedgerInside {
        &self.ledger
    }

    fn host(&self, node: &Node) -> anyhow::Result<Arc<dyn Host>> {
        Ok(Arc::new(self.network.host(node.as_str())?))
    }

    async fn watch(&self, node: &Node) -> anyhow::Result<Box<dyn Changes>> {
        Ok(self.network.host(node.as_str())?.watch(Watched::EndHost).await?)
    }

    async fn start(&self, process: &Process) -> anyhow::Result<()> {
        let role = self.role(process)?;
        let (running, ready) = Running::start(role.future, role.ready, role.stop);
        locked(&self.processes).insert(process.clone(), running.clone());
        running.until_ready(ready).await
    }

    async fn stop(&self, process: &Process, how: Stop) -> anyhow::Result<()> {
        let running = self.running(process)?;
        match how {
            Stop::Terminate => running.stop(GRACE).await,
            Stop::Kill => running.kill(),
        }
        Ok(())
    }

    fn pause(&self, process: &Process) -> anyhow::Result<()> {
        self.running(process)?.pause();
        Ok(())
    }

    fn resume(&self, process: &Process) -> anyhow::Result<()> {
        self.running(process)?.resume();
        Ok(())
    }

    fn was_started(&self, process: &Process) -> bool {
        locked(&self.processes).contains_key(process)
    }

    async fn kill_helper(&self, node: &Node) -> anyhow::Result<()> {
        anyhow::ensure!(self.network.kill_helper(node.as_str())?, "no gre helper runs in {node}");
        Ok(())
    }

    async fn reboot(&self, node: &Node) -> anyhow::Result<()> {
        let here = |process: &Process| match process {
            Process::Daemon(client) => client.as_str() == node.as_str(),
            Process::Agent(device) => device.as_str() == node.as_str(),
            Process::Activator(_) | Process::Controller | Process::Gre(_) => false,
        };
        locked(&self.processes).iter().filter(|(process, _)| here(process)).for_each(|(_, running)| running.kill());
        locked(&self.places).retain(|process, _| !here(process));
        self.reboots.send_modify(|reboots| *reboots.entry(node.clone()).or_default() += 1);
        Ok(self.network.reboot(node.as_str())?)
    }

    fn set_clock(&self, client: &ClientName, ahead_ns: i64) -> anyhow::Result<()> {
        self.clocks.get(client).context("no such client")?.set(ahead_ns);
        Ok(())
    }

    fn wrong_times(&self, client: &ClientName) -> u64 {
        self.clocks.get(client).map_or(0, |clock| clock.wrong_times())
    }

    async fn command(&self, call: Call<'_>, deadline: Duration) -> anyhow::Result<Output> {
        let Call { node, owner, program, args } = call;
        if let Some(program) = program {
            anyhow::bail!("the virtual world has no processes: {} runs in the real world only", program.display());
        }
        let at = if *node == Node::Operator { CORE } else { node.as_str() };
        let daemon: Arc<dyn Connect> = match node {
            Node::Client(client) => Arc::new(self.place(&Process::Daemon(client.clone()))),
            Node::Device(_) | Node::Operator => Arc::new(Place::new(node.as_str())),
        };
        let deps = cli::Deps {
            ledger: &|_| self.chain(at, owner),
            daemon: &|_| Daemon::behind(Arc::clone(&daemon)),
            progress: &Quiet,
        };
        let argv = std::iter::once("doublezero".into()).chain(args.iter().map(Into::into));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut reboots = self.reboots.subscribe();
        let before = reboots.borrow().get(node).copied();
        let code = {
            let command = pin!(timeout(deadline, cli::execute(&deps, argv, &mut out, &mut err)));
            tokio::select! {
                biased;
                // It goes with everything else on the node.
                _ = reboots.wait_for(|reboots| reboots.get(node).copied() != before) => Ok(KILLED),
                code = command => code.map(|code| code as i32),
            }
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = code.map_err(|_| {
            let said = format!("{}{}", text(&out), text(&err));
            anyhow::anyhow!("doublezero on {node} did not end within {deadline:?} and was killed\n{said}")
        })?;
        Ok(Output { code, stdout: text(&out), stderr: text(&err) })
    }

    fn server(&self, server: &Process) -> anyhow::Result<Arc<dyn Connect>> {
        Ok(Arc::new(self.place(server)))
    }

    fn daemon(&self, client: &ClientName) -> anyhow::Result<Daemon> {
        Ok(Daemon::behind(Arc::new(self.place(&Process::Daemon(client.clone())))))
    }

    fn shells(&self) -> Vec<String> {
        Vec::new()
    }
}
