//! Starting the real world: ledger, nodes, fabric, and the listeners by which they reach one another.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, TcpListener},
    os::fd::OwnedFd,
    sync::{Arc, Mutex},
};

use anyhow::Context;
use dz_net::{gre, kernel::SharedWatch, tun::Offload};
use dz_sdk::{Ledger, ledger::rpc::RpcLedger, program};
use dz_service::WallClock;
use dzsim_fabric::{Fabric, FabricConfig, LinkSpec, NodeSpec as FabricNode};
use dzsim_lab::{Lab, NewNode, NodeKind, NodeName, NodeSpec, PortName, PortSpec};
use dzsim_ledger::{ClientName, Ledger as Bank};
use dzsim_scenario::plan::{Bootstrap, Plan};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::{
    Real,
    account_stream::AccountStream,
    inside,
    ledger::Inside,
    relay,
    shared::{self, Shared},
    turns::Turns,
};
use crate::run::{
    artifacts,
    genesis::bank,
    interface_names,
    internet::profile,
    keys::{Keys, Owner},
    lateness::watch::Watch,
    phases::Phases,
    roles::{CONTROLLER_PORT, CORE, RPC_PORT, WS_PORT},
    world::{backend::Parts, bug::Bug, task_logs::Logs},
};

/// The runner, towards the ledger.
const RUNNER: &str = "runner";
/// Where the ledger answers the runner: HTTP and WebSocket.
const RUNNER_PORTS: [u16; 2] = [8897, 8898];
/// Where it answers clients that are hosted together.
const SHARED_PORTS: [u16; 2] = [8895, 8896];

/// What a scenario's uplinks may leave to the fabric: it cuts what a path needs cut.
const OFFLOAD: Offload = Offload { checksum: true, tso4: true, uso4: false };

/// Starts the real world without any process, and a client of its chain whose key is the foundation's.
///
/// # Errors
/// The kernel refuses something, or the plan is no network.
pub async fn start(parts: Parts<'_>, phases: &mut Phases) -> anyhow::Result<(Real, Arc<dyn Ledger>)> {
    let Parts { plan, policy, keys, roles, artifacts, events, capture, bug } = parts;
    let lab = Lab::new(&artifacts.join(artifacts::LOGS)).await?;
    let picked = gre::picked(roles.dataplane());
    let (ledger, nodes, dataplane) = tokio::join!(start_ledger(&plan, keys), lab.add_nodes(node_specs(&plan)?), picked);
    // One trial for all nodes: their roles need none of their own.
    let (ledger, nodes, roles) = (ledger?, nodes?, roles.with_dataplane(dataplane?));
    phases.end("ledger and nodes");

    let seed = keys.seed();
    let fabric = Fabric::start(FabricConfig { seed, capture: Some(capture), ..FabricConfig::default() })?;
    connect_nodes(&plan, &fabric, &ledger, nodes)?;
    lay_links(&plan, &lab, &fabric).await?;
    let ports = add_endpoint_ports(&plan, &lab).await?;

    // The runner asks on ports of its own: what is done to others' connections must not blind it.
    for (client, [http, ws]) in [(CORE, [RPC_PORT, WS_PORT]), (RUNNER, RUNNER_PORTS)] {
        ledger.serve(TcpListener::bind(inside(http))?, TcpListener::bind(inside(ws))?, ClientName::new(client))?;
    }
    let [http, ws] = RUNNER_PORTS;
    let chain = RpcLedger::connect(
        format!("http://{}", inside(http)),
        format!("ws://{}", inside(ws)),
        program::ID,
        keys.of(Owner::Foundation),
    );
    let chain = Arc::new(AccountStream::new(chain, ledger.slots()));
    let lateness = Watch::start().context("measuring lateness")?;
    let shared = shared::clients(&plan);
    let host = match shared.is_empty() {
        true => None,
        false => {
            let [http, ws] = SHARED_PORTS;
            let (http_at, ws_at) = (TcpListener::bind(inside(http))?, TcpListener::bind(inside(ws))?);
            ledger.serve(http_at, ws_at, ClientName::new(shared::SHARED))?;
            let logs = Logs::new(&artifacts.join(artifacts::LOGS), WallClock::system(), events);
            // Nobody sends with this key.
            let connect = || {
                let (http, ws) = (format!("http://{}", inside(http)), format!("ws://{}", inside(ws)));
                RpcLedger::connect(http, ws, program::ID, keys.of(Owner::Foundation))
            };
            let host = Shared::new(&shared, ledger.slots(), logs, connect)?;
            host.runtimes().for_each(|(thread, runtime)| {
                runtime.spawn(lateness.measure_queue(thread));
            });
            Some(host)
        }
    };
    if bug == Some(Bug::DeadBank) {
        let clients = plan.clients.keys().map(|name| keys.of(Owner::Client(name.as_str())).pubkey()).collect();
        tokio::spawn(kill_bank(ledger.clone(), clients));
    }
    Real::install(roles.program())?;
    let real = Real {
        plan,
        policy,
        keys,
        roles,
        lab,
        fabric,
        ledger: Inside(ledger, Arc::clone(&chain), shared),
        shared: host,
        lateness,
        commands: Turns::of_commands(),
        starts: Turns::of_starts(),
        processes: Mutex::default(),
        hosts: Mutex::new(BTreeMap::new()),
        watches: SharedWatch::open()?,
        _ports: ports,
    };
    real.write_keys()?;
    phases.end("fabric");
    Ok((real, chain))
}

/// Kills the bank when a transaction has landed that a client pays.
async fn kill_bank(ledger: Bank, clients: BTreeSet<Pubkey>) {
    let mut all = ledger.subscribe();
    while let Ok(landed) = all.recv().await {
        if landed.transaction.addresses().next().is_some_and(|payer| clients.contains(payer)) {
            ledger.kill_bank().await;
        }
    }
}

async fn start_ledger(plan: &Plan, keys: Keys) -> anyhow::Result<Bank> {
    let mut config = bank::config(keys.seed());
    for owner in Owner::all(plan) {
        config = config.fund(keys.of(owner).pubkey(), bank::FUNDS);
    }
    Ok(Bank::start(config).await?)
}

fn node_specs(plan: &Plan) -> anyhow::Result<Vec<NodeSpec>> {
    let spec = |name: &str, kind, address: Ipv4Addr, ports: &[u16]| -> anyhow::Result<NodeSpec> {
        let mut uplink = PortSpec { offload: Some(OFFLOAD), ..PortSpec::uplink([address]) };
        if kind == NodeKind::Router {
            uplink.name = PortName::new(interface_names::UPLINK_INTERFACE)?;
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
        .map(|(name, client)| spec(name.as_str(), NodeKind::Host, client.host_ip(), &[RPC_PORT, WS_PORT]));
    devices.chain(clients).collect()
}

/// Hands each node's uplink to the fabric and its listeners to the ledger and the controller.
fn connect_nodes(plan: &Plan, fabric: &Fabric, ledger: &Bank, nodes: Vec<NewNode>) -> anyhow::Result<()> {
    for node in nodes {
        let name = node.name.as_str().to_owned();
        let address = plan
            .devices
            .get(name.as_str())
            .map(|device| device.public_ip)
            .or_else(|| plan.clients.get(name.as_str()).map(|client| client.host_ip()))
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
            let port = PortSpec::new(&interface_names::port_name(&own.interface)?)?;
            ends.push(lab.add_port(&NodeName::new(code.as_str())?, port).await?);
        }
    }
    Ok(ends)
}

async fn lay_links(plan: &Plan, lab: &Lab, fabric: &Fabric) -> anyhow::Result<()> {
    for (code, link) in &plan.links {
        let port = |interface: &str| -> anyhow::Result<PortSpec> {
            let name = interface_names::port_name(interface)?;
            Ok(PortSpec { mtu: u32::from(link.mtu), offload: Some(OFFLOAD), ..PortSpec::new(&name)? })
        };
        let (a, z) = (NodeName::new(link.a.as_str())?, NodeName::new(link.z.as_str())?);
        let (a_fd, z_fd) = lab.add_link((&a, port(&link.a_interface)?), (&z, port(&link.z_interface)?)).await?;
        let profile = profile::link_profile(plan, link)?;
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
