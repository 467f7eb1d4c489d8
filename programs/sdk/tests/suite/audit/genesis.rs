//! Instructions that make the sound chain, in the order in which they depend on each other.

use std::collections::BTreeMap;

use dz_sdk::{
    NetworkView, build,
    instruction::{
        access_pass::{PassLimits, pass_address, set_access_pass, set_pass_group, set_pass_tenant},
        contributor, device, exchange, global_config,
        link::LinkNumbers,
        multicast_group, tenant,
        user::Grant,
    },
    local::LocalBank,
};
use dz_serviceability::{
    ID as P,
    instruction::CreateDeviceArgs,
    network::NetworkV4,
    pda,
    state::{Bootstrap, ConfigNumbers, DeviceCaps, DeviceType, PoolKind, Roles, UserType},
};
use solana_pubkey::Pubkey;

use super::chain::{
    ACTIVATOR, ADMINISTRATOR, ALICE, BOB, CAROL, CO, Chain, DAVE, ERIN, FOUNDATION, OTHER, PUBLISH, SUBSCRIBE, ip, net,
};

const LIMITS: PassLimits = PassLimits { last_access_epoch: u64::MAX, max_unicast_users: 9, max_multicast_users: 9 };

impl Chain {
    /// Everything, from the first instruction on.
    pub(super) fn genesis() -> Self {
        let mut bank = LocalBank::new(P, &FOUNDATION);
        for key in [FOUNDATION, ACTIVATOR, CO, OTHER, ADMINISTRATOR, ALICE, BOB, CAROL, DAVE, ERIN] {
            bank.airdrop(key, 1 << 60);
        }
        let mut chain = Self { bank, view: NetworkView::new(P), names: BTreeMap::new() };
        chain.blocks();
        chain.groups_and_tenants();
        chain.carving_device();
        chain.device_with_own_endpoints();
        chain.links();
        chain.passes();
        chain.users();
        chain.name_accounts();
        chain
    }

    fn blocks(&mut self) {
        self.run(FOUNDATION, global_config::init_global_config(&P, &FOUNDATION, ConfigNumbers::default()));
        self.run(FOUNDATION, global_config::set_activator(&P, &FOUNDATION, ACTIVATOR));
        for (kind, block) in [
            (PoolKind::DoubleZeroBlock, "45.33.0.0/21"),
            (PoolKind::UserTunnelBlock, "169.254.0.0/24"),
            (PoolKind::DeviceTunnelBlock, "172.16.0.0/24"),
            (PoolKind::MulticastGroupBlock, "233.84.178.0/24"),
            (PoolKind::MulticastPublisherBlock, "148.51.120.0/24"),
        ] {
            self.run(FOUNDATION, global_config::add_block(&P, &FOUNDATION, kind, net(block)));
        }
        self.run(FOUNDATION, exchange::create_exchange(&P, &FOUNDATION, "nyc", "New York", 0, 0));
        for (code, owner) in [("co", CO), ("other", OTHER)] {
            self.run(FOUNDATION, contributor::create_contributor(&P, &FOUNDATION, code, owner));
        }
    }

    /// An activated and a pending one of each.
    fn groups_and_tenants(&mut self) {
        for code in ["mg01", "mg02"] {
            let create = multicast_group::create_multicast_group(&P, &FOUNDATION, code, FOUNDATION, 1);
            self.run(FOUNDATION, create);
        }
        let group = pda::multicast_group(&P, "mg01").0;
        self.build(ACTIVATOR, |view| {
            build::activate_multicast_group(view, &ACTIVATOR, group, ip("233.84.178.0")).unwrap()
        });
        for code in ["acme", "idle"] {
            self.run(FOUNDATION, tenant::create_tenant(&P, &FOUNDATION, code, vec![ADMINISTRATOR]));
        }
        self.run(ACTIVATOR, tenant::activate_tenant(&P, &ACTIVATOR, pda::tenant(&P, "acme").0, 2));
    }

    /// `nyc1`: a prefix carved out of its contributor's /24 with two endpoints pulled off it, and a prefix of its own.
    fn carving_device(&mut self) {
        let co = pda::contributor(&P, "co").0;
        self.run(CO, contributor::add_contributor_prefix(&P, &CO, co, net("9.7.0.0/28")));
        self.build(ACTIVATOR, |view| {
            build::allocate_contributor_block(view, &ACTIVATOR, co, net("45.33.3.0/24")).unwrap()
        });
        let nyc1 = self.create_device(CO, "co", "nyc1", "9.0.0.1", Bootstrap::CarveBlock { prefix_len: 29 });
        self.build(ACTIVATOR, |view| build::carve_device_prefix(view, &ACTIVATOR, nyc1, net("45.33.3.0/29")).unwrap());
        self.build(CO, |view| build::add_device_prefix(view, &CO, nyc1, net("9.0.1.0/29")).unwrap());
        for (address, number) in [("45.33.3.1", 100), ("45.33.3.2", 101)] {
            self.build(ACTIVATOR, |view| build::pull_endpoint(view, &ACTIVATOR, nyc1, ip(address), number).unwrap());
        }
        self.run(ACTIVATOR, device::activate_device(&P, &ACTIVATOR, nyc1));
    }

    /// `nyc2`: an endpoint that stands for its public address and one with an address of its own.
    fn device_with_own_endpoints(&mut self) {
        let nyc2 = self.create_device(OTHER, "other", "nyc2", "9.0.0.2", Bootstrap::OwnEndpoints);
        self.create_interface(OTHER, nyc2, "Ethernet9", Some("9.0.0.2"));
        self.create_interface(OTHER, nyc2, "Loopback150", Some("9.0.3.1"));
        self.run(ACTIVATOR, device::activate_device(&P, &ACTIVATOR, nyc2));
    }

    fn create_device(
        &mut self,
        owner: Pubkey,
        contributor: &str,
        code: &str,
        public_ip: &str,
        bootstrap: Bootstrap,
    ) -> Pubkey {
        let args = CreateDeviceArgs {
            code: code.to_owned(),
            device_type: DeviceType::Hybrid,
            public_ip: ip(public_ip),
            bootstrap,
            endpoints_wanted: None,
            tunnel_slots: 16,
            caps: DeviceCaps::default(),
        };
        let (contributor, exchange) = (pda::contributor(&P, contributor).0, pda::exchange(&P, "nyc").0);
        self.build(owner, |view| build::create_device(view, &owner, contributor, exchange, args).unwrap());
        pda::device(&P, code).0
    }

    /// An activated interface; one with an address is an endpoint.
    fn create_interface(&mut self, owner: Pubkey, device: Pubkey, name: &str, address: Option<&str>) -> Pubkey {
        let (address, endpoint) = (address.map(ip), address.is_some());
        self.build(owner, |view| build::create_interface(view, &owner, device, name, address, endpoint).unwrap());
        let interface = pda::interface(&P, &device, name).0;
        self.build(ACTIVATOR, |view| build::activate_interface(view, &ACTIVATOR, interface).unwrap());
        interface
    }

    /// `backbone`, which is activated, and `asked`, which side Z has not accepted.
    fn links(&mut self) {
        let (nyc1, nyc2) = (pda::device(&P, "nyc1").0, pda::device(&P, "nyc2").0);
        for (code, port) in [("backbone", "Ethernet1"), ("asked", "Ethernet2")] {
            let a = self.create_interface(CO, nyc1, port, None);
            let z = self.create_interface(OTHER, nyc2, port, None);
            let numbers = LinkNumbers { delay_ns: 5_000_000, bandwidth: 10_000_000_000, mtu: 9000 };
            self.build(CO, |view| build::create_link(view, &CO, code, a, z, numbers).unwrap());
        }
        let backbone = pda::link(&P, "backbone").0;
        self.build(OTHER, |view| build::accept_link(view, &OTHER, backbone).unwrap());
        self.build(ACTIVATOR, |view| build::activate_link(view, &ACTIVATOR, backbone, net("172.16.0.0/31")).unwrap());
    }

    fn passes(&mut self) {
        let (acme, group) = (pda::tenant(&P, "acme").0, pda::multicast_group(&P, "mg01").0);
        for (address, payer, tenant) in [
            ("9.128.0.1", ALICE, None),
            ("9.128.0.2", BOB, Some(acme)),
            ("0.0.0.0", CAROL, None),
            ("9.128.0.11", DAVE, None),
            ("0.0.0.0", ERIN, None),
        ] {
            let giver = if tenant.is_some() { ADMINISTRATOR } else { FOUNDATION };
            self.run(giver, set_access_pass(&P, &giver, ip(address), payer, LIMITS, tenant));
        }
        let dave = pass_address(&P, ip("9.128.0.11"), &DAVE, None);
        self.run(FOUNDATION, set_pass_tenant(&P, &FOUNDATION, dave, acme, true));
        let carol = pass_address(&P, ip("0.0.0.0"), &CAROL, None);
        self.run(FOUNDATION, set_pass_group(&P, &FOUNDATION, carol, group, None, (true, true)));
    }

    fn users(&mut self) {
        use UserType::{EdgeFiltering, Ibrl, IbrlWithAllocatedIp, Multicast};
        let (acme, group) = (pda::tenant(&P, "acme").0, pda::multicast_group(&P, "mg01").0);
        let unicast = |user_type| (user_type, None, vec![]);
        let multicast = |roles| (Multicast, None, vec![(group, roles)]);
        self.user("unicast", ALICE, ("9.128.0.1", "45.33.3.1"), unicast(Ibrl), Some("9.128.0.1"));
        self.user("tenant", BOB, ("9.128.0.2", "9.0.3.1"), (Ibrl, Some(acme), vec![]), Some("9.128.0.2"));
        self.user("publisher", CAROL, ("9.128.0.3", "45.33.3.1"), multicast(PUBLISH), Some("148.51.120.0"));
        self.user("subscriber", CAROL, ("9.128.0.3", "45.33.3.2"), multicast(SUBSCRIBE), Some("9.128.0.3"));
        self.user("allocated", CAROL, ("9.128.0.4", "45.33.3.2"), unicast(IbrlWithAllocatedIp), Some("9.0.1.1"));
        self.user("filtered", CAROL, ("9.128.0.5", "45.33.3.2"), unicast(EdgeFiltering), Some("45.33.3.3"));
        self.user("pending", CAROL, ("9.128.0.6", "9.0.0.2"), unicast(Ibrl), None);
        let rejected = self.user("rejected", CAROL, ("9.128.0.7", "9.0.0.2"), unicast(Ibrl), None);
        let banned = self.user("banned", ERIN, ("9.128.0.8", "9.0.3.1"), unicast(Ibrl), None);
        let leaving = self.user("pending ban", ERIN, ("9.128.0.9", "9.0.3.1"), unicast(Ibrl), Some("9.128.0.9"));
        self.build(ACTIVATOR, |view| build::reject_user_alone(view, &ACTIVATOR, rejected, "full").unwrap());
        for user in [banned, leaving] {
            self.build(FOUNDATION, |view| build::ban_user(view, &FOUNDATION, user).unwrap());
        }
        self.build(ACTIVATOR, |view| build::finish_ban_alone(view, &ACTIVATOR, banned).unwrap());
    }

    /// A user, activated if it is to have a dz_ip.
    fn user(
        &mut self,
        name: &str,
        payer: Pubkey,
        (client_ip, endpoint_ip): (&str, &str),
        (user_type, tenant, roles): (UserType, Option<Pubkey>, Vec<(Pubkey, Roles)>),
        dz_ip: Option<&str>,
    ) -> Pubkey {
        let index = self.view.users().len() as u16;
        let (client_ip, endpoint_ip) = (ip(client_ip), ip(endpoint_ip));
        let wanted = build::CreateUser { client_ip, endpoint_ip, user_type, tenant, roles };
        self.build(payer, |view| build::create_user(view, &payer, &payer, wanted).unwrap());
        let user = pda::user(&P, client_ip, endpoint_ip).0;
        self.names.insert(format!("user {name}"), user);
        if let Some(dz_ip) = dz_ip {
            let tunnel_net = net("169.254.0.0/24").address(2 * u32::from(index)).unwrap();
            let tunnel_net = NetworkV4::new(tunnel_net, 31).unwrap();
            let grant = Grant { tunnel_net, tunnel_id: 500 + index, dz_ip: ip(dz_ip) };
            self.build(ACTIVATOR, |view| build::activate_user(view, &ACTIVATOR, user, grant).unwrap());
        }
        user
    }
}
