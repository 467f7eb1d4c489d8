//! Interfaces: pending ones are activated, deleting ones are closed.

use dz_sdk::program::state::{AccountType, AddressSource, Device, Interface, InterfaceStatus, PoolKind};
use solana_pubkey::Pubkey;

use super::{Decision, Planner, Subject};

impl Planner<'_> {
    /// Activates an interface that waits.
    pub(super) fn activate_interface(&mut self, key: Pubkey, interface: &Interface, device: &Device) {
        let reason = match interface.user_tunnel_endpoint {
            true => "new interface that tunnels may end on",
            false => "new interface",
        };
        self.act(&interface_subject(key, interface, device), Decision::ActivateInterface, reason);
    }

    /// Closes an interface that is being deleted, or whose device is.
    pub(super) fn close_interface(&mut self, key: Pubkey, interface: &Interface, device: &Device) {
        let subject = interface_subject(key, interface, device);
        if interface.status != InterfaceStatus::Deleting {
            self.act(&subject, Decision::DeleteInterface, "its device is being deleted");
        }
        if let Some(address) = &interface.address
            && let AddressSource::Pulled { pool } = &address.source
        {
            self.pools.release(pool, u32::from(address.ip), 1);
        }
        if let (Some(number), Some(pool)) =
            (interface.loopback_number, self.pools.only(PoolKind::EndpointLoopbacks, &interface.device))
        {
            self.pools.release(&pool, u32::from(number), 1);
        }
        self.act(&subject, Decision::CloseInterface, "it is being deleted");
    }
}

fn interface_subject(key: Pubkey, interface: &Interface, device: &Device) -> Subject {
    let label = format!("interface {}/{}", device.code, interface.name);
    Subject { kind: AccountType::Interface, key, label }
}
