//! Starting the virtual world: the chain, the hosts and what connects them.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use dz_net::gre::Dataplane;
use dz_sdk::Ledger;
use dz_service::WallClock;
use dzsim_fabric::FabricConfig;
use dzsim_host::{HostSpec, LinkEnd, Modules, Network, NetworkConfig, PortSpec, VirtualLink};
use dzsim_scenario::plan::{Bootstrap, Plan};
use tokio::sync::watch;

use super::{
    Virtual,
    ledger::{Inside, RUNNER},
};
use crate::run::{
    artifacts, interface_names,
    internet::profile,
    keys::Owner,
    phases::Phases,
    world::{backend::Parts, task_logs::Logs},
};

/// A client's way to the internet, as its kernel calls it.
const CLIENT_UPLINK: &str = "eth0";

/// Starts the virtual world without any process, and a client of its chain whose key is the foundation's. Must be called
/// on a runtime whose clock is paused; `clock` says what time it is in that world.
///
/// # Errors
/// The artifacts cannot be written, or the plan is no network.
pub fn start(parts: Parts<'_>, clock: WallClock, phases: &mut Phases) -> anyhow::Result<(Virtual, Arc<dyn Ledger>)> {
    let Parts { plan, policy, keys, roles, artifacts, events, capture, bug } = parts;
    let ledger = Inside::new(&plan, keys)?;
    phases.end("ledger and nodes");
    let epoch = clock.now().duration_since(std::time::UNIX_EPOCH)?;
    let fabric = FabricConfig { seed: keys.seed(), capture: Some(capture), ..FabricConfig::default() };
    let network = Network::new(&NetworkConfig { fabric, epoch })?;
    add_hosts(&plan, roles.dataplane(), &network)?;
    lay_links(&plan, &network)?;
    let pump = network.clone();
    tokio::spawn(async move { pump.run().await });
    let disks = plan.clients.keys().map(|name| (name.clone(), Arc::default())).collect();
    let clocks = plan.clients.keys().map(|name| (name.clone(), Arc::default())).collect();
    let logs = Logs::new(&artifacts.join(artifacts::LOGS), clock.clone(), events);
    let (places, processes, started) = (Mutex::new(BTreeMap::new()), Mutex::new(BTreeMap::new()), Mutex::default());
    let reboots = watch::Sender::default();
    let world = Virtual {
        plan,
        policy,
        keys,
        roles,
        clock,
        network,
        ledger,
        bug,
        logs,
        places,
        clocks,
        disks,
        processes,
        started,
        reboots,
    };
    let chain = world.chain(RUNNER, Owner::Foundation)?;
    phases.end("fabric");
    Ok((world, chain))
}

fn add_hosts(plan: &Plan, dataplane: Dataplane, network: &Network) -> anyhow::Result<()> {
    // Tunnels are made in userspace unless the kernel's are asked for, as on most machines.
    let modules = Modules { dummy: true, gre: dataplane == Dataplane::Kernel };
    let add = |name: &str, router: bool, uplink: &str, address: Ipv4Addr| {
        let uplink = PortSpec::uplink(uplink, address);
        network.add_host(HostSpec { name: name.to_owned(), router, modules, uplink }).map(drop)
    };
    for (code, device) in &plan.devices {
        add(code.as_str(), true, interface_names::UPLINK_INTERFACE, device.public_ip)?;
        // What is for such an address comes in by the uplink: the port leads nowhere.
        let Bootstrap::OwnEndpoints { endpoints, .. } = &device.bootstrap else { continue };
        for own in endpoints.iter().filter(|own| !own.interface.starts_with("Loopback")) {
            network.add_port(code.as_str(), PortSpec::new(interface_names::port_name(&own.interface)?))?;
        }
    }
    for (name, client) in &plan.clients {
        add(name.as_str(), false, CLIENT_UPLINK, client.host_ip())?;
    }
    Ok(())
}

fn lay_links(plan: &Plan, network: &Network) -> anyhow::Result<()> {
    for (code, link) in &plan.links {
        let end = |host: &str, interface: &str| -> anyhow::Result<LinkEnd> {
            let port = PortSpec { mtu: u32::from(link.mtu), ..PortSpec::new(interface_names::port_name(interface)?) };
            Ok(LinkEnd { host: host.to_owned(), port })
        };
        let profile = profile::link_profile(plan, link)?;
        network.add_link(VirtualLink {
            name: code.as_str().to_owned(),
            a: end(link.a.as_str(), &link.a_interface)?,
            z: end(link.z.as_str(), &link.z_interface)?,
            profiles: [profile.clone(), profile],
        })?;
    }
    Ok(())
}
