//! Devices, their prefixes and the endpoints pulled off them.

pub(super) mod activate;
pub(super) mod add_prefix;
pub(super) mod carve_prefix;
pub(super) mod close;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod drain;
pub(super) mod pull_endpoint;
pub(super) mod remove_prefix;
pub(super) mod set_public_ip;
pub(super) mod undrain;
pub(super) mod update;

use crate::{
    accounts::{Account, Context, Info},
    error::{Result, ServiceabilityError, ensure},
    network::NetworkV4,
    pools::pool_of_network,
    state::{
        Bootstrap, Contributor, Device, DevicePrefix, DeviceStatus, DeviceType, GlobalConfig, Pool, PoolKind,
        PrefixSource,
    },
};

/// A contributor and its device that the signer may change.
pub(super) struct Owned<'a, 'info> {
    pub(super) contributor: Account<'a, 'info, Contributor>,
    pub(super) device: Account<'a, 'info, Device>,
}

/// A contributor of the signer's and a device of it that is not going away.
pub(super) fn load_owned<'a, 'info>(
    ctx: &Context<'a, 'info>,
    contributor: Info<'a, 'info>,
    device: Info<'a, 'info>,
) -> Result<Owned<'a, 'info>> {
    let contributor = ctx.read::<Contributor>(contributor)?;
    let device = ctx.read::<Device>(device)?;
    ctx.contributor_owner(&contributor)?;
    ensure!(device.contributor == *contributor.key(), WrongContributor);
    ensure!(device.status != DeviceStatus::Deleting, DeviceDeleting);
    Ok(Owned { contributor, device })
}

/// Whether the activator can ever pull this many endpoints.
fn check_endpoints(config: &GlobalConfig, bootstrap: Bootstrap, wanted: u8) -> Result {
    let loopbacks = u32::from(config.endpoint_loopback_last - config.endpoint_loopback_first) + 1;
    let most = match bootstrap {
        // One address of a prefix is reserved.
        Bootstrap::Carve { prefix_len } | Bootstrap::CarveBlock { prefix_len } => {
            loopbacks.min((1 << (32 - u32::from(prefix_len).clamp(24, 32))) - 1)
        }
        Bootstrap::OwnPrefix => loopbacks,
        Bootstrap::OwnEndpoints => 0,
    };
    ensure!(u32::from(wanted) <= most, InvalidEndpointCount);
    Ok(())
}

/// Adds a prefix; its pool of single addresses keeps the first for the device.
fn push_prefix<'a, 'info>(
    ctx: &Context<'a, 'info>,
    device: &mut Account<'a, 'info, Device>,
    net: NetworkV4,
    source: PrefixSource,
) -> Result<Pool> {
    ensure!(device.prefixes.len() < Device::MAX_PREFIXES, TooManyPrefixes);
    device.prefixes.push(DevicePrefix { net, source });
    ctx.save(device)?;
    pool_of_network(PoolKind::DevicePrefix, *device.key(), net, 1, 1)
}

/// Whether a device has what it was registered for; a transit device serves no users and needs neither.
fn check_ready(device: &Device) -> Result {
    let pulled = !device.prefixes.is_empty() && device.pulled_count >= u32::from(device.endpoints_wanted);
    let ready = match device.bootstrap {
        _ if device.device_type == DeviceType::Transit => true,
        Bootstrap::Carve { .. } | Bootstrap::CarveBlock { .. } | Bootstrap::OwnPrefix => pulled,
        Bootstrap::OwnEndpoints => device.endpoint_count > 0,
    };
    ready.then_some(()).ok_or(ServiceabilityError::DeviceNotReady)
}
