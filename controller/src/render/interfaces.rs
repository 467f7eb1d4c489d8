//! Loopbacks and ports of a device, with the links that end on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use dz_sdk::program::state::{Device, Interface, InterfaceKind, InterfaceStatus};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;

use super::{
    Found, Network, RenderError,
    topology::{Edge, Place},
};
use crate::config::{IfName, LinkPort, Loopback, Port};

/// What is known of a device's interfaces while the rest of it is rendered.
#[derive(Default)]
pub(super) struct Interfaces {
    pub(super) loopbacks: BTreeMap<IfName, Loopback>,
    pub(super) ports: BTreeMap<IfName, Port>,
    /// Addresses that tunnels may end on.
    pub(super) endpoints: BTreeSet<Ipv4Addr>,
    /// The port of each link that ends here.
    pub(super) link_ports: BTreeMap<Pubkey, IfName>,
}

impl Network<'_> {
    pub(super) fn interfaces(&self, key: &Pubkey, device: &Device) -> Result<Interfaces, RenderError> {
        let mut all = Interfaces::default();
        let mut chain_names: BTreeMap<IfName, &str> = BTreeMap::new();
        let mut names: BTreeMap<Pubkey, IfName> = BTreeMap::new();
        for (interface_key, interface) in
            self.view.interfaces_of_device(key).filter(|(_, interface)| interface.status == InterfaceStatus::Activated)
        {
            let name = IfName::of_interface(&interface.name)
                .map_err(|source| RenderError::Name { device: device.code.clone(), source })?;
            if let Some(other) = chain_names.insert(name.clone(), &interface.name) {
                let (first, second) = (other.min(&interface.name), other.max(&interface.name));
                return Err(RenderError::SameName {
                    device: device.code.clone(),
                    first: first.to_owned(),
                    second: second.to_owned(),
                });
            }
            all.endpoints.extend(interface.endpoint());
            names.insert(*interface_key, name.clone());
            match interface.kind {
                InterfaceKind::Loopback => {
                    let address = interface.address.map(|address| address.ip);
                    all.loopbacks.insert(name, Loopback { address, endpoint: interface.user_tunnel_endpoint });
                }
                InterfaceKind::Physical => {
                    all.ports.insert(name, port(interface));
                }
            }
        }
        for edge in self.topology.place(key).map_or(&[][..], |place| self.topology.edges(place)) {
            let name = names.get(&edge.interface).ok_or_else(|| self.no_end(key, edge))?;
            let Some(port) = all.ports.get_mut(name) else { return Err(self.no_end(key, edge)) };
            port.address = Some(edge.address);
            port.link = Some(LinkPort {
                code: edge.code.clone(),
                peer: self.code(edge.peer).to_owned(),
                gateway: edge.gateway,
                metric: u32::try_from(edge.delay_ns.div_ceil(1000)).unwrap_or(u32::MAX),
                state: edge.state,
            });
            all.link_ports.insert(edge.link, name.clone());
        }
        Ok(all)
    }

    fn code(&self, place: Place) -> &str {
        self.topology.device(place).and_then(|key| self.view.device(key)).map_or("", |device| &device.code)
    }

    fn no_end(&self, device: &Pubkey, edge: &Edge) -> RenderError {
        let found = match self.view.interface(&edge.interface) {
            None => Found::Absent,
            Some(interface) => Found::Status(interface.status),
        };
        RenderError::LinkEnd { link: edge.code.clone(), interface: edge.interface, device: *device, found }
    }
}

fn port(interface: &Interface) -> Port {
    Port {
        name: interface.name.clone(),
        address: interface.address.map(|address| Ipv4Net::from(address.ip)),
        endpoint: interface.user_tunnel_endpoint,
        link: None,
    }
}
