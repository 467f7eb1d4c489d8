//! The limit of a device that bites first, in the words of an operator.

use dz_sdk::{
    NetworkView,
    program::state::{Bootstrap, Device, DeviceStatus, Pool, PoolKind},
};
use solana_pubkey::Pubkey;

/// What a device runs out of first, with how much of it is left; for one that waits for a prefix, why there is none.
pub(super) fn first(view: &NetworkView, key: &Pubkey, device: &Device) -> String {
    if device.status == DeviceStatus::Pending && device.prefixes.is_empty() {
        return match device.bootstrap {
            Bootstrap::Carve { prefix_len } | Bootstrap::CarveBlock { prefix_len } => space(view, device, prefix_len),
            Bootstrap::OwnPrefix => "waits for `prefix add`".to_owned(),
            Bootstrap::OwnEndpoints => "waits for `interface create`".to_owned(),
        };
    }
    let taken = device.counts.users() + u32::from(device.caps.reserved_seats);
    let seats = ("seats", u32::from(device.caps.max_users).saturating_sub(taken));
    let of_device = |kind| (kind, Some(*key));
    let pools = [
        ("tunnel ids", of_device(PoolKind::TunnelIds)),
        ("addresses", of_device(PoolKind::DevicePrefix)),
        ("tunnel networks", (PoolKind::UserTunnelBlock, None)),
    ];
    let free = |(kind, owner): (PoolKind, Option<Pubkey>)| -> u32 {
        let pools = view.pools().values();
        let counted = pools.filter(|pool| pool.kind == kind && owner.is_none_or(|owner| pool.owner == owner));
        counted.map(|pool: &Pool| pool.capacity() - pool.used()).sum()
    };
    let pools = pools.into_iter().map(|(what, pool)| (what, free(pool)));
    let (what, left) = std::iter::once(seats).chain(pools).min_by_key(|(_, left)| *left).unwrap_or(seats);
    format!("{what}: {left} left")
}

/// Why there is no prefix of this length for a device, or that the activator has yet to carve it.
fn space(view: &NetworkView, device: &Device, prefix_len: u8) -> String {
    let (Some(contributor), Some(config)) = (view.contributor(&device.contributor), view.config()) else {
        return "its contributor is not on the chain".to_owned();
    };
    let addresses = 1u32 << (32 - u32::from(prefix_len.clamp(1, 32)));
    let mut full = Vec::new();
    let own = if matches!(device.bootstrap, Bootstrap::Carve { .. }) { contributor.prefixes.as_slice() } else { &[] };
    let spaces = own.iter().map(|net| (PoolKind::ContributorPrefix, net));
    let blocks = contributor.blocks.iter().map(|net| (PoolKind::ContributorBlock, net));
    for (kind, net) in spaces.chain(blocks) {
        let Some((_, pool)) = view.pool_at(kind, &device.contributor, net.network().into()) else { continue };
        if addresses >= pool.unit && pool.lowest_free(addresses / pool.unit).is_ok() {
            return "waits for the activator".to_owned();
        }
        full.push(format!("{net} ({} of {} in use)", pool.used(), pool.capacity()));
    }
    // Smaller shares than /29 are of the own space only.
    let kept = u32::from(config.kept_blocks);
    let granted = contributor.blocks.len() < usize::from(contributor.granted_blocks);
    let blocks = view.pools().values().filter(|pool| pool.kind == PoolKind::DoubleZeroBlock);
    let free = |pool: &Pool| pool.capacity() - pool.used() > if granted { 0 } else { kept };
    if prefix_len <= 29 {
        let blocks: Vec<_> = blocks.collect();
        if blocks.iter().any(|pool| free(pool)) {
            return "waits for the activator".to_owned();
        }
        let words = if kept > 0 && !granted { "kept for edge filtering" } else { "in use" };
        full.push(format!("the DoubleZero blocks ({words})"));
    }
    format!("no /{prefix_len} left of {}", full.join(", "))
}
