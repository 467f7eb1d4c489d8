//! `fault` and `heal`: links, paths, nodes, processes and the ledger.

use std::collections::BTreeSet;

use anyhow::Context as _;
use dz_net::kernel::{Deleted, Netlink, RouteInfo, RouteKind};
use dzsim_ledger::{Chance, ClientName as LedgerClient, Faults as LedgerFaults};
use dzsim_scenario::plan::{
    Condition, Fault, Healing, InterfaceName, LedgerFault, LinkCode, Node, NodeFault, PathEnds, Process, ProcessFault,
};

use super::{Context, StepError};
use crate::run::{
    internet::profile,
    path_rules, ports, roles,
    world::{
        World,
        faults::{Stopped, ledger_node},
    },
};

/// How long a process may take to end after SIGTERM.
const GRACE: std::time::Duration = std::time::Duration::from_secs(5);

fn failed<E: Into<anyhow::Error>>(error: E) -> StepError {
    StepError::from(error.into())
}

pub(super) async fn inflict(context: &Context, fault: &Fault) -> Result<(), StepError> {
    let world = &context.world;
    match fault {
        Fault::Link { link, condition } => {
            set_link(world, link, Some(condition))?;
            context.world.faults.broken().links.insert(link.clone());
        }
        Fault::Path { ends, condition } => {
            let fault = path_rules::of_fault(world, ends, condition).await?;
            context.world.faults.broken().mark_path(ends, fault.clone());
            let faults = context.world.faults.broken().path_rules();
            path_rules::refresh(world, &fault, &faults).await?;
        }
        Fault::Node { node, fault: NodeFault::Unplug } => {
            context.world.faults.broken().nodes.insert(node.clone());
            plug(context, node)?;
        }
        Fault::Node { node, fault: NodeFault::Reboot } => reboot(context, node).await?,
        Fault::Interface(interface) => {
            set_interface(world, interface, false).await?;
            context.world.faults.broken().interfaces.insert(interface.clone());
        }
        Fault::Process { process, fault, after_transactions } => {
            landed(world, *after_transactions).await?;
            stop(context, process, *fault).await?;
        }
        Fault::Ledger { fault, towards } => {
            let nodes = ledger_nodes(world, towards);
            for node in &nodes {
                let client = LedgerClient::new(node.clone());
                world.ledger.faults(&client).update(|faults| set_ledger(faults, fault));
            }
            context.world.faults.broken().mark_ledger(fault, nodes);
        }
    }
    Ok(())
}

pub(super) async fn heal(context: &Context, healing: &Healing) -> Result<(), StepError> {
    let world = &context.world;
    match healing {
        Healing::Link(link) => {
            set_link(world, link, None)?;
            context.world.faults.broken().links.remove(link);
        }
        Healing::Path(ends) => heal_path(context, ends).await?,
        Healing::Node(node) => {
            context.world.faults.broken().nodes.remove(node);
            plug(context, node)?;
        }
        Healing::Interface(interface) => {
            set_interface(world, interface, true).await?;
            context.world.faults.broken().interfaces.remove(interface);
        }
        Healing::Process(process) => resume(context, process).await?,
        Healing::Ledger(kind) => heal_ledger(context, kind),
        Healing::All => heal_all(context).await?,
    }
    Ok(())
}

async fn heal_all(context: &Context) -> Result<(), StepError> {
    let world = &context.world;
    let links = std::mem::take(&mut context.world.faults.broken().links);
    for link in &links {
        set_link(world, link, None)?;
    }
    let broken = context.world.faults.broken().path_ends();
    for ends in &broken {
        heal_path(context, ends).await?;
    }
    let nodes = std::mem::take(&mut context.world.faults.broken().nodes);
    for node in &nodes {
        plug(context, node)?;
    }
    let interfaces = std::mem::take(&mut context.world.faults.broken().interfaces);
    for interface in &interfaces {
        set_interface(world, interface, true).await?;
    }
    let kinds = context.world.faults.broken().ledger_kinds();
    kinds.iter().for_each(|kind| heal_ledger(context, kind));
    let processes = context.world.faults.broken().processes.clone();
    for process in processes.keys() {
        resume(context, process).await?;
    }
    Ok(())
}

async fn heal_path(context: &Context, ends: &PathEnds) -> Result<(), StepError> {
    let (healed, left) = {
        let mut broken = context.world.faults.broken();
        (broken.clear_path(ends), broken.path_rules())
    };
    path_rules::refresh(&context.world, &healed, &left).await
}

fn heal_ledger(context: &Context, kind: &LedgerFault) {
    let nodes = context.world.faults.broken().clear_ledger(kind);
    for node in nodes {
        context.world.ledger.faults(&LedgerClient::new(node)).update(|faults| clear_ledger(faults, kind));
    }
}

fn set_link(world: &World, code: &LinkCode, condition: Option<&Condition>) -> Result<(), StepError> {
    let link = world.plan.links.get(code).context("no such link")?;
    let base = profile::link_profile(&world.plan, link)?;
    let profile = condition.map_or(Ok(base.clone()), |condition| profile::under(condition, &base))?;
    world.fabric.set_link(code.as_str(), profile.clone(), profile).map_err(failed)
}

/// Lets a node's uplink carry packets unless the node is marked, and each of its links unless one of its ends is.
fn plug(context: &Context, node: &Node) -> Result<(), StepError> {
    let (world, broken) = (&context.world, context.world.faults.broken());
    world.fabric.set_uplink(node.as_str(), !broken.nodes.contains(node)).map_err(failed)?;
    let ends_here =
        |link: &dzsim_scenario::plan::Link| [&link.a, &link.z].iter().any(|end| end.as_str() == node.as_str());
    for (code, link) in world.plan.links.iter().filter(|(_, link)| ends_here(link)) {
        world.fabric.set_link_up(code.as_str(), broken.plugged(link)).map_err(failed)?;
    }
    Ok(())
}

/// Sets an interface of a device up or down in its kernel, as somebody who is logged in there would. A switch answers for
/// an address only while its interface is up. Linux goes on answering, so the routes that let it are taken away; it puts
/// them back when the interface comes up, whoever sets it up.
async fn set_interface(world: &World, interface: &InterfaceName, up: bool) -> Result<(), StepError> {
    let node = dzsim_lab::NodeName::new(interface.device.as_str()).map_err(failed)?;
    let netlink = Netlink::open_in(&world.lab.node(&node).map_err(failed)?.netns()).map_err(failed)?;
    let index = netlink.link_index(&ports::port_name(&interface.name)?).await.map_err(failed)?;
    if !up {
        let routes = netlink.routes().await.map_err(failed)?;
        let answers = |route: &&RouteInfo| route.kind == RouteKind::Local && route.dev == Some(index);
        for route in routes.iter().filter(answers) {
            if netlink.delete_route(route).await.map_err(failed)? == Deleted::Absent {
                return Err(StepError::new(format!("{interface} changes while it is set down")));
            }
        }
    }
    netlink.set_link_up(index, up).await.map_err(failed)
}

async fn reboot(context: &Context, node: &Node) -> Result<(), StepError> {
    let world = &context.world;
    let name = dzsim_lab::NodeName::new(node.as_str()).map_err(failed)?;
    let process = match node {
        Node::Client(client) => Process::Daemon(client.clone()),
        Node::Device(device) => Process::Agent(device.clone()),
        Node::Operator => return Err(StepError::new("the operator's node has no power switch")),
    };
    world.lab.reboot_node(&name).await.map_err(failed)?;
    world.listen_again(node).await?;
    world.write_key(node)?;
    start(context, &process).await
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
            Stopped::Dead
        }
        ProcessFault::Terminate => {
            running.stop(GRACE).await;
            Stopped::Dead
        }
        ProcessFault::Pause => {
            running.freeze();
            Stopped::Paused
        }
        ProcessFault::Restart => {
            running.kill().await;
            return start(context, process).await;
        }
    };
    context.world.faults.broken().processes.insert(process.clone(), stopped);
    Ok(())
}

/// Starts a process; however it was stopped before, it runs now.
async fn start(context: &Context, process: &Process) -> Result<(), StepError> {
    let world = &context.world;
    world.start(process.clone(), world.spawn_of(process)?).await?;
    context.world.faults.broken().processes.remove(process);
    Ok(())
}

async fn resume(context: &Context, process: &Process) -> Result<(), StepError> {
    let world = &context.world;
    let stopped = context.world.faults.broken().processes.get(process).copied();
    match stopped {
        Some(Stopped::Paused) => {
            world.process(process).context("a process that was never started")?.thaw();
            context.world.faults.broken().processes.remove(process);
            Ok(())
        }
        Some(Stopped::Dead) => start(context, process).await,
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

/// The nodes, by their names towards the ledger, that these processes are in; all of them if none is named.
fn ledger_nodes(world: &World, towards: &BTreeSet<Process>) -> BTreeSet<String> {
    if !towards.is_empty() {
        return towards.iter().map(|process| ledger_node(process).to_owned()).collect();
    }
    let devices = world.plan.devices.keys().map(|code| code.as_str());
    let clients = world.plan.clients.keys().map(|name| name.as_str());
    std::iter::once(roles::CORE).chain(devices).chain(clients).map(str::to_owned).collect()
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
