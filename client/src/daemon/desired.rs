//! The tunnels that this client should have, from the chain alone.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dz_sdk::{
    NetworkView,
    program::state::{DeviceStatus, User, UserType},
};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;

use super::peers::Peers;

/// A group that a tunnel has a role in, beside its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its account.
    pub account: Pubkey,
    /// Its code.
    pub code: String,
    /// Bits per second that its publishers may send together.
    pub max_bandwidth: u64,
}

/// One tunnel as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredTunnel {
    /// Which service.
    pub user_type: UserType,
    /// Code of the device.
    pub device: String,
    /// Code of the metro it stands in.
    pub metro: String,
    /// Code of the tenant, if any.
    pub tenant: Option<String>,
    /// Outer source: the client's address, or what a translator turns into it.
    pub local: Ipv4Addr,
    /// Outer destination: the endpoint.
    pub remote: Ipv4Addr,
    /// This end's overlay address with the length of the tunnel network: the odd one.
    pub overlay: Ipv4Net,
    /// The device's overlay address: the even one.
    pub peer: Ipv4Addr,
    /// The address the user is known by inside.
    pub dz_ip: Ipv4Addr,
    /// The other users it reaches: a route through the tunnel for each.
    pub peers: Peers,
    /// Groups it sends to, by address.
    pub publish: BTreeMap<Ipv4Addr, Group>,
    /// Groups it receives, by address.
    pub subscribe: BTreeMap<Ipv4Addr, Group>,
    /// Why it carries nothing, as the chain knows.
    pub trouble: Option<String>,
}

impl DesiredTunnel {
    /// True when everything that has `dz_ip` as source leaves by the tunnel: what is filtered at the edge.
    pub fn leaves_by_it(&self) -> bool {
        self.user_type == UserType::EdgeFiltering
    }

    /// True when the tunnel interface must hold `dz_ip`, because no other interface of the host does.
    pub fn holds_dz_ip(&self) -> bool {
        self.dz_ip != self.local
    }
}

/// The tunnels of a client, by the user account each comes from.
///
/// A user counts while its status has a tunnel and, where the host's payer is known, is that payer's. One that the chain shows without what a tunnel needs (its device or
/// a group gone within the same revision) is left out rather than guessed.
pub fn desired(view: &NetworkView, client_ip: Ipv4Addr, payer: Option<Pubkey>) -> BTreeMap<Pubkey, DesiredTunnel> {
    view.users_of_client(client_ip)
        .filter(|(_, user)| user.status.has_tunnel() && payer.is_none_or(|payer| payer == user.owner))
        .filter_map(|(key, user)| Some((*key, tunnel(view, user)?)))
        .collect()
}

fn tunnel(view: &NetworkView, user: &User) -> Option<DesiredTunnel> {
    let allocation = user.allocation.as_ref()?;
    let groups = |keys: &[Pubkey]| -> BTreeMap<Ipv4Addr, Group> {
        keys.iter()
            .filter_map(|key| {
                let group = view.group(key)?;
                let (code, max_bandwidth) = (group.code.clone(), group.max_bandwidth);
                Some((group.address?.ip, Group { account: *key, code, max_bandwidth }))
            })
            .collect()
    };
    let device = view.device(&user.device)?;
    Some(DesiredTunnel {
        user_type: user.user_type,
        device: device.code.clone(),
        metro: view.exchange(&device.exchange)?.code.clone(),
        tenant: user.tenant.and_then(|key| Some(view.tenant(&key)?.code.clone())),
        local: user.client_ip,
        remote: user.endpoint_ip,
        overlay: Ipv4Net::new(allocation.tunnel_net.address(1)?, allocation.tunnel_net.prefix_len()).ok()?,
        peer: allocation.tunnel_net.address(0)?,
        dz_ip: allocation.dz_ip,
        peers: if user.user_type.is_multicast() { Peers::default() } else { Peers::of(view, user) },
        publish: groups(&user.publishers),
        subscribe: groups(&user.subscribers),
        trouble: (device.status != DeviceStatus::Activated)
            .then(|| format!("device {} is {}", device.code, device.status)),
    })
}
