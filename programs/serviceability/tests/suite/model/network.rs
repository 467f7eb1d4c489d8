//! Steps of operators and of the activator on everything but users, with what the reference says of each.

use dz_sdk::{NetworkView, build, instruction as ix};
use dz_serviceability::{
    ID as P,
    network::NetworkV4,
    pda,
    state::{ConfigNumbers, ContributorStatus, ExchangeStatus, MulticastGroupStatus, PoolKind, TenantStatus},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    Op, Step,
    device::{device, interface, link},
    world::{
        A, ACTORS, BLOCK_KINDS, CONTRIBUTORS, EXCHANGES, F, GROUP_OWNER, GROUPS, OWNER, TENANTS, args, block, free,
        has_client, own_prefix, pick,
    },
};

pub(crate) fn one(actor: usize, instruction: Instruction, legal: bool) -> Option<Step> {
    Some(Step { actor, instructions: vec![instruction], legal })
}

/// Whether the signer owns a contributor or stands above it.
pub(crate) fn owns(view: &NetworkView, contributor: &Pubkey, actor: usize) -> bool {
    actor == F || view.contributor(contributor).is_some_and(|found| found.owner == ACTORS[actor])
}

/// Who usually acts for a contributor.
pub(crate) fn owner_of(view: &NetworkView, contributor: &Pubkey) -> usize {
    let owner = view.contributor(contributor).map(|found| found.owner);
    ACTORS.iter().position(|actor| Some(*actor) == owner).unwrap_or(OWNER)
}

pub(crate) fn step(view: &NetworkView, op: &Op) -> Option<Step> {
    match op.verb {
        0..=11 => config(view, op),
        12..=27 => contributor(view, op),
        28..=33 => exchange(view, op),
        34..=86 => device(view, op),
        87..=112 => interface(view, op),
        113..=136 => link(view, op),
        137..=146 => tenant(view, op),
        147..=158 => group(view, op),
        _ => None,
    }
}

fn config(view: &NetworkView, op: &Op) -> Option<Step> {
    let actor = op.actor(F);
    let (config, key, legal) = (view.config()?, ACTORS[actor], actor == F);
    let target = ACTORS[usize::from(op.b) % 8];
    match op.a % 8 {
        0 => {
            let last = if op.b.is_multiple_of(2) { 103 } else { 104 };
            let kept_blocks = u16::from(op.c.is_multiple_of(4));
            let new = ConfigNumbers { endpoint_loopback_last: last, local_asn: u32::from(op.c), kept_blocks, ..args() };
            let same = last == config.endpoint_loopback_last;
            let legal = legal && op.c > 0 && (same || view.devices().is_empty());
            one(actor, ix::global_config::set_global_config(&P, &key, new), legal)
        }
        // The authorities are put back at once, so that the rest of the history keeps its actors.
        1 => {
            let there = ix::global_config::set_activator(&P, &key, target);
            let back = ix::global_config::set_activator(&P, &key, ACTORS[A]);
            Some(Step { actor, instructions: vec![there, back], legal })
        }
        2 => one(actor, ix::global_config::add_foundation(&P, &key, key), false),
        3 => one(actor, ix::global_config::remove_foundation(&P, &key, target), false),
        4 if op.c.is_multiple_of(2) => {
            let fresh = Pubkey::new_from_array([99; 32]);
            let add = ix::global_config::add_foundation(&P, &key, fresh);
            let remove = ix::global_config::remove_foundation(&P, &key, fresh);
            Some(Step { actor, instructions: vec![add, remove], legal })
        }
        4..=6 => {
            let kind = BLOCK_KINDS[usize::from(op.b) % 5];
            let block = block(kind, op.c);
            let own = |net: &NetworkV4| net.overlaps(&block);
            let registered = view.pools().values().filter(|pool| pool.kind == PoolKind::AddressRegistry);
            let mut registered = registered.flat_map(|pool| pool.taken());
            let is_public = matches!(kind, PoolKind::DoubleZeroBlock | PoolKind::MulticastPublisherBlock);
            let brought = registered.any(|ip| block.contains(&std::net::Ipv4Addr::from(ip)));
            let taken = is_public && (brought || has_client(view, block));
            let legal = legal && !config.all_blocks().any(own) && !taken;
            one(actor, ix::global_config::add_block(&P, &key, kind, block), legal)
        }
        _ => {
            let kind = BLOCK_KINDS[usize::from(op.b) % 5];
            let block = pick(config.blocks(kind)?, op.c)?;
            let owner = pda::config(&P).0;
            let used = view.pool_at(kind, &owner, block.network().into())?.1.used();
            // At most one block of a kind may go, so that the history does not dry up.
            let legal = legal && used == 0;
            (config.blocks(kind)?.len() > 1 || !legal)
                .then(|| one(actor, build::remove_block(view, &key, kind, block), legal))?
        }
    }
}

fn contributor(view: &NetworkView, op: &Op) -> Option<Step> {
    let code = CONTRIBUTORS[usize::from(op.a) % 3];
    let key = pda::contributor(&P, code).0;
    let found = view.contributor(&key);
    let (f, a) = (op.actor(F), op.actor(A));
    if op.b.is_multiple_of(8) || found.is_none() {
        let create = ix::contributor::create_contributor(&P, &ACTORS[f], code, ACTORS[OWNER + usize::from(op.a) % 2]);
        return one(f, create, f == F && found.is_none());
    }
    let found = found?;
    let status = found.status;
    use ContributorStatus::{Activated, Deleting, Suspended};
    match op.b % 8 {
        1 if status != Suspended && op.c.is_multiple_of(2) => {
            one(f, ix::contributor::suspend_contributor(&P, &ACTORS[f], key), f == F && status == Activated)
        }
        1 | 2 if status == Suspended || op.b % 8 == 2 => {
            one(f, ix::contributor::resume_contributor(&P, &ACTORS[f], key), f == F && status == Suspended)
        }
        3 => {
            let c = op.actor(owner_of(view, &key));
            let mine = owns(view, &key, c);
            if op.c.is_multiple_of(2) {
                // Mostly one of its own, else one that may be another's or nobody's.
                let own = pick(&found.prefixes, op.c / 8).filter(|_| !op.c.is_multiple_of(8));
                let net = own.unwrap_or_else(|| own_prefix(op.c / 8));
                let shares = view.devices().values().filter(|device| device.contributor == key);
                let mut shares = shares.flat_map(|device| device.prefixes.clone());
                let shared = shares.any(|share| share.net.overlaps(&net));
                let legal = mine && found.prefixes.contains(&net) && !shared;
                return one(c, build::remove_contributor_prefix(view, &ACTORS[c], key, net), legal);
            }
            let net = own_prefix(op.c / 8);
            let legal = mine && status == Activated && found.prefixes.len() < 16 && free(view, net);
            one(c, ix::contributor::add_contributor_prefix(&P, &ACTORS[c], key, net), legal)
        }
        4 => {
            let granted = op.c / 64;
            one(f, ix::contributor::update_contributor(&P, &ACTORS[f], key, found.owner, granted), f == F)
        }
        5 => {
            let holds = view.devices().values().any(|device| device.contributor == key)
                || view.links().values().any(|link| link.contributor == key);
            let legal = f == F && status != Deleting && !holds && found.prefixes.is_empty();
            one(f, ix::contributor::delete_contributor(&P, &ACTORS[f], key), legal)
        }
        // One that goes away mostly goes on going.
        6 | 7 if status == Deleting || op.b % 16 == 6 => {
            let end = build::close_contributor(view, &ACTORS[a], key).ok()?;
            // Often only the last step, which is right only when there are no blocks to give back.
            if op.c.is_multiple_of(2) {
                let close = end.last()?.clone();
                return one(a, close, a == A && status == Deleting && found.blocks.is_empty());
            }
            let legal = a == A && status == Deleting;
            Some(Step { actor: a, instructions: end, legal })
        }
        _ => {
            let double_zero = pick(&view.config()?.double_zero_blocks, op.c)?;
            let count = 1u32 << (24 - double_zero.prefix_len());
            let first = u32::from(double_zero.network()) + 256 * (u32::from(op.c / 2) % (count + 1));
            let block = NetworkV4::new(first.into(), 24)?;
            let taken = view.contributors().values().flat_map(|other| &other.blocks).any(|other| *other == block);
            let given = view.contributors().values().flat_map(|other| &other.blocks);
            let given = given.filter(|other| double_zero.contains(&***other)).count() as u32;
            let granted = found.blocks.len() < usize::from(found.granted_blocks);
            let spare = granted || count - given > u32::from(view.config()?.kept_blocks);
            let legal = a == A && status == Activated && double_zero.contains(&*block) && !taken && spare;
            let allocate = ix::contributor::allocate_contributor_block(&P, &ACTORS[a], key, double_zero, block);
            one(a, allocate, legal)
        }
    }
}

fn exchange(view: &NetworkView, op: &Op) -> Option<Step> {
    let code = EXCHANGES[usize::from(op.a) % 2];
    let key = pda::exchange(&P, code).0;
    let actor = op.actor(F);
    let (signer, legal) = (ACTORS[actor], actor == F);
    let Some(found) = view.exchange(&key) else {
        return one(actor, ix::exchange::create_exchange(&P, &signer, code, "name", 1, 2), legal);
    };
    match op.b % 8 {
        0 => one(actor, ix::exchange::create_exchange(&P, &signer, code, "name", 1, 2), false),
        1 => {
            let latitude = i32::from(op.c) * 1_000_000;
            one(actor, ix::exchange::update_exchange(&P, &signer, key, "other", latitude, 0), legal && op.c <= 90)
        }
        2 => {
            let legal = legal && found.status == ExchangeStatus::Activated;
            one(actor, ix::exchange::suspend_exchange(&P, &signer, key), legal)
        }
        3..=5 => {
            let legal = legal && found.status == ExchangeStatus::Suspended;
            one(actor, ix::exchange::resume_exchange(&P, &signer, key), legal)
        }
        _ => {
            let stands = view.devices().values().any(|device| device.exchange == key);
            one(actor, build::delete_exchange(view, &signer, key), legal && !stands)
        }
    }
}

fn tenant(view: &NetworkView, op: &Op) -> Option<Step> {
    let code = TENANTS[usize::from(op.a) % 3];
    let key = pda::tenant(&P, code).0;
    let (f, a) = (op.actor(F), op.actor(A));
    let administrators = vec![ACTORS[GROUP_OWNER]];
    let Some(found) = view.tenant(&key).filter(|_| op.b % 16 != 15) else {
        let legal = f == F && view.tenant(&key).is_none();
        return one(f, ix::tenant::create_tenant(&P, &ACTORS[f], code, administrators), legal);
    };
    let status = found.status;
    match op.b % 16 {
        0 => {
            let legal = f == F && status != TenantStatus::Deleting;
            one(f, ix::tenant::update_tenant(&P, &ACTORS[f], key, administrators), legal)
        }
        1..=9 => {
            let id = u16::from(op.c % 5);
            let taken = view.tenants().values().any(|other| other.vrf_id == Some(id));
            let legal = a == A && status == TenantStatus::Pending && id > 1 && !taken;
            one(a, ix::tenant::activate_tenant(&P, &ACTORS[a], key, id), legal)
        }
        10 | 11 => {
            let named = view.access_passes().values().any(|pass| pass.tenants.contains(&key));
            let inside = view.users().values().any(|user| user.is_live() && user.tenant == Some(key));
            let legal = f == F && status != TenantStatus::Deleting && !named && !inside;
            one(f, ix::tenant::delete_tenant(&P, &ACTORS[f], key), legal)
        }
        _ => {
            let legal = a == A && status == TenantStatus::Deleting;
            one(a, build::close_tenant(view, &ACTORS[a], key), legal)
        }
    }
}

fn group(view: &NetworkView, op: &Op) -> Option<Step> {
    let code = GROUPS[usize::from(op.a) % 3];
    let key = pda::multicast_group(&P, code).0;
    let (f, a, g) = (op.actor(F), op.actor(A), op.actor(GROUP_OWNER));
    let Some(found) = view.group(&key).filter(|_| op.b % 16 != 15) else {
        let legal = f == F && view.group(&key).is_none();
        let create = ix::multicast_group::create_multicast_group;
        return one(f, create(&P, &ACTORS[f], code, ACTORS[GROUP_OWNER], 1000), legal);
    };
    let status = found.status;
    let mine = g == F || ACTORS[g] == found.owner;
    match op.b % 16 {
        0 => {
            let bandwidth = u64::from(op.c % 4);
            let legal = mine && bandwidth > 0;
            let update = ix::multicast_group::update_multicast_group;
            one(g, update(&P, &ACTORS[g], key, found.owner, bandwidth), legal)
        }
        1..=9 => {
            let block = pick(&view.config()?.multicast_group_blocks, op.c)?;
            let ip = std::net::Ipv4Addr::from(u32::from(block.network()) + u32::from(op.c / 2 % 3));
            let taken = view.groups().values().any(|other| other.address.is_some_and(|other| other.ip == ip));
            let legal = a == A && status == MulticastGroupStatus::Pending && !taken && block.contains(&ip);
            one(a, build::activate_multicast_group(view, &ACTORS[a], key, ip).ok()?, legal)
        }
        10 | 11 => {
            let role = view.users().values().any(|u| u.publishers.contains(&key) || u.subscribers.contains(&key));
            let named = view.access_passes().values().any(|p| p.publish.contains(&key) || p.subscribe.contains(&key));
            let legal = mine && status != MulticastGroupStatus::Deleting && !role && !named;
            one(g, ix::multicast_group::delete_multicast_group(&P, &ACTORS[g], key), legal)
        }
        _ => {
            let legal = a == A && status == MulticastGroupStatus::Deleting;
            one(a, build::close_multicast_group(view, &ACTORS[a], key).ok()?, legal)
        }
    }
}
