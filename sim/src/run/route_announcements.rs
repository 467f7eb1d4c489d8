//! The internet's routes to devices: what a contributor announces follows the chain.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use dz_sdk::{
    NetworkView,
    program::state::{AddressSource, Device},
};
use dzsim_scenario::plan::Plan;
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;

use super::world::World;

/// The prefixes each device's node is reached by. One that the chain does not know keeps the address it came with.
fn announced(plan: &Plan, view: &NetworkView) -> BTreeMap<String, BTreeSet<Ipv4Net>> {
    let mut all = at_start(plan);
    all.extend(view.devices().iter().map(|(key, device)| (device.code.clone(), prefixes(view, key, device))));
    all
}

/// The public addresses that the nodes have to begin with.
fn at_start(plan: &Plan) -> BTreeMap<String, BTreeSet<Ipv4Net>> {
    let devices = plan.devices.iter();
    devices.map(|(code, device)| (code.to_string(), BTreeSet::from([Ipv4Net::from(device.public_ip)]))).collect()
}

fn prefixes(view: &NetworkView, key: &Pubkey, device: &Device) -> BTreeSet<Ipv4Net> {
    let own = device.prefixes.iter().map(|prefix| *prefix.net);
    let addresses = view
        .interfaces_of_device(key)
        .filter_map(|(_, interface)| interface.address)
        .filter(|address| address.source == AddressSource::Own)
        .map(|address| Ipv4Net::from(address.ip));
    own.chain(addresses).chain([Ipv4Net::from(device.public_ip)]).collect()
}

/// Keeps the fabric's routes as the chain says, until the runner's subscription ends.
pub async fn follow_chain(world: Arc<World>) {
    let mut views = world.chain.watch();
    let mut routed = at_start(&world.plan);
    while views.changed().await.is_ok() {
        let Some(view) = views.borrow_and_update().clone() else { continue };
        world.note_pairs(&view);
        let wanted = announced(&world.plan, &view);
        let pairs = |map: &BTreeMap<String, BTreeSet<Ipv4Net>>| -> BTreeSet<(String, Ipv4Net)> {
            map.iter().flat_map(|(node, nets)| nets.iter().map(|net| (node.clone(), *net))).collect()
        };
        let (old, new) = (pairs(&routed), pairs(&wanted));
        for (node, net) in old.difference(&new) {
            let removed = world.internet().remove_prefix(node, *net);
            report(&world, node, "route withdrawn", net, removed);
        }
        for (node, net) in new.difference(&old) {
            let added = world.internet().add_prefix(node, *net);
            report(&world, node, "route announced", net, added);
        }
        routed = wanted;
    }
}

fn report(world: &World, node: &str, event: &str, net: &Ipv4Net, result: dzsim_fabric::Result<()>) {
    let error = result.err().map(|error| error.to_string());
    // The event log is the only place where this can be told; a log that cannot be written fails the run elsewhere.
    let _ = world.events.record(node, event, serde_json::json!({"prefix": net.to_string(), "error": error}));
}
