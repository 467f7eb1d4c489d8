//! Steps on devices, interfaces and links, with what the reference says of each.

use dz_sdk::{NetworkView, build, instruction as ix, instruction::link::LinkNumbers};
use dz_serviceability::{
    ID as P,
    instruction::CreateDeviceArgs,
    network::NetworkV4,
    pda,
    state::{
        AccountType, Bootstrap, ContributorStatus, Cyoa, DeviceCaps, DeviceStatus, DeviceType, EndpointService,
        ExchangeStatus, InterfaceKind, InterfaceMetadata, InterfaceStatus, Link, LinkDrain, LinkEnd, LinkStatus,
        PoolKind, PrefixSource,
    },
};
use solana_pubkey::Pubkey;

use super::{
    Op, Step,
    network::{one, owner_of, owns},
    world::{
        A, ACTORS, CONTRIBUTORS, DEVICES, EXCHANGES, F, INTERFACES, LINKS, endpoint_ip, free, has_client, own_prefix,
        pick, pick_of, public_ip,
    },
};

pub(crate) fn device(view: &NetworkView, op: &Op) -> Option<Step> {
    let code = DEVICES[usize::from(op.a) % 4];
    let key = pda::device(&P, code).0;
    let a = op.actor(A);
    let Some(found) = view.device(&key) else { return create_device(view, op, code) };
    let contributor = found.contributor;
    let c = op.actor(owner_of(view, &contributor));
    let mine = owns(view, &contributor, c);
    let (status, alive) = (found.status, found.status != DeviceStatus::Deleting);
    let active = view.contributor(&contributor)?.status == ContributorStatus::Activated;
    let signer = ACTORS[c];
    match op.b % 32 {
        0 => create_device(view, op, code),
        1 => {
            let device_type = [DeviceType::Hybrid, DeviceType::Edge, DeviceType::Transit][usize::from(op.c) % 3];
            let caps = caps(op.c);
            let legal = mine && alive && active && (device_type != DeviceType::Transit || found.counts.users() == 0);
            let wanted = found.endpoints_wanted;
            one(c, build::update_device(view, &signer, key, device_type, caps, wanted).ok()?, legal)
        }
        2 | 3 => {
            let ip = public_ip(op.c);
            let stands = view.interfaces_of_device(&key).any(|(_, found)| {
                found.address.is_some_and(|address| address.source == dz_serviceability::state::AddressSource::PublicIp)
            });
            let net = NetworkV4::host(ip);
            let legal = mine && alive && active && !stands && free(view, net) && !has_client(view, net);
            one(c, build::set_device_public_ip(view, &signer, key, ip).ok()?, legal)
        }
        4..=7 => {
            let net = own_prefix(op.c);
            let legal = mine && alive && active && found.prefixes.len() < 8 && free(view, net);
            one(c, build::add_device_prefix(view, &signer, key, net).ok()?, legal)
        }
        8 => {
            let prefix = pick(&found.prefixes, op.c)?;
            let used = view.pool_at(PoolKind::DevicePrefix, &key, prefix.net.network().into())?.1.used();
            let may = if alive { mine } else { c == A };
            one(c, build::remove_device_prefix(view, &signer, key, prefix.net).ok()?, may && used == 0)
        }
        9..=12 => carve(view, op, a, key),
        13..=20 => pull(view, op, a, key),
        21..=24 => {
            let ready = found.device_type == DeviceType::Transit
                || match found.bootstrap {
                    Bootstrap::OwnEndpoints => !view.endpoints(&key).is_empty(),
                    Bootstrap::Carve { .. } | Bootstrap::CarveBlock { .. } | Bootstrap::OwnPrefix => {
                        let pulled = view.interfaces_of_device(&key).filter(|(_, found)| is_pulled(found)).count();
                        !found.prefixes.is_empty() && pulled >= usize::from(found.endpoints_wanted)
                    }
                };
            let legal = a == A && status == DeviceStatus::Pending && ready;
            one(a, ix::device::activate_device(&P, &ACTORS[a], key), legal)
        }
        25 => one(c, build::drain_device(view, &signer, key).ok()?, mine && status == DeviceStatus::Activated),
        26..=28 => {
            let legal = mine && active && status == DeviceStatus::Drained;
            one(c, build::undrain_device(view, &signer, key).ok()?, legal)
        }
        29 => {
            let users = view.users_of_device(&key).any(|(_, user)| user.is_live());
            let ends = view.interfaces_of_device(&key).any(|(_, found)| found.link.is_some());
            one(c, build::delete_device(view, &signer, key).ok()?, mine && alive && !users && !ends)
        }
        30 if op.c.is_multiple_of(2) => {
            let empty = view.interfaces_of_device(&key).next().is_none() && found.prefixes.is_empty();
            one(a, build::close_device_account(view, &ACTORS[a], key).ok()?, a == A && !alive && empty)
        }
        _ => {
            let instructions = build::close_device(view, &ACTORS[a], key).ok()?;
            let held = view.interfaces_of_device(&key).any(|(_, found)| found.user_count > 0 || found.link.is_some());
            Some(Step { actor: a, instructions, legal: a == A && !alive && !held })
        }
    }
}

fn caps(number: u8) -> DeviceCaps {
    let cap = |shift: u8| u16::from(number >> shift) % 4;
    DeviceCaps {
        max_users: u16::from(number % 8),
        max_unicast_users: cap(2),
        max_multicast_subscribers: cap(3),
        max_multicast_publishers: cap(5),
        reserved_seats: u16::from(number.is_multiple_of(16)),
        reserved_unicast: u16::from(number % 32 == 5),
        reserved_multicast: u16::from(number % 32 == 6) * 2,
    }
}

fn create_device(view: &NetworkView, op: &Op, code: &str) -> Option<Step> {
    let contributor = pda::contributor(&P, CONTRIBUTORS[usize::from(op.c) % 2]).0;
    let exchange = pda::exchange(&P, EXCHANGES[usize::from(op.c / 2) % 2]).0;
    let actor = op.actor(owner_of(view, &contributor));
    let bootstrap = match op.b % 4 {
        0 => Bootstrap::OwnEndpoints,
        1 => Bootstrap::OwnPrefix,
        2 => Bootstrap::CarveBlock { prefix_len: 28 + op.c % 3 },
        _ => Bootstrap::Carve { prefix_len: 28 + op.c % 5 },
    };
    let endpoints_wanted = op.c.is_multiple_of(4).then_some(op.c / 4 % 8);
    let args = CreateDeviceArgs {
        code: code.to_owned(),
        device_type: DeviceType::Hybrid,
        public_ip: public_ip(op.c),
        bootstrap,
        endpoints_wanted,
        tunnel_slots: u16::from(op.c % 5),
        caps: DeviceCaps { max_users: 6, ..DeviceCaps::default() },
    };
    let most = match bootstrap {
        Bootstrap::OwnEndpoints => 0,
        Bootstrap::OwnPrefix | Bootstrap::Carve { .. } | Bootstrap::CarveBlock { .. } => {
            let config = view.config()?;
            let loopbacks = config.endpoint_loopback_last - config.endpoint_loopback_first + 1;
            let addresses = bootstrap.carved_len().map_or(u16::MAX, |len| (1u16 << (32 - len)) - 1);
            loopbacks.min(addresses)
        }
    };
    let default = if bootstrap == Bootstrap::OwnEndpoints { 0 } else { view.config()?.endpoints_per_device };
    let wanted = endpoints_wanted.unwrap_or(default);
    // Shares of own space may be smaller than what is given.
    let shares = view.contributor(&contributor).is_some_and(|found| !found.prefixes.is_empty());
    let longest = match bootstrap {
        Bootstrap::Carve { .. } if shares => 31,
        _ => 29,
    };
    let legal = owns(view, &contributor, actor)
        && view.contributor(&contributor).is_some_and(|found| found.status == ContributorStatus::Activated)
        && view.exchange(&exchange).is_some_and(|found| found.status == ExchangeStatus::Activated)
        && view.device_by_code(code).is_none()
        && args.tunnel_slots > 0
        && u16::from(wanted) <= most
        && bootstrap.carved_len().is_none_or(|len| len <= longest)
        && free(view, NetworkV4::host(args.public_ip))
        && !has_client(view, NetworkV4::host(args.public_ip));
    one(actor, build::create_device(view, &ACTORS[actor], contributor, exchange, args).ok()?, legal)
}

fn carve(view: &NetworkView, op: &Op, actor: usize, key: Pubkey) -> Option<Step> {
    let device = view.device(&key)?;
    let Some(prefix_len) = device.bootstrap.carved_len() else {
        let net = NetworkV4::new([45, 33, 0, 0].into(), 29)?;
        return one(actor, build::carve_device_prefix(view, &ACTORS[actor], key, net).ok()?, false);
    };
    let contributor = view.contributor(&device.contributor)?;
    let own = pick(&contributor.prefixes, op.c).filter(|_| op.c.is_multiple_of(3));
    let block = own.or_else(|| pick(&contributor.blocks, op.c))?;
    let len = if op.c % 8 == 7 { 29 } else { prefix_len };
    let net = NetworkV4::new((u32::from(block.network()) + (u32::from(op.c) / 2 % 6) * (1 << (32 - len))).into(), len)?;
    let kind = if own.is_some() { PoolKind::ContributorPrefix } else { PoolKind::ContributorBlock };
    let pool = pda::pool(&P, kind, &device.contributor, block.network().into()).0;
    let from = |source| matches!(source, PrefixSource::Carved { pool: other } if other == pool);
    let carved = view.devices().values().flat_map(|other| other.prefixes.clone());
    let mut carved = carved.filter(|prefix| from(prefix.source));
    let legal = actor == A
        && device.status != DeviceStatus::Deleting
        && len == prefix_len
        && block.contains(&*net)
        && if own.is_some() { matches!(device.bootstrap, Bootstrap::Carve { .. }) } else { len <= 29 }
        && device.prefixes.len() < 8
        && device.prefixes.iter().all(|prefix| prefix.source == PrefixSource::Own)
        && !carved.any(|prefix| prefix.net.overlaps(&net));
    one(actor, build::carve_device_prefix(view, &ACTORS[actor], key, net).ok()?, legal)
}

fn is_pulled(interface: &dz_serviceability::state::Interface) -> bool {
    let source = interface.address.map(|address| address.source);
    matches!(source, Some(dz_serviceability::state::AddressSource::Pulled { .. }))
}

fn pull(view: &NetworkView, op: &Op, actor: usize, key: Pubkey) -> Option<Step> {
    let device = view.device(&key)?;
    let prefix = pick(&device.prefixes, op.c)?.net;
    let index = u32::from(op.c) % 8;
    let ip = prefix.address(index)?;
    let number = 99 + u16::from(op.c) / 8 % 6;
    let held_by_interface = view.interface_by_address(ip).is_some();
    let held_by_user = view
        .users()
        .values()
        .any(|user| user.allocation.is_some_and(|held| held.dz_ip == ip && held.dz_ip_pool.is_some()));
    let numbers = view.interfaces_of_device(&key).filter_map(|(_, found)| found.loopback_number);
    let pulled = view.interfaces_of_device(&key).filter(|(_, found)| is_pulled(found)).count();
    let config = view.config()?;
    // A loopback of this name may be there from a time when the number was not in the range.
    let name = pda::interface(&P, &key, &format!("Loopback{number}")).0;
    let legal = actor == A
        && device.status != DeviceStatus::Deleting
        && pulled < usize::from(device.endpoints_wanted)
        && (config.endpoint_loopback_first..=config.endpoint_loopback_last).contains(&number)
        && index > 0
        && !held_by_interface
        && !held_by_user
        && !has_client(view, NetworkV4::host(ip))
        && view.interface(&name).is_none()
        && !numbers.into_iter().any(|taken| taken == number);
    one(actor, build::pull_endpoint(view, &ACTORS[actor], key, ip, number).ok()?, legal)
}

pub(crate) fn interface(view: &NetworkView, op: &Op) -> Option<Step> {
    let (a, name) = (op.actor(A), INTERFACES[usize::from(op.b) % 6]);
    if op.verb.is_multiple_of(2) {
        let (device_key, device) = pick_of(view.devices(), op.a)?;
        let contributor = view.contributor(&device.contributor)?;
        let actor = op.actor(owner_of(view, &device.contributor));
        let ip = match op.c % 4 {
            0 => None,
            1 => Some(device.public_ip),
            _ => Some(endpoint_ip(op.c / 4)),
        };
        let endpoint = op.c % 8 != 2 && (ip.is_some() || op.c > 200);
        let address = match ip {
            None => !endpoint,
            Some(ip) if ip == device.public_ip => device.public_ip_interface.is_none(),
            Some(ip) => free(view, NetworkV4::host(ip)) && !has_client(view, NetworkV4::host(ip)),
        };
        let legal = owns(view, &device.contributor, actor)
            && contributor.status == ContributorStatus::Activated
            && device.status != DeviceStatus::Deleting
            && address
            && view.interface(&pda::interface(&P, &device_key, name).0).is_none();
        let create = build::create_interface(view, &ACTORS[actor], device_key, name, ip, endpoint).ok()?;
        return one(actor, create, legal);
    }
    let (key, found) = pick_of(view.interfaces(), op.a)?;
    let device = view.device(&found.device)?;
    let alive = device.status != DeviceStatus::Deleting;
    match op.c % 8 {
        0..=4 => {
            let legal = a == A && alive && found.status == InterfaceStatus::Pending;
            one(a, build::activate_interface(view, &ACTORS[a], key).ok()?, legal)
        }
        5 => {
            let actor = op.actor(owner_of(view, &device.contributor));
            let users = view.users().values().any(|user| user.interface == key && user.is_live());
            let legal = (owns(view, &device.contributor, actor) || (!alive && actor == A))
                && found.status != InterfaceStatus::Deleting
                && !users
                && found.link.is_none();
            one(actor, build::delete_interface(view, &ACTORS[actor], key).ok()?, legal)
        }
        6 if op.b.is_multiple_of(2) => {
            let actor = op.actor(owner_of(view, &device.contributor));
            let service =
                [EndpointService::Any, EndpointService::Unicast, EndpointService::Multicast][usize::from(op.b / 2 % 3)];
            let cyoa = if op.b.is_multiple_of(8) { Cyoa::GreOverDia } else { Cyoa::None };
            let (bandwidth, vlan_id) = (u64::from(op.c / 64), u16::from(op.c / 8) * 200);
            let mtu = if cyoa == Cyoa::None { 9000 } else { 1500 };
            let metadata = InterfaceMetadata { bandwidth, mtu, vlan_id, cyoa };
            let legal = owns(view, &device.contributor, actor)
                && alive
                && found.status != InterfaceStatus::Deleting
                && (service == EndpointService::Any || found.user_tunnel_endpoint)
                && vlan_id <= 4094
                && (cyoa == Cyoa::None || (bandwidth > 0 && found.kind == InterfaceKind::Physical));
            one(actor, build::update_interface(view, &ACTORS[actor], key, service, metadata).ok()?, legal)
        }
        _ => {
            let legal = a == A && found.status == InterfaceStatus::Deleting;
            one(a, build::close_interface(view, &ACTORS[a], key).ok()?, legal)
        }
    }
}

pub(crate) fn link(view: &NetworkView, op: &Op) -> Option<Step> {
    let code = LINKS[usize::from(op.a) % 3];
    let key = pda::link(&P, code).0;
    let a = op.actor(A);
    let Some(found) = view.link(&key).filter(|_| op.b % 16 != 15) else { return create_link(view, op, code) };
    let c = op.actor(owner_of(view, &found.contributor));
    let z = view.device(&found.side_z.device).map(|device| device.contributor);
    // Either side.
    let c = if op.a >= 192 { z.map_or(c, |z| op.actor(owner_of(view, &z))) } else { c };
    let mine = owns(view, &found.contributor, c);
    let may = mine || z.is_some_and(|z| owns(view, &z, c));
    let status = found.status;
    let live = matches!(status, LinkStatus::Activated | LinkStatus::SoftDrained | LinkStatus::HardDrained);
    match op.b % 16 {
        0..=2 => {
            let side = found.side_z;
            let z = view.device(&side.device)?.contributor;
            let actor = op.actor(owner_of(view, &z));
            let legal = owns(view, &z, actor)
                && status == LinkStatus::Requested
                && view.contributor(&z)?.status == ContributorStatus::Activated
                && usable(view, side);
            one(actor, build::accept_link(view, &ACTORS[actor], key).ok()?, legal)
        }
        3..=6 => {
            let block = pick(&view.config()?.device_tunnel_blocks, op.c)?;
            let net = NetworkV4::new((u32::from(block.network()) + u32::from(op.c / 2 % 2) * 2).into(), 31)?;
            let taken = view.links().values().any(|other| other.network.is_some_and(|other| other.net == net));
            let ends = [found.side_a.interface, found.side_z.interface];
            let up = |key: &Pubkey| view.interface(key).is_some_and(|end| end.status == InterfaceStatus::Activated);
            let legal =
                a == A && status == LinkStatus::Pending && !taken && block.contains(&*net) && ends.iter().all(up);
            one(a, build::activate_link(view, &ACTORS[a], key, net).ok()?, legal)
        }
        7 => {
            let delay = u64::from(op.c) * 1000;
            let active = view.contributor(&found.contributor)?.status == ContributorStatus::Activated;
            let legal = mine && active && status != LinkStatus::Deleting && delay >= 10_000;
            one(c, build::update_link(view, &ACTORS[c], key, delay, 10_000_000_000).ok()?, legal)
        }
        8..=11 => {
            let wanted =
                [LinkStatus::Activated, LinkStatus::SoftDrained, LinkStatus::HardDrained, LinkStatus::Deleting]
                    [usize::from(op.c) % 4];
            let legal = may && live && wanted != LinkStatus::Deleting && may_set(view, found, c, wanted);
            one(c, build::set_link_status(view, &ACTORS[c], key, wanted).ok()?, legal)
        }
        12 => {
            let legal = may && !matches!(status, LinkStatus::Activated | LinkStatus::Deleting);
            one(c, build::delete_link(view, &ACTORS[c], key).ok()?, legal)
        }
        _ => one(a, build::close_link(view, &ACTORS[a], key).ok()?, a == A && status == LinkStatus::Deleting),
    }
}

/// Whether who may drain a link may do this: a suspended contributor does not open it.
fn may_set(view: &NetworkView, link: &Link, actor: usize, wanted: LinkStatus) -> bool {
    if actor == F {
        return true;
    }
    let contributor = |end: LinkEnd| view.device(&end.device).map(|device| device.contributor);
    let (Some(a), Some(z)) = (contributor(link.side_a), contributor(link.side_z)) else { return false };
    let owner = |key: &Pubkey| view.contributor(key).is_some_and(|found| found.owner == ACTORS[actor]);
    let side_z = owner(&z) && !owner(&a);
    let level = |status| match status {
        LinkStatus::HardDrained => 2,
        LinkStatus::SoftDrained => 1,
        _ => 0,
    };
    let drained = |drain: LinkDrain| {
        level(match drain {
            LinkDrain::None => LinkStatus::Activated,
            LinkDrain::Soft => LinkStatus::SoftDrained,
            LinkDrain::Hard => LinkStatus::HardDrained,
        })
    };
    let other = if side_z { drained(link.drained_by_a) } else { drained(link.drained_by_z) };
    let after = if a == z { level(wanted) } else { level(wanted).max(other) };
    let acting = view.contributor(if side_z { &z } else { &a });
    after >= level(link.status) || acting.is_some_and(|found| found.status == ContributorStatus::Activated)
}

fn usable(view: &NetworkView, end: LinkEnd) -> bool {
    let interface = view.interface(&end.interface);
    view.device(&end.device).is_some_and(|device| device.status != DeviceStatus::Deleting)
        && interface.is_some_and(|found| {
            found.status != InterfaceStatus::Deleting
                && found.kind == InterfaceKind::Physical
                && found.link.is_none()
                && found.device == end.device
        })
}

fn create_link(view: &NetworkView, op: &Op, code: &str) -> Option<Step> {
    let usual = |kind| kind == InterfaceKind::Physical || op.c.is_multiple_of(8);
    let ports: Vec<_> = view.interfaces().iter().filter(|(_, found)| usual(found.kind)).collect();
    let ((&a_key, a), (&z_key, z)) = (pick(&ports, op.a.wrapping_add(op.b))?, pick(&ports, op.c)?);
    let contributor = view.device(&a.device)?.contributor;
    let actor = op.actor(owner_of(view, &contributor));
    let ends = [LinkEnd { device: a.device, interface: a_key }, LinkEnd { device: z.device, interface: z_key }];
    let legal = owns(view, &contributor, actor)
        && view.contributor(&contributor)?.status == ContributorStatus::Activated
        && a.device != z.device
        && view.by_code(AccountType::Link, code).is_none()
        && ends.into_iter().all(|end| usable(view, end));
    let numbers = LinkNumbers { delay_ns: 1_000_000, bandwidth: 10_000_000_000, mtu: 9000 };
    one(actor, build::create_link(view, &ACTORS[actor], code, a_key, z_key, numbers).ok()?, legal)
}
