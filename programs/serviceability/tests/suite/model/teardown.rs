//! The end of a history: everything that can be deleted is, and each payer is paid back.

use std::collections::BTreeMap;

use dz_sdk::{NetworkView, build, instruction as ix, local::LocalBank};
use dz_serviceability::{
    ID as P, pda,
    state::{ContributorStatus, DeviceStatus, LinkStatus, MulticastGroupStatus, PoolKind, TenantStatus, UserStatus},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    wealth,
    world::{A, ACTORS, F},
};

/// Deletes everything but the config, as the foundation and the activator, and compares what each key then has with what
/// it owned at first.
pub(crate) fn tear_down(mut bank: LocalBank, owned: &BTreeMap<Pubkey, u64>) -> Result<(), String> {
    let mut view = bank.view().map_err(|error| error.to_string())?;
    let mut last = vec![];
    while let Some((actor, instructions)) = next(&view)? {
        if instructions == last {
            return Err(format!("it is still there: {instructions:?}"));
        }
        for one in &instructions {
            let sent = bank.execute(&[ACTORS[actor]], std::slice::from_ref(one));
            sent.map_err(|error| format!("it cannot be deleted: {error} of {instructions:?}"))?;
        }
        bank.refresh(&mut view).map_err(|error| error.to_string())?;
        last = instructions;
    }
    let config = pda::config(&P).0;
    let stays = [config, ix::vrf_ids(&P)];
    for (key, record) in bank.accounts() {
        if record.owner == P && !stays.contains(key) {
            return Err(format!("{key} is left over: {:?}", view.pool(key)));
        }
    }
    let end = wealth(&bank);
    for actor in ACTORS {
        let has = bank.accounts().get(&actor).map_or(0, |record| record.lamports);
        // The config and its ids cannot go; they are the foundation's.
        let bound: u64 = match actor == ACTORS[F] {
            true => stays.iter().filter_map(|key| bank.accounts().get(key)).map(|record| record.lamports).sum(),
            false => 0,
        };
        if has + bound != owned[&actor] || end[&actor] != owned[&actor] {
            return Err(format!("{actor} owned {} and has {has} when everything is deleted", owned[&actor]));
        }
    }
    Ok(())
}

/// Who does what next; nothing when nothing is left.
fn next(view: &NetworkView) -> Result<Option<(usize, Vec<Instruction>)>, String> {
    let (f, a) = (&ACTORS[F], &ACTORS[A]);
    let said = |error: build::BuildError| error.to_string();
    let by = |actor, instructions| Ok(Some((actor, instructions)));
    if let Some((key, user)) = view.users().iter().next() {
        return match user.status {
            UserStatus::Deleting => by(A, build::close_user(view, a, *key).map_err(said)?),
            UserStatus::PendingBan => by(A, build::finish_ban(view, a, *key).map_err(said)?),
            _ => by(F, vec![build::delete_user(view, f, *key).map_err(said)?]),
        };
    }
    if let Some((key, link)) = view.links().iter().next() {
        return match link.status {
            LinkStatus::Deleting => by(A, vec![build::close_link(view, a, *key).map_err(said)?]),
            LinkStatus::Activated => {
                by(F, vec![build::set_link_status(view, f, *key, LinkStatus::HardDrained).map_err(said)?])
            }
            _ => by(F, vec![build::delete_link(view, f, *key).map_err(said)?]),
        };
    }
    if let Some((key, device)) = view.devices().iter().next() {
        return match device.status {
            DeviceStatus::Deleting => by(A, build::close_device(view, a, *key).map_err(said)?),
            _ => by(F, vec![build::delete_device(view, f, *key).map_err(said)?]),
        };
    }
    if let Some((key, contributor)) = view.contributors().iter().next() {
        return match contributor.status {
            ContributorStatus::Deleting => by(A, build::close_contributor(view, a, *key).map_err(said)?),
            _ => by(
                F,
                match contributor.prefixes.first() {
                    Some(net) => vec![build::remove_contributor_prefix(view, f, *key, *net)],
                    None => vec![ix::contributor::delete_contributor(&P, f, *key)],
                },
            ),
        };
    }
    if let Some(key) = view.exchanges().keys().next() {
        return by(F, vec![build::delete_exchange(view, f, *key)]);
    }
    if let Some(key) = view.access_passes().keys().next() {
        return by(F, build::close_access_pass(view, f, *key).map_err(said)?);
    }
    if let Some((key, tenant)) = view.tenants().iter().next() {
        return match tenant.status {
            TenantStatus::Deleting => by(A, vec![build::close_tenant(view, a, *key)]),
            _ => by(F, vec![ix::tenant::delete_tenant(&P, f, *key)]),
        };
    }
    if let Some((key, group)) = view.groups().iter().next() {
        return match group.status {
            MulticastGroupStatus::Deleting => by(A, vec![build::close_multicast_group(view, a, *key).map_err(said)?]),
            _ => by(F, vec![ix::multicast_group::delete_multicast_group(&P, f, *key)]),
        };
    }
    let config = view.config().ok_or("the config has gone")?;
    let kinds = [
        PoolKind::DoubleZeroBlock,
        PoolKind::UserTunnelBlock,
        PoolKind::DeviceTunnelBlock,
        PoolKind::MulticastGroupBlock,
        PoolKind::MulticastPublisherBlock,
    ];
    for kind in kinds {
        if let Some(block) = config.blocks(kind).and_then(|blocks| blocks.first()) {
            return by(F, vec![build::remove_block(view, f, kind, *block)]);
        }
    }
    Ok(None)
}
