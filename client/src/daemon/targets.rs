//! The endpoints to probe.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use dz_sdk::{
    NetworkView,
    program::state::{DeviceStatus, DeviceType},
};
use solana_pubkey::Pubkey;

/// An endpoint as it is probed: a device and an address of it.
pub type Target = (Pubkey, Ipv4Addr);

/// What a result says of its endpoint besides times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Code of the device.
    pub device: String,
    /// Name of the interface that holds the address.
    pub interface: String,
}

/// Endpoints with what is said of them.
pub type Targets = BTreeMap<Target, Endpoint>;

/// Every endpoint of every device that may serve users. A drained device comes back without a notification, hence the probing,
/// too; a transit device never serves any. While no endpoint changes it stays the same value.
pub fn targets(view: &NetworkView) -> Arc<Targets> {
    view.derived(of)
}

fn of(view: &NetworkView) -> Targets {
    view.devices()
        .iter()
        .filter(|(_, device)| {
            device.device_type != DeviceType::Transit
                && matches!(device.status, DeviceStatus::Activated | DeviceStatus::Drained)
        })
        .flat_map(|(key, device)| {
            view.endpoints(key).into_iter().filter_map(move |(address, interface)| {
                let interface = view.interface(&interface)?.name.clone();
                Some(((*key, address), Endpoint { device: device.code.clone(), interface }))
            })
        })
        .collect()
}
