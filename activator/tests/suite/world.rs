//! Chains put together by hand: the accounts a plan is made from, without the program that would create them.

use std::net::Ipv4Addr;

use dz_activator::{Plan, plan};
use dz_policy::ActivatorPolicy;
use dz_sdk::{
    NetworkView,
    program::{
        network::NetworkV4,
        pda,
        state::{
            AccountData, AddressSource, Bootstrap, ConfigNumbers, Contributor, ContributorStatus, Device, DeviceCaps,
            DeviceCounts, DevicePrefix, DeviceStatus, DeviceType, EndpointService, GlobalConfig, Interface,
            InterfaceAddress, InterfaceKind, InterfaceMetadata, InterfaceStatus, Link, LinkDrain, LinkEnd, LinkStatus,
            LinkType, MulticastGroup, MulticastGroupStatus, Pool, PoolKind, PrefixSource, Requests, Tenant,
            TenantStatus, User, UserAllocation, UserStatus, UserType,
        },
    },
};
use solana_pubkey::Pubkey;

/// A view under construction.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) view: NetworkView,
    pub(crate) policy: ActivatorPolicy,
}

pub(crate) fn net(text: &str) -> NetworkV4 {
    text.parse().unwrap()
}

pub(crate) fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

const PROGRAM: Pubkey = dz_sdk::program::ID;

impl World {
    /// A chain without accounts.
    pub(crate) fn empty() -> Self {
        Self { view: NetworkView::new(PROGRAM), policy: ActivatorPolicy::default() }
    }

    /// An initialised chain with one small block of each kind.
    pub(crate) fn new() -> Self {
        let mut world = Self::empty();
        world.put(
            config_key(),
            &GlobalConfig {
                activator: Pubkey::new_from_array([2; 32]),
                endpoint_loopback_last: 109,
                ..GlobalConfig::new(Pubkey::new_from_array([1; 32]), ConfigNumbers::default())
            },
        );
        world.block(PoolKind::DoubleZeroBlock, "148.51.0.0/23");
        world.block(PoolKind::UserTunnelBlock, "169.254.0.0/29");
        world.block(PoolKind::DeviceTunnelBlock, "172.16.0.0/30");
        world.block(PoolKind::MulticastGroupBlock, "233.84.178.0/31");
        world.block(PoolKind::MulticastPublisherBlock, "148.51.120.0/31");
        world.pool(PoolKind::VrfIds, config_key(), 1, 1, 3, 2);
        world
    }

    pub(crate) fn put<T: AccountData>(&mut self, key: Pubkey, account: &T) {
        self.view.set_account(key, &account.encode()).unwrap();
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(&self.view, &self.policy)
    }

    /// The plan as people read it: `subject: decision values`.
    pub(crate) fn actions(&self) -> Vec<String> {
        let line = |action: &dz_activator::plan::Action| {
            let line = format!("{}: {} {}", action.subject, action.decision.name(), action.decision);
            line.trim_end().to_owned()
        };
        self.plan().actions.iter().map(line).collect()
    }

    /// What the plan cannot do: `subject: kind: reason`.
    pub(crate) fn conditions(&self) -> Vec<String> {
        let line = |condition: &dz_activator::plan::Condition| {
            let kind: &'static str = condition.kind.into();
            format!("{}: {kind}: {}", condition.subject, condition.reason)
        };
        self.plan().conditions.iter().map(line).collect()
    }

    pub(crate) fn edit_config(&mut self, change: impl FnOnce(&mut GlobalConfig)) {
        let mut config = self.view.config().unwrap().clone();
        change(&mut config);
        self.put(config_key(), &config);
    }

    /// Adds a global block and its pool.
    pub(crate) fn block(&mut self, kind: PoolKind, block: &str) {
        let block = net(block);
        let unit = match kind {
            PoolKind::DoubleZeroBlock => 256,
            PoolKind::UserTunnelBlock | PoolKind::DeviceTunnelBlock => 2,
            _ => 1,
        };
        self.edit_config(|config| config.blocks_mut(kind).unwrap().push(block));
        self.pool(kind, config_key(), block.network().into(), unit, block.address_count() as u32 / unit, 0);
    }

    pub(crate) fn pool(
        &mut self,
        kind: PoolKind,
        owner: Pubkey,
        base: u32,
        unit: u32,
        count: u32,
        reserved: u32,
    ) -> Pubkey {
        let key = pda::pool(&PROGRAM, kind, &owner, base).0;
        self.put(key, &Pool::new(kind, owner, base, unit, count, reserved));
        key
    }

    pub(crate) fn pool_key(&self, kind: PoolKind, owner: Pubkey, base: u32) -> Pubkey {
        pda::pool(&PROGRAM, kind, &owner, base).0
    }

    /// Takes the unit that starts with this value.
    pub(crate) fn take(&mut self, pool: Pubkey, value: u32) {
        self.take_run(pool, value, 1);
    }

    pub(crate) fn take_run(&mut self, pool: Pubkey, value: u32, units: u32) {
        let mut taken = self.view.pool(&pool).unwrap().clone();
        taken.claim(value, units).unwrap();
        self.put(pool, &taken);
    }

    /// Takes all that is left.
    pub(crate) fn exhaust(&mut self, pool: Pubkey) {
        let mut full = self.view.pool(&pool).unwrap().clone();
        while let Ok(value) = full.lowest_free(1) {
            full.claim(value, 1).unwrap();
        }
        self.put(pool, &full);
    }

    pub(crate) fn exhaust_block(&mut self, kind: PoolKind, block: &str) {
        self.exhaust(pda::pool(&PROGRAM, kind, &config_key(), net(block).network().into()).0);
    }

    pub(crate) fn contributor(&mut self, code: &str, status: ContributorStatus) -> Pubkey {
        let key = pda::contributor(&PROGRAM, code).0;
        let owner = Pubkey::new_from_array([3; 32]);
        let requests = Requests::default();
        let contributor = Contributor {
            code: code.to_owned(),
            owner,
            status,
            reference_count: 0,
            blocks: vec![],
            prefixes: vec![],
            granted_blocks: 0,
            requests,
        };
        self.put(key, &contributor);
        key
    }

    pub(crate) fn edit_contributor(&mut self, contributor: Pubkey, change: impl FnOnce(&mut Contributor)) {
        let mut account = self.view.contributor(&contributor).unwrap().clone();
        change(&mut account);
        self.put(contributor, &account);
    }

    /// Gives a contributor a /24, as `AllocateContributorBlock` does.
    pub(crate) fn contributor_block(&mut self, contributor: Pubkey, block: &str) -> Pubkey {
        let block = net(block);
        self.edit_contributor(contributor, |contributor| contributor.blocks.push(block));
        let base = u32::from(block.network());
        self.take(self.global_pool(PoolKind::DoubleZeroBlock, block), base);
        let registry = self.pool(PoolKind::AddressRegistry, config_key(), base, 1, 256, 0);
        self.take_run(registry, base, 256);
        self.pool(PoolKind::ContributorBlock, contributor, base, 8, 32, 0)
    }

    /// Adds a prefix of a contributor's own that its devices get shares of.
    pub(crate) fn contributor_prefix(&mut self, contributor: Pubkey, prefix: &str) -> Pubkey {
        let prefix = net(prefix);
        self.edit_contributor(contributor, |contributor| contributor.prefixes.push(prefix));
        let (base, count) = (u32::from(prefix.network()), prefix.address_count() as u32);
        self.pool(PoolKind::ContributorPrefix, contributor, base, 1, count, 0)
    }

    /// A pending device of the contributor `acme` that wants two endpoints.
    pub(crate) fn device(&mut self, code: &str, bootstrap: Bootstrap) -> Pubkey {
        let contributor = pda::contributor(&PROGRAM, "acme").0;
        if self.view.contributor(&contributor).is_none() {
            self.contributor("acme", ContributorStatus::Activated);
        }
        let key = pda::device(&PROGRAM, code).0;
        let device = Device {
            code: code.to_owned(),
            contributor,
            exchange: pda::exchange(&PROGRAM, "nyc").0,
            device_type: DeviceType::Hybrid,
            status: DeviceStatus::Pending,
            public_ip: ip("9.1.0.1"),
            bootstrap,
            endpoints_wanted: if bootstrap == Bootstrap::OwnEndpoints { 0 } else { 2 },
            prefixes: vec![],
            tunnel_slots: 4,
            caps: DeviceCaps { max_users: 100, ..DeviceCaps::default() },
            counts: DeviceCounts::default(),
            public_ip_interface: None,
            interface_count: 0,
            endpoint_count: 0,
            pulled_count: 0,
            link_count: 0,
        };
        self.put(key, &device);
        self.pool(PoolKind::TunnelIds, key, 500, 1, 4, 0);
        self.pool(PoolKind::EndpointLoopbacks, key, 100, 1, 10, 0);
        key
    }

    pub(crate) fn edit_device(&mut self, device: Pubkey, change: impl FnOnce(&mut Device)) {
        let mut account = self.view.device(&device).unwrap().clone();
        change(&mut account);
        self.put(device, &account);
    }

    /// Gives the device a prefix and its pool.
    pub(crate) fn prefix(&mut self, device: Pubkey, prefix: &str, source: PrefixSource) -> Pubkey {
        let prefix = net(prefix);
        self.edit_device(device, |device| device.prefixes.push(DevicePrefix { net: prefix, source }));
        let (base, count) = (u32::from(prefix.network()), prefix.address_count() as u32);
        self.pool(PoolKind::DevicePrefix, device, base, 1, count, 1)
    }

    pub(crate) fn interface(
        &mut self,
        device: Pubkey,
        name: &str,
        status: InterfaceStatus,
        endpoint: Option<&str>,
    ) -> Pubkey {
        let address = endpoint.map(|text| InterfaceAddress { ip: ip(text), source: AddressSource::Own });
        self.interface_from(device, name, status, address)
    }

    /// An activated loopback with an address pulled off a prefix.
    pub(crate) fn pulled(&mut self, device: Pubkey, number: u16, address: &str, pool: Pubkey) -> Pubkey {
        self.take(pool, ip(address).into());
        let numbers = self.pool_key(PoolKind::EndpointLoopbacks, device, 100);
        self.take(numbers, number.into());
        self.edit_device(device, |device| {
            device.pulled_count += 1;
            device.endpoint_count += 1;
        });
        let address = InterfaceAddress { ip: ip(address), source: AddressSource::Pulled { pool } };
        let name = format!("Loopback{number}");
        let key = self.interface_from(device, &name, InterfaceStatus::Activated, Some(address));
        let mut interface = self.view.interface(&key).unwrap().clone();
        interface.loopback_number = Some(number);
        self.put(key, &interface);
        key
    }

    fn interface_from(
        &mut self,
        device: Pubkey,
        name: &str,
        status: InterfaceStatus,
        address: Option<InterfaceAddress>,
    ) -> Pubkey {
        let key = pda::interface(&PROGRAM, &device, name).0;
        let kind = if name.starts_with("Loopback") { InterfaceKind::Loopback } else { InterfaceKind::Physical };
        let interface = Interface {
            device,
            name: name.to_owned(),
            kind,
            status,
            address,
            loopback_number: None,
            user_tunnel_endpoint: address.is_some(),
            service: EndpointService::Any,
            metadata: InterfaceMetadata::default(),
            user_count: 0,
            link: None,
        };
        self.put(key, &interface);
        key
    }

    /// An activated device with one own /29 and two endpoints pulled off it.
    pub(crate) fn ready_device(&mut self, code: &str, prefix: &str) -> Pubkey {
        let device = self.device(code, Bootstrap::OwnPrefix);
        let pool = self.prefix(device, prefix, PrefixSource::Own);
        let base = u32::from(net(prefix).network());
        for number in 0..2 {
            let address = Ipv4Addr::from(base + 1 + number).to_string();
            self.pulled(device, 100 + number as u16, &address, pool);
        }
        self.edit_device(device, |device| device.status = DeviceStatus::Activated);
        device
    }

    pub(crate) fn link(&mut self, code: &str, status: LinkStatus, ends: [(Pubkey, Pubkey); 2]) -> Pubkey {
        let key = pda::link(&PROGRAM, code).0;
        let [side_a, side_z] = ends.map(|(device, interface)| LinkEnd { device, interface });
        let link = Link {
            code: code.to_owned(),
            contributor: pda::contributor(&PROGRAM, "acme").0,
            link_type: LinkType::Wan,
            side_a,
            side_z,
            drained_by_a: LinkDrain::None,
            drained_by_z: LinkDrain::None,
            accepted: true,
            status,
            network: None,
            delay_ns: 1_000_000,
            bandwidth: 10_000_000_000,
            mtu: 9000,
        };
        self.put(key, &link);
        key
    }

    pub(crate) fn tenant(&mut self, code: &str, status: TenantStatus, vrf_id: Option<u16>) -> Pubkey {
        let key = pda::tenant(&PROGRAM, code).0;
        let requests = Requests::default();
        let code = code.to_owned();
        self.put(key, &Tenant { code, administrators: vec![], status, vrf_id, reference_count: 0, requests });
        key
    }

    pub(crate) fn group(&mut self, code: &str, status: MulticastGroupStatus) -> Pubkey {
        let key = pda::multicast_group(&PROGRAM, code).0;
        let group = MulticastGroup {
            code: code.to_owned(),
            owner: Pubkey::new_from_array([4; 32]),
            status,
            address: None,
            max_bandwidth: 0,
            publisher_count: 0,
            subscriber_count: 0,
            allowlist_count: 0,
        };
        self.put(key, &group);
        key
    }

    /// A pending user without roles.
    pub(crate) fn user(&mut self, device: Pubkey, client: &str, user_type: UserType) -> Pubkey {
        let (endpoint_ip, interface) = self.view.endpoints(&device)[0];
        let client_ip = ip(client);
        let key = pda::user(&PROGRAM, client_ip, endpoint_ip).0;
        let user = User {
            client_ip,
            endpoint_ip,
            owner: Pubkey::new_from_array([5; 32]),
            access_pass: Pubkey::new_from_array([6; 32]),
            device,
            interface,
            user_type,
            tenant: None,
            status: UserStatus::Pending,
            allocation: None,
            publishers: vec![],
            subscribers: vec![],
            reject_reason: String::new(),
        };
        self.put(key, &user);
        key
    }

    pub(crate) fn edit_user(&mut self, user: Pubkey, change: impl FnOnce(&mut User)) {
        let mut account = self.view.user(&user).unwrap().clone();
        change(&mut account);
        self.put(user, &account);
    }

    /// Gives a user a tunnel, as `ActivateUser` does, and this status.
    pub(crate) fn allocate(
        &mut self,
        user: Pubkey,
        tunnel: &str,
        id: u16,
        dz_ip: (&str, Option<Pubkey>),
        status: UserStatus,
    ) {
        let tunnel_net = net(tunnel);
        let tunnel_pool = self.global_pool(PoolKind::UserTunnelBlock, tunnel_net);
        self.take(tunnel_pool, tunnel_net.network().into());
        let device = self.view.user(&user).unwrap().device;
        self.take(self.pool_key(PoolKind::TunnelIds, device, 500), id.into());
        let (dz_ip, dz_ip_pool) = (ip(dz_ip.0), dz_ip.1);
        if let Some(pool) = dz_ip_pool {
            self.take(pool, dz_ip.into());
        }
        let allocation = UserAllocation { tunnel_net, tunnel_pool, tunnel_id: id, dz_ip, dz_ip_pool };
        self.edit_user(user, |user| {
            user.allocation = Some(allocation);
            user.status = status;
        });
    }

    /// The global pool that holds this network.
    pub(crate) fn global_pool(&self, kind: PoolKind, part: NetworkV4) -> Pubkey {
        let base = u32::from(part.network());
        self.view.block_pools(kind).into_iter().find(|(_, pool)| pool.contains(base)).unwrap().0
    }
}

pub(crate) fn config_key() -> Pubkey {
    pda::config(&PROGRAM).0
}
