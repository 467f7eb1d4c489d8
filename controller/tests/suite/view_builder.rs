//! Builds network views as the program would leave them, without a program: what is tested here only reads.

use std::{net::Ipv4Addr, sync::Arc};

use dz_sdk::{
    NetworkView,
    program::{
        network::NetworkV4,
        pda,
        state::{
            AccountData, AddressSource, Bootstrap, Device, DeviceCaps, DeviceCounts, DeviceStatus, DeviceType,
            EndpointService, GlobalConfig, GroupAddress, Interface, InterfaceAddress, InterfaceKind, InterfaceMetadata,
            InterfaceStatus, Link, LinkDrain, LinkEnd, LinkNetwork, LinkStatus, LinkType, MulticastGroup,
            MulticastGroupStatus, Tenant, TenantStatus, User, UserAllocation, UserStatus, UserType,
        },
    },
};
use ipnet::Ipv4Net;
use solana_pubkey::Pubkey;

/// The program of all views.
pub(crate) const PROGRAM: Pubkey = Pubkey::new_from_array([7; 32]);
/// Stands for everything that no config depends on.
const SOMEBODY: Pubkey = Pubkey::new_from_array([1; 32]);

/// A view that grows.
#[derive(Clone)]
pub(crate) struct Chain {
    view: NetworkView,
    overlays: u32,
    links: u32,
    groups: u32,
    publishers: u32,
}

pub(crate) fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn net(address: Ipv4Addr, len: u8) -> NetworkV4 {
    NetworkV4::new(address, len).unwrap()
}

/// A user to add: unicast of the client's own address unless changed.
pub(crate) struct NewUser<'a> {
    pub(crate) client: &'a str,
    pub(crate) device: &'a str,
    /// Which of the device's endpoints.
    pub(crate) endpoint: usize,
    pub(crate) id: u16,
    pub(crate) kind: Kind<'a>,
}

pub(crate) enum Kind<'a> {
    Own { tenant: Option<&'a str> },
    Allocated { tenant: Option<&'a str>, dz_ip: &'a str },
    Multicast { publish: &'a [&'a str], subscribe: &'a [&'a str] },
}

impl Chain {
    pub(crate) fn new() -> Self {
        let mut chain = Self { view: NetworkView::new(PROGRAM), overlays: 0, links: 0, groups: 0, publishers: 0 };
        let config = GlobalConfig {
            foundation: vec![SOMEBODY],
            activator: SOMEBODY,
            local_asn: 65342,
            remote_asn: 65000,
            endpoint_loopback_first: 100,
            endpoint_loopback_last: 199,
            min_contributor_prefix: 29,
            endpoints_per_device: 2,
            same_metro_routing: true,
            kept_blocks: 0,
            device_count: 0,
            lives: 0,
            double_zero_blocks: vec![],
            user_tunnel_blocks: vec![],
            device_tunnel_blocks: vec![],
            multicast_group_blocks: vec![],
            multicast_publisher_blocks: vec![],
        };
        chain.put(pda::config(&PROGRAM).0, &config);
        chain
    }

    pub(crate) fn view(&self) -> Arc<NetworkView> {
        Arc::new(self.view.clone())
    }

    fn put<T: AccountData>(&mut self, key: Pubkey, account: &T) {
        self.view.set_account(key, &account.encode()).unwrap();
        self.view.set_slot(self.view.slot() + 1);
    }

    pub(crate) fn remove(&mut self, key: Pubkey) {
        self.view.set_account(key, &[]).unwrap();
        self.view.set_slot(self.view.slot() + 1);
    }

    pub(crate) fn key(&self, device: &str) -> Pubkey {
        pda::device(&PROGRAM, device).0
    }

    /// An activated device whose endpoints are on Loopback100 and up.
    pub(crate) fn device(&mut self, code: &str, public_ip: &str, endpoints: &[&str]) -> Pubkey {
        let key = self.key(code);
        let device = Device {
            code: code.to_owned(),
            contributor: SOMEBODY,
            exchange: SOMEBODY,
            device_type: DeviceType::Hybrid,
            status: DeviceStatus::Activated,
            public_ip: ip(public_ip),
            bootstrap: Bootstrap::OwnPrefix,
            endpoints_wanted: 2,
            prefixes: vec![],
            tunnel_slots: 4096,
            caps: DeviceCaps { max_users: 96, ..DeviceCaps::default() },
            counts: DeviceCounts::default(),
            public_ip_interface: None,
            pulled_count: 0,
            link_count: 0,
            interface_count: 0,
            endpoint_count: 0,
        };
        self.put(key, &device);
        for (number, address) in (100..).zip(endpoints) {
            self.interface(code, &format!("Loopback{number}"), InterfaceKind::Loopback, Some(address), true);
        }
        key
    }

    pub(crate) fn set_device(&mut self, code: &str, status: DeviceStatus) {
        let key = self.key(code);
        let device = Device { status, ..self.view.device(&key).unwrap().clone() };
        self.put(key, &device);
    }

    pub(crate) fn interface(
        &mut self,
        device: &str,
        name: &str,
        kind: InterfaceKind,
        address: Option<&str>,
        endpoint: bool,
    ) -> Pubkey {
        let device = self.key(device);
        let key = pda::interface(&PROGRAM, &device, name).0;
        let interface = Interface {
            device,
            name: name.to_owned(),
            kind,
            status: InterfaceStatus::Activated,
            address: address.map(|text| InterfaceAddress { ip: ip(text), source: AddressSource::Own }),
            loopback_number: None,
            user_tunnel_endpoint: endpoint,
            service: EndpointService::Any,
            metadata: InterfaceMetadata::default(),
            user_count: 0,
            link: None,
        };
        self.put(key, &interface);
        key
    }

    pub(crate) fn set_interface(&mut self, key: Pubkey, status: InterfaceStatus) {
        let interface = Interface { status, ..self.view.interface(&key).unwrap().clone() };
        self.put(key, &interface);
    }

    /// An activated link between two ports, which are made.
    pub(crate) fn link(&mut self, code: &str, a: (&str, &str), z: (&str, &str), delay_ms: u64) -> Pubkey {
        let end = |chain: &mut Self, (device, port): (&str, &str)| LinkEnd {
            device: chain.key(device),
            interface: chain.interface(device, port, InterfaceKind::Physical, None, false),
        };
        let (side_a, side_z) = (end(self, a), end(self, z));
        let block = Ipv4Addr::from(u32::from(ip("172.16.0.0")) + 2 * self.links);
        self.links += 1;
        let key = pda::link(&PROGRAM, code).0;
        let link = Link {
            code: code.to_owned(),
            contributor: SOMEBODY,
            link_type: LinkType::Wan,
            side_a,
            side_z,
            status: LinkStatus::Activated,
            drained_by_a: LinkDrain::None,
            drained_by_z: LinkDrain::None,
            accepted: true,
            network: Some(LinkNetwork { net: net(block, 31), pool: SOMEBODY }),
            delay_ns: delay_ms * 1_000_000,
            bandwidth: 10_000_000_000,
            mtu: 9000,
        };
        self.put(key, &link);
        key
    }

    pub(crate) fn set_link(&mut self, code: &str, status: LinkStatus) {
        let key = pda::link(&PROGRAM, code).0;
        let link = Link { status, ..self.view.link(&key).unwrap().clone() };
        self.put(key, &link);
    }

    pub(crate) fn tenant(&mut self, code: &str, vrf_id: Option<u16>) -> Pubkey {
        let key = pda::tenant(&PROGRAM, code).0;
        let tenant = Tenant {
            code: code.to_owned(),
            administrators: vec![],
            status: TenantStatus::Activated,
            vrf_id,
            reference_count: 0,
            requests: dz_sdk::program::state::Requests::default(),
        };
        self.put(key, &tenant);
        key
    }

    pub(crate) fn group(&mut self, code: &str) -> Ipv4Addr {
        let address = Ipv4Addr::from(u32::from(ip("233.84.178.0")) + self.groups);
        self.groups += 1;
        let group = MulticastGroup {
            code: code.to_owned(),
            owner: SOMEBODY,
            status: MulticastGroupStatus::Activated,
            address: Some(GroupAddress { ip: address, pool: SOMEBODY }),
            max_bandwidth: 1,
            publisher_count: 0,
            subscriber_count: 0,
            allowlist_count: 0,
        };
        self.put(pda::multicast_group(&PROGRAM, code).0, &group);
        address
    }

    pub(crate) fn user(&mut self, new: NewUser<'_>) -> Pubkey {
        let device = self.key(new.device);
        let client_ip = ip(new.client);
        let (endpoint_ip, interface) = self.view.endpoints(&device)[new.endpoint];
        let key = pda::user(&PROGRAM, client_ip, endpoint_ip).0;
        let overlay = Ipv4Addr::from(u32::from(ip("169.254.0.0")) + 2 * self.overlays);
        self.overlays += 1;
        let groups = |codes: &[&str]| -> Vec<Pubkey> {
            codes.iter().map(|code| pda::multicast_group(&PROGRAM, code).0).collect()
        };
        let tenant = |code: Option<&str>| code.map(|code| pda::tenant(&PROGRAM, code).0);
        let (user_type, tenant, dz_ip, dz_ip_pool, publishers, subscribers) = match new.kind {
            Kind::Own { tenant: code } => (UserType::Ibrl, tenant(code), client_ip, None, vec![], vec![]),
            Kind::Allocated { tenant: code, dz_ip } => {
                (UserType::IbrlWithAllocatedIp, tenant(code), ip(dz_ip), Some(SOMEBODY), vec![], vec![])
            }
            Kind::Multicast { publish: [], subscribe } => {
                (UserType::Multicast, None, client_ip, None, vec![], groups(subscribe))
            }
            Kind::Multicast { publish, subscribe } => {
                let dz_ip = Ipv4Addr::from(u32::from(ip("148.51.120.0")) + self.publishers);
                self.publishers += 1;
                (UserType::Multicast, None, dz_ip, Some(SOMEBODY), groups(publish), groups(subscribe))
            }
        };
        let user = User {
            client_ip,
            endpoint_ip,
            owner: SOMEBODY,
            access_pass: SOMEBODY,
            device,
            interface,
            user_type,
            tenant,
            status: UserStatus::Activated,
            allocation: Some(UserAllocation {
                tunnel_net: net(overlay, 31),
                tunnel_pool: SOMEBODY,
                tunnel_id: new.id,
                dz_ip,
                dz_ip_pool,
            }),
            publishers,
            subscribers,
            reject_reason: String::new(),
        };
        self.put(key, &user);
        key
    }

    /// Changes a user in place.
    pub(crate) fn set_user(&mut self, key: Pubkey, change: impl FnOnce(&mut User)) {
        let mut user = self.view.user(&key).unwrap().clone();
        change(&mut user);
        self.put(key, &user);
    }

    /// Puts a user at an address of its own, which the program never does.
    pub(crate) fn copy_user(&mut self, from: Pubkey, to: Pubkey, change: impl FnOnce(&mut User)) {
        let mut user = self.view.user(&from).unwrap().clone();
        change(&mut user);
        self.put(to, &user);
    }

    /// The address a user is known by.
    pub(crate) fn dz_ip(&self, user: &Pubkey) -> Ipv4Addr {
        self.view.user(user).unwrap().allocation.as_ref().unwrap().dz_ip
    }

    /// The address of a group.
    pub(crate) fn group_address(&self, code: &str) -> Ipv4Addr {
        self.view.group_by_code(code).unwrap().1.address.unwrap().ip
    }

    /// The overlay of a user.
    pub(crate) fn overlay(&self, user: &Pubkey) -> Ipv4Net {
        *self.view.user(user).unwrap().allocation.as_ref().unwrap().tunnel_net
    }
}
