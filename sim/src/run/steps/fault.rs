//! `fault` and `heal`: links, paths, nodes, processes and the ledger.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use anyhow::Context as _;
use dzsim_ledger::{Chance, ClientName as LedgerClient, Faults as LedgerFaults};
use dzsim_scenario::plan::{Condition, Fault, Healing, LedgerFault, Node, NodeFault, PathEnds, Process, ProcessFault};

use super::{Context, StepError};
use crate::run::{paths, roles, rules, world::World};

/// What is broken, so that it can be mended.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Broken>);

#[derive(Debug, Default)]
struct Broken {
    links: BTreeSet<dzsim_scenario::plan::LinkCode>,
    paths: Vec<PathEnds>,
    nodes: BTreeSet<Node>,
    processes: BTreeMap<Process, Stopped>,
    ledger: bool,
}

/// How a process was stopped decides how it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopped {
    Dead,
    Paused,
}

impl Faults {
    /// Whether a process is neither dead nor paused, and the ledger answers it.
    fn allows(&self, process: &Process) -> bool {
        let broken = self.broken();
        !broken.processes.contains_key(process) && !broken.ledger
    }

    fn broken(&self) -> std::sync::MutexGuard<'_, Broken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a process may take to end after SIGTERM.
const GRACE: std::time::Duration = std::time::Duration::from_secs(5);

fn failed<E: Into<anyhow::Error>>(error: E) -> StepError {
    StepError::from(error.into())
}

impl Context {
    /// Whether a process can be expected to act on what the chain says.
    pub fn is_live(&self, process: &Process) -> bool {
        self.faults.allows(process)
    }
}

pub(super) async fn inflict(context: &Context, fault: &Fault) -> Result<(), StepError> {
    let world = &context.world;
    match fault {
        Fault::Link { link, condition } => {
            set_link(world, link, Some(condition))?;
            context.faults.broken().links.insert(link.clone());
        }
        Fault::Path { ends, condition } => {
            rules::set(world, ends, Some(condition)).await?;
            context.faults.broken().paths.push(ends.clone());
        }
        Fault::Node { node, fault: NodeFault::Unplug } => {
            world.fabric.set_uplink(node.as_str(), false).map_err(failed)?;
            set_links_of(world, node, false)?;
            context.faults.broken().nodes.insert(node.clone());
        }
        Fault::Node { node, fault: NodeFault::Reboot } => reboot(world, node).await?,
        Fault::Process { process, fault, after_transactions } => {
            landed(world, *after_transactions).await?;
            stop(context, process, *fault).await?;
        }
        Fault::Ledger { fault, towards } => {
            for client in ledger_clients(world, towards) {
                world.ledger.faults(&client).update(|faults| set_ledger(faults, fault));
            }
            context.faults.broken().ledger = true;
        }
    }
    Ok(())
}

pub(super) async fn heal(context: &Context, healing: &Healing) -> Result<(), StepError> {
    let world = &context.world;
    match healing {
        Healing::Link(link) => {
            set_link(world, link, None)?;
            context.faults.broken().links.remove(link);
        }
        Healing::Path(ends) => {
            rules::set(world, ends, None).await?;
            context.faults.broken().paths.retain(|broken| broken != ends);
        }
        Healing::Node(node) => {
            world.fabric.set_uplink(node.as_str(), true).map_err(failed)?;
            set_links_of(world, node, true)?;
            context.faults.broken().nodes.remove(node);
        }
        Healing::Process(process) => resume(context, process).await?,
        Healing::Ledger(fault) => {
            for client in ledger_clients(world, &BTreeSet::new()) {
                world.ledger.faults(&client).update(|faults| clear_ledger(faults, fault));
            }
            context.faults.broken().ledger = false;
        }
        Healing::All => {
            let broken = std::mem::take(&mut *context.faults.broken());
            for link in &broken.links {
                set_link(world, link, None)?;
            }
            for ends in &broken.paths {
                rules::set(world, ends, None).await?;
            }
            for node in &broken.nodes {
                world.fabric.set_uplink(node.as_str(), true).map_err(failed)?;
                set_links_of(world, node, true)?;
            }
            if broken.ledger {
                for client in ledger_clients(world, &BTreeSet::new()) {
                    world.ledger.faults(&client).heal();
                }
            }
            context.faults.broken().processes = broken.processes.clone();
            for process in broken.processes.keys() {
                resume(context, process).await?;
            }
        }
    }
    Ok(())
}

fn set_link(
    world: &World,
    code: &dzsim_scenario::plan::LinkCode,
    condition: Option<&Condition>,
) -> Result<(), StepError> {
    let link = world.plan.links.get(code).context("no such link")?;
    let base = paths::link_profile(&world.plan, link)?;
    let profile = condition.map_or(Ok(base.clone()), |condition| paths::under(condition, &base))?;
    world.fabric.set_link(code.as_str(), profile.clone(), profile).map_err(failed)
}

fn set_links_of(world: &World, node: &Node, up: bool) -> Result<(), StepError> {
    let ends_here =
        |link: &dzsim_scenario::plan::Link| [&link.a, &link.z].iter().any(|end| end.as_str() == node.as_str());
    for (code, _) in world.plan.links.iter().filter(|(_, link)| ends_here(link)) {
        world.fabric.set_link_up(code.as_str(), up).map_err(failed)?;
    }
    Ok(())
}

async fn reboot(world: &World, node: &Node) -> Result<(), StepError> {
    let name = dzsim_lab::NodeName::new(node.as_str()).map_err(failed)?;
    world.lab.reboot_node(&name).await.map_err(failed)?;
    world.listen_again(node).await?;
    world.write_key(node)?;
    let process = match node {
        Node::Client(client) => Process::Daemon(client.clone()),
        Node::Device(device) => Process::Agent(device.clone()),
        Node::Operator => return Err(StepError::new("the operator's node has no power switch")),
    };
    world.start(process.clone(), world.spawn_of(&process)?).await?;
    Ok(())
}

/// Waits until so many more transactions have landed.
async fn landed(world: &World, count: u32) -> Result<(), StepError> {
    let mut slots = world.ledger.slots();
    let until = *slots.borrow() + u64::from(count);
    slots.wait_for(|slot| *slot >= until).await.map_err(failed)?;
    Ok(())
}

async fn stop(context: &Context, process: &Process, fault: ProcessFault) -> Result<(), StepError> {
    let world = &context.world;
    if let Process::Gre(node) = process {
        return kill_helper(world, node).await;
    }
    let running = world.process(process).ok_or_else(|| StepError::new(format!("{process} was never started")))?;
    let stopped = match fault {
        ProcessFault::Kill => {
            running.kill().await;
            Some(Stopped::Dead)
        }
        ProcessFault::Terminate => {
            running.stop(GRACE).await;
            Some(Stopped::Dead)
        }
        ProcessFault::Pause => {
            running.freeze();
            Some(Stopped::Paused)
        }
        ProcessFault::Restart => {
            running.kill().await;
            world.start(process.clone(), world.spawn_of(process)?).await?;
            None
        }
    };
    if let Some(stopped) = stopped {
        context.faults.broken().processes.insert(process.clone(), stopped);
    }
    Ok(())
}

async fn resume(context: &Context, process: &Process) -> Result<(), StepError> {
    let world = &context.world;
    let stopped = context.faults.broken().processes.remove(process);
    match stopped {
        Some(Stopped::Paused) => {
            world.process(process).context("a process that was never started")?.thaw();
            Ok(())
        }
        Some(Stopped::Dead) => Ok(world.start(process.clone(), world.spawn_of(process)?).await?),
        None => Err(StepError::new(format!("{process} is not stopped"))),
    }
}

/// Kills the helper that holds a node's tunnels; whoever needs one starts it again.
async fn kill_helper(world: &World, node: &Node) -> Result<(), StepError> {
    let name = dzsim_lab::NodeName::new(node.as_str()).map_err(failed)?;
    let killed = world.lab.kill_commands(&name, "gre-helper").await.map_err(failed)?;
    if killed == 0 {
        return Err(StepError::new(format!("no gre helper runs in {node}")));
    }
    Ok(())
}

/// Under which name the ledger knows the node a process is in.
fn ledger_clients(world: &World, towards: &BTreeSet<Process>) -> Vec<LedgerClient> {
    let all = || {
        let devices = world.plan.devices.keys().map(|code| code.as_str());
        let clients = world.plan.clients.keys().map(|name| name.as_str());
        std::iter::once(roles::CORE).chain(devices).chain(clients).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let named = |process: &Process| match process {
        Process::Activator(_) | Process::Controller => roles::CORE.to_owned(),
        Process::Daemon(client) => client.as_str().to_owned(),
        Process::Agent(device) => device.as_str().to_owned(),
        Process::Gre(node) => node.as_str().to_owned(),
    };
    let names = if towards.is_empty() { all() } else { towards.iter().map(named).collect() };
    names.into_iter().map(LedgerClient::new).collect()
}

fn chance(ppm: u32) -> Chance {
    Chance::try_from(f64::from(ppm) / 1e6).unwrap_or_default()
}

fn set_ledger(faults: &mut LedgerFaults, fault: &LedgerFault) {
    match fault {
        LedgerFault::Outage => faults.outage = true,
        LedgerFault::Slow { delay } => {
            faults.answer_delay = *delay;
            faults.notifications.delay = *delay;
        }
        LedgerFault::LostNotifications { share_ppm } => faults.notifications.drop = chance(*share_ppm),
        LedgerFault::DuplicatedNotifications { share_ppm } => faults.notifications.duplicate = chance(*share_ppm),
        LedgerFault::StaleReads { slots } => faults.read_lag = *slots,
        LedgerFault::RefusedSends { share_ppm } => faults.refuse_sends = chance(*share_ppm),
    }
}

fn clear_ledger(faults: &mut LedgerFaults, fault: &LedgerFault) {
    let none = LedgerFaults::default();
    match fault {
        LedgerFault::Outage => faults.outage = false,
        LedgerFault::Slow { .. } => {
            faults.answer_delay = none.answer_delay;
            faults.notifications.delay = none.notifications.delay;
        }
        LedgerFault::LostNotifications { .. } => faults.notifications.drop = none.notifications.drop,
        LedgerFault::DuplicatedNotifications { .. } => faults.notifications.duplicate = none.notifications.duplicate,
        LedgerFault::StaleReads { .. } => faults.read_lag = 0,
        LedgerFault::RefusedSends { .. } => faults.refuse_sends = none.refuse_sends,
    }
}
