//! The small world of the model: few of each thing, and pools that fill up.

use std::net::Ipv4Addr;

use dz_sdk::{NetworkView, instruction::global_config as ix, local::LocalBank};
use dz_serviceability::{ID as P, instruction::GlobalConfigArgs, network::NetworkV4, state::PoolKind};
use solana_pubkey::Pubkey;

/// Who acts.
pub(crate) const ACTORS: [Pubkey; 8] = {
    let mut actors = [Pubkey::new_from_array([0; 32]); 8];
    let mut index = 0;
    while index < 8 {
        actors[index] = Pubkey::new_from_array([index as u8 + 1; 32]);
        index += 1;
    }
    actors
};

pub(crate) const F: usize = 0;
pub(crate) const A: usize = 1;
/// Owner of contributor 0; contributor 1 belongs to the next.
pub(crate) const OWNER: usize = 2;
/// First of two payers.
pub(crate) const PAYER: usize = 4;
/// Owner of groups, administrator of tenants.
pub(crate) const GROUP_OWNER: usize = 6;

pub(crate) const CONTRIBUTORS: [&str; 2] = ["c0", "c1"];
pub(crate) const EXCHANGES: [&str; 2] = ["x0", "x1"];
pub(crate) const DEVICES: [&str; 4] = ["d0", "d1", "d2", "d3"];
pub(crate) const LINKS: [&str; 3] = ["l0", "l1", "l2"];
pub(crate) const TENANTS: [&str; 3] = ["t0", "t1", "t2"];
pub(crate) const GROUPS: [&str; 3] = ["g0", "g1", "g2"];
pub(crate) const INTERFACES: [&str; 6] =
    ["Ethernet1", "Ethernet2", "Loopback50", "Loopback100", "Loopback101", "Loopback102"];

/// Addresses that things are given; some collide on purpose.
pub(crate) fn public_ip(index: u8) -> Ipv4Addr {
    Ipv4Addr::new(9, 0, 0, 1 + index % 6)
}

pub(crate) fn endpoint_ip(index: u8) -> Ipv4Addr {
    Ipv4Addr::new(9, 0, if index % 4 == 0 { 1 } else { 0 }, 1 + index % 7)
}

pub(crate) fn own_prefix(index: u8) -> NetworkV4 {
    NetworkV4::new(Ipv4Addr::new(9, 0, 1 + index % 2, index / 2 % 4 * 8), 29).expect("a network")
}

pub(crate) fn client_ip(index: u8) -> Ipv4Addr {
    Ipv4Addr::new(11, 0, 0, 1 + index % 4)
}

pub(crate) fn block(kind: PoolKind, index: u8) -> NetworkV4 {
    let text = match (kind, index % 2) {
        (PoolKind::DoubleZeroBlock, 0) => "45.33.0.0/23",
        (PoolKind::DoubleZeroBlock, _) => "45.33.2.0/24",
        (PoolKind::UserTunnelBlock, 0) => "169.254.0.0/29",
        (PoolKind::UserTunnelBlock, _) => "169.254.1.0/30",
        (PoolKind::DeviceTunnelBlock, 0) => "172.16.0.0/31",
        (PoolKind::DeviceTunnelBlock, _) => "172.16.1.0/30",
        (PoolKind::MulticastGroupBlock, 0) => "233.84.178.0/31",
        (PoolKind::MulticastGroupBlock, _) => "233.84.179.0/30",
        // The second one lies where devices may have brought their addresses.
        (_, 0) => "148.51.120.0/31",
        (_, _) => "9.0.0.4/30",
    };
    text.parse().expect("a network")
}

pub(crate) const BLOCK_KINDS: [PoolKind; 5] = [
    PoolKind::DoubleZeroBlock,
    PoolKind::UserTunnelBlock,
    PoolKind::DeviceTunnelBlock,
    PoolKind::MulticastGroupBlock,
    PoolKind::MulticastPublisherBlock,
];

pub(crate) const fn args() -> GlobalConfigArgs {
    GlobalConfigArgs {
        local_asn: 209_321,
        remote_asn: 65_000,
        endpoint_loopback_first: 100,
        endpoint_loopback_last: 103,
        min_contributor_prefix: 29,
        endpoints_per_device: 2,
    }
}

/// An initialised network with one block of each kind.
pub(crate) fn genesis() -> LocalBank {
    let mut bank = LocalBank::new(P);
    for actor in ACTORS {
        bank.airdrop(actor, 1_000_000_000_000);
    }
    let f = ACTORS[F];
    let mut instructions = vec![ix::init_global_config(&P, &f, args()), ix::set_activator(&P, &f, ACTORS[A])];
    instructions.extend(BLOCK_KINDS.map(|kind| ix::add_block(&P, &f, kind, block(kind, 0))));
    bank.execute(&[f], &instructions).expect("genesis");
    bank
}

/// The `index`-th of a list, if there is one.
pub(crate) fn pick<T: Copy>(items: &[T], index: u8) -> Option<T> {
    (!items.is_empty()).then(|| items[usize::from(index) % items.len()])
}

/// The `index`-th account of a map.
pub(crate) fn pick_of<V>(map: &std::collections::BTreeMap<Pubkey, V>, index: u8) -> Option<(Pubkey, &V)> {
    let index = usize::from(index).checked_rem(map.len())?;
    map.iter().nth(index).map(|(key, value)| (*key, value))
}

/// Whether an address may be registered: nobody has it, and no block holds it.
pub(crate) fn free(view: &NetworkView, net: NetworkV4) -> bool {
    let Some(config) = view.config() else { return false };
    let devices = view.devices().values().flat_map(|device| {
        let prefixes = device.prefixes.iter().map(|prefix| prefix.net);
        prefixes.chain([NetworkV4::host(device.public_ip)])
    });
    let interfaces = view.interfaces().values().filter_map(|found| Some(NetworkV4::host(found.address?.ip)));
    let blocks = view.contributors().values().flat_map(|contributor| contributor.blocks.clone());
    let mut taken = devices.chain(interfaces).chain(blocks).chain(config.all_blocks().copied());
    !taken.any(|other| other.overlaps(&net))
}
