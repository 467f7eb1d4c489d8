//! User tunnels of a device.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    net::Ipv4Addr,
};

use dz_net::gre::DEVICE_TTL;
use dz_sdk::program::state::{Device, DeviceStatus, User, UserAllocation, UserType};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;

use super::{Network, RenderError, interfaces::Interfaces};
use crate::config::{DEFAULT_VRF, Service, TUNNEL_MTU, Tunnel};

impl Network<'_> {
    pub(super) fn tunnels(
        &self,
        key: &Pubkey,
        device: &Device,
        interfaces: &Interfaces,
    ) -> Result<BTreeMap<u16, Tunnel>, RenderError> {
        let mut tunnels: BTreeMap<u16, Tunnel> = BTreeMap::new();
        let mut ids: BTreeMap<u16, Pubkey> = BTreeMap::new();
        let mut pairs: BTreeMap<(Ipv4Addr, Ipv4Addr), Pubkey> = BTreeMap::new();
        // Users come in the order of their addresses, so the first of a clash is always the lower one.
        for (second, user) in self.view.users_of_device(key).filter(|(_, user)| user.status.has_tunnel()) {
            let allocation = user.allocation.as_ref().ok_or(RenderError::NoAllocation(*second))?;
            let (source, destination) = (user.endpoint_ip, user.client_ip);
            let second = *second;
            if let Some(first) = pairs.insert((source, destination), second) {
                return Err(RenderError::SamePair { first, second, source_ip: source, destination });
            }
            match ids.entry(allocation.tunnel_id) {
                Entry::Vacant(slot) => slot.insert(second),
                Entry::Occupied(slot) => {
                    let (first, id) = (*slot.get(), *slot.key());
                    return Err(RenderError::SameTunnelId { first, second, id });
                }
            };
            if !interfaces.endpoints.contains(&source) {
                let device = device.code.clone();
                return Err(RenderError::NoEndpoint { user: second, endpoint: source, device });
            }
            let net = *allocation.tunnel_net;
            if net.prefix_len() != 31 {
                return Err(RenderError::Overlay { user: second, net });
            }
            let tunnel = Tunnel {
                user: second.to_string(),
                source,
                destination,
                overlay: Ipv4Net::new_assert(net.network(), 31),
                mtu: TUNNEL_MTU,
                ttl: DEVICE_TTL,
                shut: device.status != DeviceStatus::Activated,
                service: self.service(second, user, allocation)?,
            };
            tunnels.insert(allocation.tunnel_id, tunnel);
        }
        Ok(tunnels)
    }

    fn service(&self, key: Pubkey, user: &User, allocation: &UserAllocation) -> Result<Service, RenderError> {
        if !user.user_type.is_multicast() {
            let vrf = self.vrf(key, user)?;
            if user.user_type == UserType::EdgeFiltering {
                return Ok(Service::EdgeFiltering { vrf, dz_ip: allocation.dz_ip });
            }
            return Ok(Service::Unicast { vrf, dz_ip: allocation.dz_ip, allocated: allocation.dz_ip_pool.is_some() });
        }
        let source = publisher_source(user, allocation);
        let publish = if source.is_some() { self.addresses(&user.publishers) } else { BTreeSet::new() };
        Ok(Service::Multicast { source, publish, subscribe: self.addresses(&user.subscribers) })
    }

    /// The VRF of a unicast user.
    pub(super) fn vrf(&self, user_key: Pubkey, user: &User) -> Result<u16, RenderError> {
        let Some(key) = user.tenant else { return Ok(DEFAULT_VRF) };
        let vrf = self.view.tenant(&key).and_then(|tenant| tenant.vrf_id);
        vrf.ok_or(RenderError::NoVrf { user: user_key, tenant: key })
    }

    /// The addresses of groups; one that has none yet carries nothing yet.
    fn addresses(&self, groups: &[Pubkey]) -> BTreeSet<Ipv4Addr> {
        groups.iter().filter_map(|group| Some(self.view.group(group)?.address?.ip)).collect()
    }
}

/// The source a multicast user publishes from. One that has just become a publisher still has its client's address,
/// which is reached over the internet and is no source of group traffic, until the activator has followed.
pub(super) fn publisher_source(user: &User, allocation: &UserAllocation) -> Option<Ipv4Addr> {
    (user.is_publisher() && allocation.dz_ip_pool.is_some()).then_some(allocation.dz_ip)
}
