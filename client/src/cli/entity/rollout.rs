//! A new number of endpoints per device for a network that runs: the devices that follow the config are brought to it, one
//! after the other, before the config says so. A command that is stopped half-way goes on where it was when it is given
//! again.
//!
//! A device follows as long as it wants the number that the config has; one that was given another number of its own
//! keeps it.

use dz_sdk::{
    NetworkView, build,
    program::state::{
        AddressSource, Bootstrap, Device, DeviceStatus, DeviceType, Interface, InterfaceStatus, PoolKind,
    },
};
use solana_pubkey::Pubkey;

use super::{Operator, row::row};
use crate::cli::{deadline::ACTIVATOR, error::CommandError};

row! {
    /// What has become of a device.
    RolloutRow {
        device: String => "Device",
        endpoints: u8 => "Endpoints",
        kept: Option<String> => "Kept Because",
    }
}

/// What is to be done to a device.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// Pull what it lacks.
    Grow,
    /// Delete these endpoints, which have no users.
    Shrink(Vec<Pubkey>),
    /// Leave it as it is, and why.
    Keep(String),
}

/// Brings every device that wants `old` endpoints to `new`, except those to be kept. A device that cannot follow is
/// kept, and the row says why.
///
/// # Errors
/// The ledger's, or the deadline: what was done until then stays.
pub(super) async fn endpoints(
    operator: &Operator<'_>,
    old: u8,
    new: u8,
    keep: &[Pubkey],
) -> Result<Vec<RolloutRow>, CommandError> {
    let mut rows = Vec::new();
    if old == new {
        return Ok(rows);
    }
    let first = operator.view().await?;
    let mut devices: Vec<_> = first.devices().iter().filter(|(_, device)| follows(device, old)).collect();
    devices.sort_by(|a, b| a.1.code.cmp(&b.1.code));
    for (key, device) in devices {
        let view = operator.view().await?;
        let turn = if keep.contains(key) { Turn::Keep("asked for".to_owned()) } else { turn(&view, key, new) };
        let (endpoints, kept) = match turn {
            Turn::Keep(reason) => (old, Some(reason)),
            Turn::Grow => (new, step(operator, &view, key, new, &[]).await?),
            Turn::Shrink(surplus) => (new, step(operator, &view, key, new, &surplus).await?),
        };
        let endpoints = if kept.is_some() { old } else { endpoints };
        rows.push(RolloutRow { device: device.code.clone(), endpoints, kept });
    }
    Ok(rows)
}

fn follows(device: &Device, old: u8) -> bool {
    device.endpoints_wanted == old
        && device.bootstrap != Bootstrap::OwnEndpoints
        && device.device_type != DeviceType::Transit
        && device.status != DeviceStatus::Deleting
}

/// What a device needs to have `new` endpoints, and whether it can have them.
fn turn(view: &NetworkView, key: &Pubkey, new: u8) -> Turn {
    let pulled: Vec<(&Pubkey, &Interface)> = view
        .interfaces_of_device(key)
        .filter(|(_, interface)| {
            interface.status != InterfaceStatus::Deleting
                && matches!(interface.address.map(|address| address.source), Some(AddressSource::Pulled { .. }))
        })
        .collect();
    let new = usize::from(new);
    if pulled.len() <= new {
        let pools = view.pools().values().filter(|pool| pool.kind == PoolKind::DevicePrefix && pool.owner == *key);
        let free: u32 = pools.map(|pool| pool.capacity() - pool.used()).sum();
        let lacking = new - pulled.len();
        // A device without a prefix waits for one, and is given its endpoints off that.
        let waits = view.device(key).is_none_or(|device| device.prefixes.is_empty());
        return match free as usize >= lacking || waits {
            true => Turn::Grow,
            false => Turn::Keep(format!("its prefixes have {free} addresses left, and {lacking} are needed")),
        };
    }
    let surplus = pulled.len() - new;
    let mut idle: Vec<_> = pulled.iter().filter(|(_, interface)| interface.user_count == 0).collect();
    if idle.len() < surplus {
        return Turn::Keep(format!("users are on {} of its {} endpoints", pulled.len() - idle.len(), pulled.len()));
    }
    // The last ones go: what is left is what a new device would have.
    idle.sort_by_key(|(_, interface)| std::cmp::Reverse(interface.address.map(|address| address.ip)));
    Turn::Shrink(idle.into_iter().take(surplus).map(|(key, _)| **key).collect())
}

/// Changes one device and waits until it has its endpoints; a reason where the program refused.
async fn step(
    operator: &Operator<'_>,
    view: &NetworkView,
    key: &Pubkey,
    new: u8,
    surplus: &[Pubkey],
) -> Result<Option<String>, CommandError> {
    let Some(device) = view.device(key) else { return Ok(Some("it is gone".to_owned())) };
    let payer = operator.payer();
    let mut instructions = vec![build::update_device(view, &payer, *key, device.device_type, device.caps, new)?];
    for interface in surplus {
        instructions.push(build::delete_interface(view, &payer, *interface)?);
    }
    let since = match operator.waiting.for_landing(operator.ledger, &instructions).await {
        Ok(since) => since,
        // Somebody connected between our reading and our writing, or the device is going away.
        Err(CommandError::Ledger(dz_sdk::LedgerError::Refused { error, .. })) => return Ok(Some(error.to_string())),
        Err(error) => return Err(error),
    };
    let step = format!("device {} to have {new} endpoints", device.code);
    let complete = |view: &NetworkView| {
        let settled = view
            .device(key)
            .is_none_or(|device| device.status != DeviceStatus::Activated || device.pulled_count == u32::from(new));
        settled.then_some(())
    };
    operator.waiting.for_certain(operator.ledger, since, &step, ACTIVATOR, complete, |()| true).await?;
    Ok(None)
}
