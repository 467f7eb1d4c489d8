//! Steps on access passes and users, with what the reference says of each.

use std::net::Ipv4Addr;

use dz_sdk::{
    NetworkView, build,
    instruction::{self as ix, access_pass::PassLimits, user::Grant},
};
use dz_serviceability::{
    ID as P,
    instruction::RoleChange,
    network::NetworkV4,
    pda,
    state::{
        AccessPass, Device, DeviceStatus, DeviceType, MulticastGroupStatus, Roles, TenantStatus, User, UserStatus,
        UserType,
    },
};
use solana_pubkey::Pubkey;

use super::{
    Op, Step,
    network::{owner_of, owns},
    world::{A, ACTORS, F, GROUP_OWNER, PAYER, client_ip, free, has_client, pick, pick_of},
};

const TYPES: [UserType; 6] = [
    UserType::Ibrl,
    UserType::IbrlWithAllocatedIp,
    UserType::Multicast,
    UserType::EdgeFiltering,
    UserType::Multicast,
    UserType::Multicast,
];

fn one(actor: usize, instruction: solana_instruction::Instruction, legal: bool) -> Option<Step> {
    Some(Step { actor, instructions: vec![instruction], legal })
}

fn actor_of(key: &Pubkey) -> usize {
    ACTORS.iter().position(|actor| actor == key).unwrap_or(PAYER)
}

pub(crate) fn step(view: &NetworkView, op: &Op) -> Option<Step> {
    match op.verb {
        159..=184 => pass(view, op),
        185..=209 => create(view, op),
        210..=226 => activate(view, op),
        227..=238 => roles(view, op),
        _ => end(view, op),
    }
}

fn pass(view: &NetworkView, op: &Op) -> Option<Step> {
    let payer = ACTORS[PAYER + usize::from(op.a % 2)];
    let ip = if (op.a / 2).is_multiple_of(4) { Ipv4Addr::UNSPECIFIED } else { client_ip(op.a / 8) };
    // A pass of the foundation's, or now and then one of a tenant's.
    let tenant = pick_of(view.tenants(), op.a).filter(|_| op.c % 4 == 1);
    let giver = tenant.map(|(key, _)| key);
    let key = ix::access_pass::pass_address(&P, ip, &payer, giver);
    let (f, g) = (op.actor(F), op.actor(GROUP_OWNER));
    let administers = |actor: usize| match tenant {
        None => actor == F,
        Some((_, tenant)) => actor == F || tenant.administrators.contains(&ACTORS[actor]),
    };
    let Some(found) = view.access_pass(&key).filter(|_| op.b % 16 < 14) else {
        let actor = if op.c.is_multiple_of(2) { f } else { g };
        let limits = PassLimits {
            last_access_epoch: if op.c % 8 == 7 { 0 } else { u64::MAX },
            max_unicast_users: u16::from(op.c % 3) + 1,
            max_multicast_users: u16::from(op.c / 4 % 3),
        };
        let new = view.access_pass(&key).is_none();
        let can = !new || tenant.is_none_or(|(_, tenant)| tenant.status != TenantStatus::Deleting);
        let set = ix::access_pass::set_access_pass(&P, &ACTORS[actor], ip, payer, limits, giver);
        return one(actor, set, administers(actor) && can);
    };
    match op.b % 16 {
        0..=2 => {
            let (other, t) = pick_of(view.tenants(), op.c / 4)?;
            let allowed = op.c % 8 != 3;
            let adds = allowed && !found.tenants.contains(&other);
            let legal = f == F && giver.is_none() && (!adds || t.status != TenantStatus::Deleting);
            one(f, ix::access_pass::set_pass_tenant(&P, &ACTORS[f], key, other, allowed), legal)
        }
        3..=11 => {
            let (group, of) = pick_of(view.groups(), op.c)?;
            let (publish, subscribe) = (!op.b.is_multiple_of(8), !op.c.is_multiple_of(8));
            let alive = of.status != MulticastGroupStatus::Deleting || !(publish || subscribe);
            // As the group's owner; as who gave the pass, or whose it is, and takes something away.
            let g = if op.b % 16 == 9 { actor_of(&found.payer) } else { g };
            let as_giver = giver.filter(|_| op.b % 4 == 3);
            let takes =
                (!publish || found.publish.contains(&group)) && (!subscribe || found.subscribe.contains(&group));
            let may = if as_giver.is_some() { administers(g) && takes } else { g == F || of.owner == ACTORS[g] };
            let may = may || (as_giver.is_none() && ACTORS[g] == found.payer && takes);
            let set = ix::access_pass::set_pass_group;
            one(g, set(&P, &ACTORS[g], key, group, as_giver, (publish, subscribe)), may && alive)
        }
        _ => {
            let actor = if giver.is_some() { g } else { f };
            let users =
                view.users().values().any(|user| user.access_pass == key && user.status != UserStatus::Rejected);
            let instructions = build::close_access_pass(view, &ACTORS[actor], key).ok()?;
            Some(Step { actor, instructions, legal: administers(actor) && !users })
        }
    }
}

/// Whether the device has a seat of this kind, by recount.
fn seat(view: &NetworkView, key: &Pubkey, device: &Device, user_type: UserType, publisher: bool, new: bool) -> bool {
    let live: Vec<_> = view.users_of_device(key).map(|(_, user)| user).filter(|user| user.is_live()).collect();
    let same = |user: &&&User| {
        user.user_type.is_multicast() == user_type.is_multicast()
            && (!user_type.is_multicast() || user.is_publisher() == publisher)
    };
    let of_kind = live.iter().filter(same).count();
    let caps = &device.caps;
    let cap = match (user_type.is_multicast(), publisher) {
        (false, _) => caps.max_unicast_users,
        (true, true) => caps.max_multicast_publishers,
        (true, false) => caps.max_multicast_subscribers,
    };
    let other = live.iter().filter(|user| user.user_type.is_multicast() != user_type.is_multicast()).count();
    let reserved = if user_type.is_multicast() { caps.reserved_unicast } else { caps.reserved_multicast };
    let kept = usize::from(caps.reserved_seats) + usize::from(reserved).saturating_sub(other);
    let open = device.device_type != DeviceType::Transit && live.len() + kept < usize::from(caps.max_users);
    (!new || open) && of_kind < usize::from(cap)
}

fn wish(view: &NetworkView, op: &Op) -> Vec<(Pubkey, Roles)> {
    let groups: Vec<_> = view.groups().keys().copied().collect();
    let roles = |bits: u8| Roles { publish: bits & 1 != 0, subscribe: bits & 2 != 0 };
    let mut wish = Vec::new();
    for (index, group) in groups.iter().enumerate().take(3) {
        let bits = op.c >> (2 * index);
        if op.b & (1 << (index + 2)) != 0 {
            wish.push((*group, roles(bits)));
        }
    }
    wish
}

fn may_take(view: &NetworkView, pass: &AccessPass, group: &Pubkey, adds: Roles) -> bool {
    let active = view.group(group).is_some_and(|found| found.status == MulticastGroupStatus::Activated);
    (!(adds.publish || adds.subscribe) || active)
        && (!adds.publish || pass.publish.contains(group))
        && (!adds.subscribe || pass.subscribe.contains(group))
}

fn create(view: &NetworkView, op: &Op) -> Option<Step> {
    let endpoints: Vec<_> = view.interfaces().values().filter(|found| found.address.is_some()).collect();
    // Now and then in the place of a rejected one, mostly another payer's.
    let rejected: Vec<_> = view.users().values().filter(|user| user.status == UserStatus::Rejected).collect();
    let old = pick(&rejected, op.a / 2).filter(|_| op.c % 4 == 1);
    let (payer, client, interface) = match old {
        Some(old) => {
            let other = PAYER + usize::from(old.owner == ACTORS[PAYER]);
            let payer = if op.a.is_multiple_of(8) { actor_of(&old.owner) } else { other };
            (payer, old.client_ip, view.interface(&old.interface)?)
        }
        None => (PAYER + usize::from(op.a % 2), client_ip(op.a / 2), pick(&endpoints, op.a / 8)?),
    };
    let actor = op.actor(payer);
    let endpoint = interface.address?.ip;
    let user_type = TYPES[usize::from(op.b % 4)];
    let tenant = pick_of(view.tenants(), op.c)
        .filter(|_| op.c.is_multiple_of(3) && !user_type.is_multicast())
        .map(|(key, _)| key);
    let roles = if user_type.is_multicast() { wish(view, op) } else { vec![] };
    let wanted =
        build::CreateUser { client_ip: client, endpoint_ip: endpoint, user_type, tenant, roles: roles.clone() };
    let instruction = build::create_user(view, &ACTORS[actor], &ACTORS[payer], wanted).ok()?;
    let service = build::Service { user_type, tenant, roles: &roles };
    let (pass_key, pass) = build::find_access_pass(view, client, &ACTORS[payer], service).ok()?;
    let device = view.device(&interface.device)?;

    let of_pass: Vec<_> = view.users().values().filter(|user| user.access_pass == pass_key).collect();
    let count = |multicast| of_pass.iter().filter(|u| u.is_live() && u.user_type.is_multicast() == multicast).count();
    let barred = of_pass.iter().any(|user| matches!(user.status, UserStatus::PendingBan | UserStatus::Banned));
    let publisher = roles.iter().any(|(_, role)| role.publish);
    let kind = if user_type.is_multicast() {
        count(true) < usize::from(pass.max_multicast_users)
            && !roles.is_empty()
            && roles.iter().all(|(group, role)| (role.publish || role.subscribe) && may_take(view, pass, group, *role))
    } else {
        count(false) < usize::from(pass.max_unicast_users)
            && match tenant {
                None => pass.tenants.is_empty(),
                Some(key) => pass.tenants.contains(&key) && view.tenant(&key)?.status == TenantStatus::Activated,
            }
    };
    let legal = (actor == F || actor == payer)
        && may_come(view, pass, client)
        && !barred
        && kind
        && view.user_at(client, endpoint).is_none_or(|(_, user)| user.status == UserStatus::Rejected)
        && device.status == DeviceStatus::Activated
        && interface.endpoint().is_some()
        && interface.service.admits(user_type)
        && seat(view, &interface.device, device, user_type, publisher, true);
    one(actor, instruction, legal)
}

/// Whether users of this pass may come from this address: nothing else has it, no other payer is there, and the
/// foundation has given no one else a pass for it.
fn may_come(view: &NetworkView, pass: &AccessPass, client: Ipv4Addr) -> bool {
    let config = pda::config(&P).0;
    let names = |pass: &AccessPass| pass.client_ip == client && pass.giver == config;
    let live: Vec<_> = view.users_of_client(client).filter(|(_, user)| user.is_live()).collect();
    let net = NetworkV4::host(client);
    let in_block = view.config().is_some_and(|config| config.all_blocks().any(|block| block.overlaps(&net)));
    !in_block
        && (!view.access_passes().values().any(names)
            || view.access_passes().values().any(|other| names(other) && other.payer == pass.payer))
        && live.iter().all(|(_, user)| user.owner == pass.payer)
        && (!live.is_empty() || free(view, net))
}

fn activate(view: &NetworkView, op: &Op) -> Option<Step> {
    let actor = op.actor(A);
    let waiting: Vec<_> =
        view.users().iter().filter(|(_, u)| matches!(u.status, UserStatus::Pending | UserStatus::Updating)).collect();
    let (key, user) = match pick(&waiting, op.a) {
        Some((key, user)) if !op.b.is_multiple_of(16) => (*key, user),
        _ => pick_of(view.users(), op.a)?,
    };
    let config = view.config()?;
    let block = pick(&config.user_tunnel_blocks, op.b)?;
    let first = u32::from(block.network()) + u32::from(op.b / 2 % 8);
    let len = if op.b % 32 == 31 { 32 } else { 31 };
    let mut tunnel_net = NetworkV4::new((first & !1).into(), len)?;
    let mut tunnel_id = 500 + u16::from(op.c % 5);
    if let Some(held) = user.allocation.filter(|_| !op.b.is_multiple_of(8)) {
        (tunnel_net, tunnel_id) = (held.tunnel_net, held.tunnel_id);
    }
    let device = view.device(&user.device)?;
    let nets = |prefixes: Vec<NetworkV4>| pick(&prefixes, op.c).and_then(|net| net.address(u32::from(op.c) / 8 % 9));
    let dz_ip = match user.user_type {
        _ if op.c % 16 == 15 => Ipv4Addr::new(9, 9, 9, 9),
        UserType::IbrlWithAllocatedIp | UserType::EdgeFiltering => {
            nets(device.prefixes.iter().map(|prefix| prefix.net).collect())?
        }
        UserType::Multicast if user.is_publisher() => match user.allocation {
            Some(held) if held.dz_ip_pool.is_some() && !op.c.is_multiple_of(8) => held.dz_ip,
            _ => nets(config.multicast_publisher_blocks.clone())?,
        },
        UserType::Ibrl | UserType::Multicast => user.client_ip,
    };
    let grant = Grant { tunnel_net, tunnel_id, dz_ip };
    let instruction = build::activate_user(view, &ACTORS[actor], key, grant).ok()?;

    let held: Vec<_> = view.users().iter().filter_map(|(key, user)| Some((key, user, user.allocation?))).collect();
    let net_free = !held.iter().any(|(_, _, held)| held.tunnel_net == tunnel_net);
    let id_free = !held.iter().any(|(_, other, held)| other.device == user.device && held.tunnel_id == tunnel_id);
    let pulled = view.interface_by_address(dz_ip).is_some();
    let ip_free = !pulled && !held.iter().any(|(_, _, held)| held.dz_ip == dz_ip && held.dz_ip_pool.is_some());
    let in_prefix = device.prefixes.iter().any(|prefix| prefix.net.contains(&dz_ip) && prefix.net.network() != dz_ip);
    let in_publisher_block = config.multicast_publisher_blocks.iter().any(|block| block.contains(&dz_ip));
    let dz_ip_fits = match user.user_type {
        UserType::EdgeFiltering if !config.double_zero_blocks.iter().any(|block| block.contains(&dz_ip)) => false,
        UserType::IbrlWithAllocatedIp | UserType::EdgeFiltering => {
            in_prefix && ip_free && !has_client(view, NetworkV4::host(dz_ip))
        }
        UserType::Multicast if user.is_publisher() => in_publisher_block && ip_free,
        UserType::Ibrl | UserType::Multicast => dz_ip == user.client_ip,
    };
    let fits = match (user.status, user.allocation) {
        (UserStatus::Pending, _) => {
            len == 31
                && config.user_tunnel_blocks.iter().any(|block| block.contains(&*tunnel_net))
                && net_free
                && id_free
                && (500..500 + device.tunnel_slots).contains(&tunnel_id)
                && dz_ip_fits
        }
        (UserStatus::Updating, Some(own)) => {
            let kept = own.dz_ip_pool.is_some() && user.is_publisher();
            (own.tunnel_net, own.tunnel_id) == (tunnel_net, tunnel_id)
                && if kept { dz_ip == own.dz_ip } else { dz_ip_fits }
        }
        _ => false,
    };
    one(actor, instruction, actor == A && fits)
}

fn roles(view: &NetworkView, op: &Op) -> Option<Step> {
    let multicast: Vec<_> = view.users().iter().filter(|(_, user)| user.user_type.is_multicast()).collect();
    let (key, user) = match pick(&multicast, op.a) {
        Some((key, user)) if !op.c.is_multiple_of(32) => (*key, user),
        _ => pick_of(view.users(), op.a)?,
    };
    let actor = op.actor(if op.b.is_multiple_of(2) { actor_of(&user.owner) } else { A });
    let wish = wish(view, op);
    if wish.is_empty() {
        return None;
    }
    // Some changes name one role only, or none; the other is what it was.
    let (publish, subscribe) = (op.b & 32 == 0, op.b & 64 == 0);
    let change = |role: &Roles| RoleChange {
        publish: publish.then_some(role.publish),
        subscribe: subscribe.then_some(role.subscribe),
    };
    let changes: Vec<_> = wish.iter().map(|(group, role)| (*group, change(role))).collect();
    let pass = view.access_pass(&user.access_pass);
    let tenant = pass.and_then(|pass| build::giving_tenant(&pda::config(&P).0, pass));
    let instruction =
        ix::user::set_user_roles(&P, &ACTORS[actor], user.access_pass, user.device, key, tenant, &changes);
    let after = |(group, role): &(Pubkey, Roles)| {
        let held = Roles { publish: user.publishers.contains(group), subscribe: user.subscribers.contains(group) };
        let publish = if publish { role.publish } else { held.publish };
        (*group, Roles { publish, subscribe: if subscribe { role.subscribe } else { held.subscribe } })
    };
    let wish: Vec<_> = wish.iter().map(after).collect();
    let Some(pass) = view.access_pass(&user.access_pass) else { return one(actor, instruction, false) };
    let Some(device) = view.device(&user.device) else { return one(actor, instruction, false) };

    let adds = |(group, role): &(Pubkey, Roles)| Roles {
        publish: role.publish && !user.publishers.contains(group),
        subscribe: role.subscribe && !user.subscribers.contains(group),
    };
    let strips = wish.iter().all(|entry| adds(entry) == Roles::default());
    use UserStatus::{Activated, Deleting, Pending, PendingBan, Updating};
    let as_activator = actor == A && strips && matches!(user.status, Pending | Updating | Deleting | PendingBan);
    let mine = actor == F || ACTORS[actor] == user.owner;
    let as_payer = mine && matches!(user.status, Activated | Updating);
    let within = wish.iter().all(|entry| may_take(view, pass, &entry.0, adds(entry)));
    let mut publishers = user.publishers.clone();
    for (group, role) in &wish {
        publishers.retain(|other| other != group);
        if role.publish {
            publishers.push(*group);
        }
    }
    let publisher = !publishers.is_empty();
    let moves = publisher != user.is_publisher();
    let room = !moves || seat(view, &user.device, device, UserType::Multicast, publisher, false);
    let legal = user.user_type.is_multicast() && (as_activator || (as_payer && within && room));
    one(actor, instruction, legal)
}

/// A payer takes an address back that it has a pass for. Where there is no pass for the address, the foundation names the other payer
/// first: what comes first by chance, the user or the pass, is nearly always the pass.
fn reclaim(view: &NetworkView, op: &Op, key: Pubkey, user: &User) -> Option<Step> {
    use UserStatus::{Activated, Pending, Updating};
    let open = matches!(user.status, Pending | Activated | Updating);
    let config = pda::config(&P).0;
    let other = if user.owner == ACTORS[PAYER] { PAYER + 1 } else { PAYER };
    let own = pda::access_pass(&P, user.client_ip, &ACTORS[other], &config).0;
    if view.access_pass(&own).is_none() {
        let limits = PassLimits { last_access_epoch: u64::MAX, max_unicast_users: 1, max_multicast_users: 1 };
        let set = ix::access_pass::set_access_pass(&P, &ACTORS[F], user.client_ip, ACTORS[other], limits, None);
        return one(F, set, true);
    }
    let actor = op.actor(other);
    let named = |pass: &AccessPass| pass.client_ip == user.client_ip && pass.giver == config;
    let pass = pda::access_pass(&P, user.client_ip, &ACTORS[actor], &config).0;
    let barred = view.access_pass(&pass).is_some_and(|pass| pass.banned_users > 0);
    let theirs = |pass: &AccessPass| named(pass) && pass.payer == user.owner;
    let legal = open && ACTORS[actor] != user.owner && !view.access_passes().values().any(theirs) && !barred;
    one(actor, build::reclaim_address(view, &ACTORS[actor], key).ok()?, legal)
}

fn end(view: &NetworkView, op: &Op) -> Option<Step> {
    let (key, user) = pick_of(view.users(), op.a)?;
    let a = op.actor(A);
    use UserStatus::{Activated, Banned, Deleting, Pending, PendingBan, Rejected, Updating};
    let status = user.status;
    let open = matches!(status, Pending | Activated | Updating);
    match op.b % 16 {
        0..=2 => {
            let actor = op.actor(if op.c.is_multiple_of(4) { F } else { actor_of(&user.owner) });
            let mine = actor == F || ACTORS[actor] == user.owner;
            let legal = mine && (open || status == Rejected || (status == Banned && actor == F));
            one(actor, build::delete_user(view, &ACTORS[actor], key).ok()?, legal)
        }
        3..=8 => {
            let instructions = build::close_user(view, &ACTORS[a], key).ok()?;
            let instructions =
                if op.c.is_multiple_of(4) { instructions.into_iter().rev().take(1).collect() } else { instructions };
            let bare = user.publishers.is_empty() && user.subscribers.is_empty();
            let legal = a == A && status == Deleting && (bare || instructions.len() > 1);
            Some(Step { actor: a, instructions, legal })
        }
        9 => {
            let actor = op.actor(F);
            one(actor, build::ban_user(view, &ACTORS[actor], key).ok()?, actor == F && open)
        }
        10 | 11 => {
            let instructions = build::finish_ban(view, &ACTORS[a], key).ok()?;
            Some(Step { actor: a, instructions, legal: a == A && status == PendingBan })
        }
        14 => reclaim(view, op, key, user),
        15 => {
            let device = view.device(&user.device)?;
            let actor = op.actor(owner_of(view, &device.contributor));
            let legal = owns(view, &device.contributor, actor) && open && device.status == DeviceStatus::Drained;
            one(actor, build::evict_user(view, &ACTORS[actor], key).ok()?, legal)
        }
        _ => match build::reject_user(view, &ACTORS[a], key, "no room") {
            Ok(instructions) => {
                // An Updating user that was to lose its publisher address keeps it only as a publisher.
                let leaves = status == Updating && user.allocation.is_some_and(|held| held.dz_ip_pool.is_some());
                Some(Step { actor: a, instructions, legal: a == A && !leaves })
            }
            Err(_) => one(a, build::reject_user_alone(view, &ACTORS[a], key, "no room").ok()?, false),
        },
    }
}
