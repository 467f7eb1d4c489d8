//! `fault` and `heal`: links, paths, nodes, processes and the ledger.

use std::{collections::BTreeSet, net::Ipv4Addr};

use anyhow::Context as _;
use dz_net::kernel::{Added, AddrInfo, Deleted, RTPROT_DZ, RouteInfo, RouteKind};
use dzsim_fabric::{Purposes, TrafficFilter};
use dzsim_scenario::plan::{
    Bound, ClientName, Condition, Fault, Healing, InterfaceName, LedgerFault, LinkCode, Node, NodeFault, PathEnds,
    Process, ProcessFault, Step,
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Context, StepError};
use crate::run::{
    error::eventually,
    interface_names,
    internet::profile,
    path_rules, roles, seeds,
    world::{
        World,
        backend::Stop,
        faults::{Stopped, ledger_node},
    },
};

/// Routes that the kernel makes, rtnetlink(7).
const RTPROT_KERNEL: u8 = 2;

fn failed<E: Into<anyhow::Error>>(error: E) -> StepError {
    StepError::from(error.into())
}

pub(super) async fn inflict(context: &Context, fault: &Fault, step: &Step, end: Instant) -> Result<(), StepError> {
    let world = &context.world;
    if !step.random_within.is_zero() {
        let seed = seeds::of(world.keys.seed(), "moment of a fault", &step.place().to_string());
        sleep(step.random_within.mul_f64(SmallRng::seed_from_u64(seed).random())).await;
    }
    carried(world, step.after_packets, end).await?;
    landed(world, step.after_transactions, end).await?;
    let (mut ways, mut nodes) = (Vec::new(), BTreeSet::new());
    match fault {
        Fault::Path { ends, condition } => {
            let rules = path_rules::of_fault(world, ends, condition).await?;
            ways = rules.iter().map(|rule| (rule.from.clone(), rule.to.node.clone())).collect();
            world.fault_hits.begin(world, step, fault, std::mem::take(&mut ways), nodes);
            world.faults.broken().mark_path(ends, rules.clone());
            let all = world.faults.broken().path_rules();
            return path_rules::refresh(world, &rules, &all).await;
        }
        Fault::Ledger { towards, .. } => nodes = ledger_nodes(world, towards),
        _ => {}
    }
    world.fault_hits.begin(world, step, fault, ways, nodes.clone());
    match fault {
        Fault::Link { link, condition } => {
            set_link(world, link, Some(condition))?;
            world.faults.broken().links.insert(link.clone());
        }
        Fault::Path { .. } => {}
        Fault::Node { node, fault: NodeFault::Unplug } => {
            world.faults.broken().nodes.insert(node.clone());
            plug(context, node)?;
        }
        Fault::Node { node, fault: NodeFault::Reboot } => reboot(context, node).await?,
        Fault::Interface(interface) => {
            let routes = set_down(world, interface).await?;
            world.faults.broken().interfaces.insert(interface.clone(), routes);
        }
        Fault::Process { process, fault, .. } => stop(context, process, *fault).await?,
        Fault::Ledger { fault, .. } => {
            nodes.iter().for_each(|node| world.backend.ledger().inflict(node, fault));
            world.faults.broken().mark_ledger(fault, nodes);
        }
        Fault::LostSlots { slots } => world.backend.ledger().lose_slots(*slots).await?,
        Fault::Address { client, public_ip } => move_client(world, client, *public_ip).await?,
        Fault::Clock { client, by, back } => {
            let by = i64::try_from(by.as_nanos()).map_err(|_| StepError::new("a clock is set by 292 years at most"))?;
            world.backend.set_clock(client, if *back { -by } else { by })?;
            world.faults.broken().clocks.insert(client.clone());
        }
    }
    Ok(())
}

pub(super) async fn heal(context: &Context, healing: &Healing, hits: Option<Bound<u64>>) -> Result<(), StepError> {
    let world = &context.world;
    if !world.fault_hits.is_broken(healing) {
        return Err(StepError::new(format!("nothing is broken that `heal {healing}` would mend")));
    }
    match healing {
        Healing::Link(link) => {
            set_link(world, link, None)?;
            world.faults.broken().links.remove(link);
        }
        Healing::Path(ends) => heal_path(context, ends).await?,
        Healing::Node(node) => {
            world.faults.broken().nodes.remove(node);
            plug(context, node)?;
        }
        Healing::Interface(interface) => {
            let routes = world.faults.broken().interfaces.remove(interface);
            set_up(world, interface, &routes.unwrap_or_default()).await?;
        }
        Healing::Process(process) => resume(context, process).await?,
        Healing::Ledger(kind) => heal_ledger(context, kind),
        Healing::Clock(client) => set_right(world, client)?,
        Healing::All => heal_all(context).await?,
    }
    world.fault_hits.end(world, healing, hits)
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
    for (interface, routes) in &interfaces {
        set_up(world, interface, routes).await?;
    }
    let clocks = world.faults.broken().clocks.clone();
    clocks.iter().try_for_each(|client| set_right(world, client))?;
    let kinds = context.world.faults.broken().ledger_kinds();
    kinds.iter().for_each(|kind| heal_ledger(context, kind));
    let processes = context.world.faults.broken().processes.clone();
    for process in processes.keys() {
        resume(context, process).await?;
    }
    Ok(())
}

fn set_right(world: &World, client: &ClientName) -> Result<(), StepError> {
    world.faults.broken().clocks.remove(client);
    Ok(world.backend.set_clock(client, 0)?)
}

/// Gives a client's host another address in the place of its public one, and the internet the way to it.
async fn move_client(world: &World, client: &ClientName, to: Ipv4Addr) -> Result<(), StepError> {
    let from = world.client_ip(client)?;
    // Until its daemon has looked, what it sends into its tunnels leaves from the address that the host has then.
    for (_, user) in world.view().iter().flat_map(|view| view.users_of_client(from)) {
        world.note_pair((to, user.endpoint_ip));
    }
    world.internet().add_prefix(client.as_str(), to.into()).map_err(failed)?;
    replace_address(world, client, from, to).await?;
    world.internet().remove_prefix(client.as_str(), from.into()).map_err(failed)?;
    world.note_moved(client, to);
    Ok(())
}

async fn replace_address(world: &World, client: &ClientName, from: Ipv4Addr, to: Ipv4Addr) -> Result<(), StepError> {
    let host = world.backend.host(&Node::Client(client.clone()))?;
    let held = host.addrs().await.map_err(failed)?.into_iter().find(|held| held.address.addr() == from);
    let held = held.with_context(|| format!("{client} does not have {from}"))?;
    let routes = lasting(host.routes().await.map_err(failed)?, held.index);
    let added = host.add_addr(&AddrInfo { address: to.into(), ..held.clone() }).await.map_err(failed)?;
    let deleted = host.delete_addr(&held).await.map_err(failed)?;
    if (added, deleted) != (Added::Created, Deleted::Deleted) {
        return Err(StepError::new(format!("{client} changes while it moves")));
    }
    // Those that name the old address as their source went with it.
    for route in routes {
        let source = route.source.map(|source| if source == from { to } else { source });
        host.replace_route(&RouteInfo { source, ..route }).await.map_err(failed)?;
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
        context.world.backend.ledger().heal(&node, kind);
    }
}

fn set_link(world: &World, code: &LinkCode, condition: Option<&Condition>) -> Result<(), StepError> {
    let link = world.plan.links.get(code).context("no such link")?;
    let base = profile::link_profile(&world.plan, link)?;
    let profile = condition.map_or(Ok(base.clone()), |condition| profile::under(condition, &base))?;
    world.internet().set_link(code.as_str(), profile.clone(), profile).map_err(failed)
}

/// Lets a node's uplink carry packets unless the node is marked, and each of its links unless one of its ends is.
fn plug(context: &Context, node: &Node) -> Result<(), StepError> {
    let (world, broken) = (&context.world, context.world.faults.broken());
    world.internet().set_uplink(node.as_str(), !broken.nodes.contains(node)).map_err(failed)?;
    let ends_here =
        |link: &dzsim_scenario::plan::Link| [&link.a, &link.z].iter().any(|end| end.as_str() == node.as_str());
    for (code, link) in world.plan.links.iter().filter(|(_, link)| ends_here(link)) {
        world.internet().set_link_up(code.as_str(), broken.plugged(link)).map_err(failed)?;
    }
    Ok(())
}

/// Sets an interface of a device down in its kernel, as an operator who is logged in there would. A switch answers for an
/// address only while its interface is up. Linux goes on answering, so the routes that let it are taken away; it puts
/// them back when the interface comes up. Returns the routes through it that are not restored otherwise: neither
/// the kernel nor the agent.
async fn set_down(world: &World, interface: &InterfaceName) -> Result<Vec<RouteInfo>, StepError> {
    let host = world.backend.host(&Node::Device(interface.device.clone()))?;
    let index = host.link_index(&interface_names::port_name(&interface.name)?).await.map_err(failed)?;
    let routes = host.routes().await.map_err(failed)?;
    let through = |route: &&RouteInfo| route.dev == Some(index);
    for route in routes.iter().filter(through).filter(|route| route.kind == RouteKind::Local) {
        if host.delete_route(route).await.map_err(failed)? == Deleted::Absent {
            return Err(StepError::new(format!("{interface} changes while it is set down")));
        }
    }
    host.set_link_up(index, false).await.map_err(failed)?;
    Ok(lasting(routes, index))
}

/// The routes through an interface that neither the kernel nor a product makes.
fn lasting(routes: Vec<RouteInfo>, index: u32) -> Vec<RouteInfo> {
    let lasts = |route: &RouteInfo| {
        route.dev == Some(index)
            && route.kind != RouteKind::Local
            && ![RTPROT_KERNEL, RTPROT_DZ].contains(&route.protocol)
    };
    routes.into_iter().filter(lasts).collect()
}

/// Sets an interface up again, and puts back the routes that went with it.
async fn set_up(world: &World, interface: &InterfaceName, routes: &[RouteInfo]) -> Result<(), StepError> {
    let host = world.backend.host(&Node::Device(interface.device.clone()))?;
    let index = host.link_index(&interface_names::port_name(&interface.name)?).await.map_err(failed)?;
    host.set_link_up(index, true).await.map_err(failed)?;
    for route in routes {
        host.replace_route(route).await.map_err(failed)?;
    }
    Ok(())
}

async fn reboot(context: &Context, node: &Node) -> Result<(), StepError> {
    let world = &context.world;
    let process = match node {
        Node::Client(client) => Process::Daemon(client.clone()),
        Node::Device(device) => Process::Agent(device.clone()),
        Node::Operator => return Err(StepError::new("the operator's node has no power switch")),
    };
    world.reboot(node).await?;
    if let Node::Client(client) = node {
        // It comes up with the address that it began with.
        let began_with = world.plan.clients.get(client).context("no such client")?.host_ip();
        let now = world.host_ip(client)?;
        if now != began_with {
            replace_address(world, client, began_with, now).await?;
        }
    }
    start(context, &process).await
}

/// Waits until this number of further transactions has landed.
async fn landed(world: &World, count: u32, end: Instant) -> Result<(), StepError> {
    let mut slots = world.backend.ledger().slots();
    let start = *slots.borrow();
    let until = start + u64::from(count);
    let landed = timeout_at(end, slots.wait_for(|slot| *slot >= until)).await.map(|slot| slot.map(drop));
    match landed {
        Ok(landed) => landed.map_err(failed),
        Err(_) => Err(StepError {
            message: format!("{} transactions have landed", world.latest_slot() - start),
            expected: Some(format!("{count} transactions")),
            actual: Some(format!("{}", world.latest_slot() - start)),
            ..StepError::default()
        }),
    }
}

/// Waits until this number of further packets was carried.
async fn carried(world: &World, count: u32, end: Instant) -> Result<(), StepError> {
    if count == 0 {
        return Ok(());
    }
    let mark = world.internet().mark();
    let filter = TrafficFilter { purposes: Purposes::NoProbes, ..TrafficFilter::default() };
    eventually(end.saturating_duration_since(Instant::now()), || async {
        let packets = world.internet().traffic_since(&mark, &filter).delivered.packets;
        if packets >= u64::from(count) {
            return Ok(());
        }
        Err(StepError {
            message: format!("{packets} packets were carried"),
            expected: Some(format!("{count} packets")),
            actual: Some(packets.to_string()),
            ..StepError::default()
        })
    })
    .await
}

async fn stop(context: &Context, process: &Process, fault: ProcessFault) -> Result<(), StepError> {
    let world = &context.world;
    if let Process::Gre(node) = process {
        return Ok(world.backend.kill_helper(node).await?);
    }
    if !world.backend.was_started(process) {
        return Err(StepError::new(format!("{process} was never started")));
    }
    let stopped = match fault {
        ProcessFault::Kill => {
            world.backend.stop(process, Stop::Kill).await?;
            Stopped::Dead
        }
        ProcessFault::Terminate => {
            world.backend.stop(process, Stop::Terminate).await?;
            Stopped::Dead
        }
        ProcessFault::Pause => {
            world.backend.pause(process)?;
            Stopped::Paused
        }
        ProcessFault::Restart => {
            world.backend.stop(process, Stop::Kill).await?;
            return start(context, process).await;
        }
    };
    context.world.faults.broken().processes.insert(process.clone(), stopped);
    Ok(())
}

/// Starts a process; however it was stopped before, it runs now.
async fn start(context: &Context, process: &Process) -> Result<(), StepError> {
    let world = &context.world;
    world.start(process.clone()).await?;
    context.world.faults.broken().processes.remove(process);
    Ok(())
}

async fn resume(context: &Context, process: &Process) -> Result<(), StepError> {
    let world = &context.world;
    let stopped = context.world.faults.broken().processes.get(process).copied();
    match stopped {
        Some(Stopped::Paused) => {
            world.backend.resume(process)?;
            context.world.faults.broken().processes.remove(process);
            Ok(())
        }
        Some(Stopped::Dead) => start(context, process).await,
        None => Err(StepError::new(format!("{process} is not stopped"))),
    }
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
