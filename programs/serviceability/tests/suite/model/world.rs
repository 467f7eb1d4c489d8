//! The small world of the model: few of each thing, and pools that fill up.

use std::net::Ipv4Addr;

use dz_sdk::{
    NetworkView, build,
    instruction::{self as all, access_pass::PassLimits, global_config as ix},
    local::LocalBank,
};
use dz_serviceability::{
    ID as P,
    instruction::CreateDeviceArgs,
    network::NetworkV4,
    pda,
    state::{Bootstrap, ConfigNumbers, DeviceCaps, DeviceType, PoolKind},
};
use solana_instruction::Instruction;
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

/// The third one never has devices, so that its whole life is seen.
pub(crate) const CONTRIBUTORS: [&str; 3] = ["c0", "c1", "c2"];
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
    Ipv4Addr::new(9, 0, if index.is_multiple_of(4) { 1 } else { 0 }, 1 + index % 7)
}

pub(crate) fn own_prefix(index: u8) -> NetworkV4 {
    NetworkV4::new(Ipv4Addr::new(9, 0, 1 + index % 2, index / 2 % 4 * 8), 29).expect("a network")
}

/// Some of these are also what devices bring.
pub(crate) fn client_ip(index: u8) -> Ipv4Addr {
    match index % 8 {
        6 => Ipv4Addr::new(9, 0, 0, 3),
        7 => Ipv4Addr::new(9, 0, 1, 12),
        other => Ipv4Addr::new(11, 0, 0, 1 + other % 4),
    }
}

pub(crate) fn block(kind: PoolKind, index: u8) -> NetworkV4 {
    let text = match (kind, index % 2) {
        // Where devices may have brought a prefix.
        (PoolKind::DoubleZeroBlock, _) if index % 4 == 3 => "9.0.2.0/24",
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

pub(crate) const fn args() -> ConfigNumbers {
    ConfigNumbers {
        local_asn: 209_321,
        remote_asn: 65_000,
        endpoint_loopback_first: 100,
        endpoint_loopback_last: 103,
        min_contributor_prefix: 29,
        endpoints_per_device: 2,
        same_metro_routing: true,
        kept_blocks: 0,
    }
}

/// An initialised network with one block of each kind.
pub(crate) fn genesis() -> LocalBank {
    let mut bank = LocalBank::new(P, &ACTORS[F]);
    for actor in ACTORS {
        bank.airdrop(actor, 1_000_000_000_000);
    }
    let f = ACTORS[F];
    let mut instructions = vec![ix::init_global_config(&P, &f, args()), ix::set_activator(&P, &f, ACTORS[A])];
    instructions.extend(BLOCK_KINDS.map(|kind| ix::add_block(&P, &f, kind, block(kind, 0))));
    bank.execute(&[f], &instructions).expect("genesis");
    bank
}

/// A network that works: devices of all three bootstraps, tenants, groups, passes, ports for links.
pub(crate) fn furnished() -> LocalBank {
    let mut bank = genesis();
    let mut view = bank.view().expect("a fresh bank");
    let third = all::contributor::create_contributor(&P, &ACTORS[F], CONTRIBUTORS[2], ACTORS[OWNER]);
    let second = block(PoolKind::DoubleZeroBlock, 1);
    act(&mut bank, &mut view, F, |_| vec![third, ix::add_block(&P, &ACTORS[F], PoolKind::DoubleZeroBlock, second)]);
    let third = pda::contributor(&P, CONTRIBUTORS[2]).0;
    act(&mut bank, &mut view, A, |view| {
        vec![build::allocate_contributor_block(view, &ACTORS[A], third, second).expect("a block")]
    });
    for index in 0..2 {
        act(&mut bank, &mut view, F, |_| {
            let f = ACTORS[F];
            vec![
                all::contributor::create_contributor(&P, &f, CONTRIBUTORS[index], ACTORS[OWNER + index]),
                all::exchange::create_exchange(&P, &f, EXCHANGES[index], "name", 1, 2),
                all::tenant::create_tenant(&P, &f, TENANTS[index], vec![ACTORS[GROUP_OWNER]]),
                all::multicast_group::create_multicast_group(&P, &f, GROUPS[index], ACTORS[GROUP_OWNER], 1000),
            ]
        });
        act(&mut bank, &mut view, A, |view| {
            let group = pda::multicast_group(&P, GROUPS[index]).0;
            let ip = block(PoolKind::MulticastGroupBlock, 0).address(index as u32).expect("two");
            let contributor = pda::contributor(&P, CONTRIBUTORS[index]).0;
            let slash24 = NetworkV4::new(Ipv4Addr::new(45, 33, index as u8, 0), 24).expect("a network");
            vec![
                all::tenant::activate_tenant(&P, &ACTORS[A], pda::tenant(&P, TENANTS[index]).0, 2 + index as u16),
                build::activate_multicast_group(view, &ACTORS[A], group, ip).expect("a block"),
                build::allocate_contributor_block(view, &ACTORS[A], contributor, slash24).expect("a block"),
            ]
        });
    }
    for (index, bootstrap) in
        [Bootstrap::OwnPrefix, Bootstrap::Carve { prefix_len: 29 }, Bootstrap::OwnEndpoints].into_iter().enumerate()
    {
        device(&mut bank, &mut view, index, bootstrap);
    }
    act(&mut bank, &mut view, F, |_| {
        let limits = PassLimits { last_access_epoch: u64::MAX, max_unicast_users: 3, max_multicast_users: 3 };
        let mut instructions = vec![];
        let any = Ipv4Addr::UNSPECIFIED;
        for (payer, ip) in [(PAYER, any), (PAYER + 1, any), (PAYER + 1, client_ip(0))] {
            let payer = ACTORS[payer];
            instructions.push(all::access_pass::set_access_pass(&P, &ACTORS[F], ip, payer, limits, None));
            let pass = all::access_pass::pass_address(&P, ip, &payer, None);
            instructions.extend(GROUPS[..2].iter().map(|code| {
                let group = pda::multicast_group(&P, code).0;
                all::access_pass::set_pass_group(&P, &ACTORS[F], pass, group, None, (true, true))
            }));
        }
        instructions
    });
    bank
}

/// An activated device with endpoints and an activated port.
fn device(bank: &mut LocalBank, view: &mut NetworkView, index: usize, bootstrap: Bootstrap) {
    let owner = OWNER + index % 2;
    let contributor = pda::contributor(&P, CONTRIBUTORS[index % 2]).0;
    let key = pda::device(&P, DEVICES[index]).0;
    let (o, a) = (ACTORS[owner], ACTORS[A]);
    act(bank, view, owner, |view| {
        let args = CreateDeviceArgs {
            code: DEVICES[index].to_owned(),
            device_type: DeviceType::Hybrid,
            public_ip: public_ip(index as u8),
            bootstrap,
            endpoints_wanted: None,
            tunnel_slots: 4,
            caps: DeviceCaps { max_users: 6, ..DeviceCaps::default() },
        };
        let exchange = pda::exchange(&P, EXCHANGES[index % 2]).0;
        vec![build::create_device(view, &o, contributor, exchange, args).expect("a config")]
    });
    act(bank, view, owner, |view| {
        vec![build::create_interface(view, &o, key, INTERFACES[0], None, false).expect("a device")]
    });
    let port = pda::interface(&P, &key, INTERFACES[0]).0;
    act(bank, view, A, |_| vec![all::interface::activate_interface(&P, &a, key, port)]);
    let net = match bootstrap {
        Bootstrap::OwnEndpoints => {
            let ip = Some(Ipv4Addr::new(9, 0, 3, 1));
            act(bank, view, owner, |view| {
                vec![build::create_interface(view, &o, key, "Loopback100", ip, true).expect("a device")]
            });
            let endpoint = pda::interface(&P, &key, "Loopback100").0;
            act(bank, view, A, |_| vec![all::interface::activate_interface(&P, &a, key, endpoint)]);
            None
        }
        Bootstrap::OwnPrefix => {
            let net = own_prefix(0);
            act(bank, view, owner, |view| vec![build::add_device_prefix(view, &o, key, net).expect("a device")]);
            Some(net)
        }
        Bootstrap::Carve { prefix_len } | Bootstrap::CarveBlock { prefix_len } => {
            let net = NetworkV4::new(Ipv4Addr::new(45, 33, (index % 2) as u8, 0), prefix_len).expect("a network");
            act(bank, view, A, |view| vec![build::carve_device_prefix(view, &a, key, net).expect("a device")]);
            Some(net)
        }
    };
    for number in 1..=2 {
        if let Some(ip) = net.and_then(|net| net.address(number)) {
            let pull = |view: &NetworkView| build::pull_endpoint(view, &a, key, ip, 99 + number as u16);
            act(bank, view, A, |view| vec![pull(view).expect("a prefix")]);
        }
    }
    act(bank, view, A, |_| vec![all::device::activate_device(&P, &a, key)]);
}

fn act(bank: &mut LocalBank, view: &mut NetworkView, actor: usize, f: impl FnOnce(&NetworkView) -> Vec<Instruction>) {
    bank.execute(&[ACTORS[actor]], &f(view)).expect("a furnished world");
    bank.refresh(view).expect("accounts that can be read");
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

/// Whether a live client connects from an address of this network.
pub(crate) fn has_client(view: &NetworkView, net: NetworkV4) -> bool {
    view.users().values().any(|user| user.is_live() && net.contains(&user.client_ip))
}

/// Whether an address may be registered: it is free, and no block contains it.
pub(crate) fn free(view: &NetworkView, net: NetworkV4) -> bool {
    let Some(config) = view.config() else { return false };
    let devices = view.devices().values().flat_map(|device| {
        let prefixes = device.prefixes.iter().map(|prefix| prefix.net);
        prefixes.chain([NetworkV4::host(device.public_ip)])
    });
    let interfaces = view.interfaces().values().filter_map(|found| Some(NetworkV4::host(found.address?.ip)));
    let blocks =
        view.contributors().values().flat_map(|it| it.blocks.iter().chain(&it.prefixes).copied().collect::<Vec<_>>());
    let mut taken = devices.chain(interfaces).chain(blocks).chain(config.all_blocks().copied());
    !taken.any(|other| other.overlaps(&net))
}
