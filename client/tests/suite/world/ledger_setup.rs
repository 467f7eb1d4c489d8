//! The chain, with what an operator sets up before the first user comes.

use std::{net::Ipv4Addr, sync::Arc};

use dz_sdk::{
    Ledger, NetworkView, build,
    instruction::{
        access_pass::{self, PassLimits},
        contributor, exchange, global_config, interface, multicast_group, tenant,
    },
    local::{LocalBank, LocalLedger},
    program::{
        ID,
        instruction::CreateDeviceArgs,
        network::NetworkV4,
        pda,
        state::{
            Bootstrap, ConfigNumbers, ContributorStatus, Device, DeviceCaps, DeviceStatus, DeviceType, InterfaceStatus,
            LinkStatus, MulticastGroupStatus, PoolKind, TenantStatus, UserType,
        },
    },
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::CLIENT;

/// A device that comes with its own termination addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeviceSpec<'a> {
    pub(crate) code: &'a str,
    /// The first is its public address.
    pub(crate) endpoints: &'a [Ipv4Addr],
}

/// Who uses the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// The foundation, which is the activator and a contributor, too.
    Foundation,
    /// The client, who has a pass.
    Client,
    /// A user without a pass.
    Stranger,
}

impl Who {
    /// Its keys.
    pub(crate) fn keypair(self) -> Keypair {
        let seed = match self {
            Self::Foundation => 1,
            Self::Client => 2,
            Self::Stranger => 9,
        };
        Keypair::new_from_array([seed; 32])
    }

    /// Its public key.
    pub(crate) fn key(self) -> Pubkey {
        self.keypair().pubkey()
    }
}

/// The chain, as the foundation uses it.
pub(crate) struct Chain {
    pub(crate) ledger: Arc<dyn Ledger>,
}

/// The groups there are.
pub(crate) const GROUPS: [&str; 3] = ["mg01", "mg02", "mg03"];

/// A chain in memory with what an operator sets up before the first user comes.
pub(crate) async fn genesis(specs: &[DeviceSpec<'_>]) -> LocalLedger {
    let mut bank = LocalBank::new(ID, &Who::Foundation.key());
    for who in [Who::Foundation, Who::Client] {
        bank.airdrop(who.key(), 1_000_000_000_000);
    }
    let ledger = LocalLedger::new(bank, Who::Foundation.key()).unwrap();
    Chain { ledger: Arc::new(ledger.clone()) }.set_up(specs).await;
    ledger
}

impl Chain {
    async fn set_up(&self, specs: &[DeviceSpec<'_>]) {
        let (foundation, client) = (self.foundation(), Who::Client.key());
        let mut list = vec![global_config::init_global_config(&ID, &foundation, ConfigNumbers::default())];
        for (kind, block) in [
            (PoolKind::DoubleZeroBlock, "45.33.96.0/21"),
            (PoolKind::UserTunnelBlock, "169.254.0.0/16"),
            (PoolKind::DeviceTunnelBlock, "172.16.0.0/16"),
            (PoolKind::MulticastGroupBlock, "233.84.178.0/24"),
            (PoolKind::MulticastPublisherBlock, "148.51.120.0/21"),
        ] {
            list.push(global_config::add_block(&ID, &foundation, kind, block.parse().unwrap()));
        }
        list.push(contributor::create_contributor(&ID, &foundation, "co01", foundation));
        list.push(exchange::create_exchange(&ID, &foundation, "nyc", "New York", 40_712_800, -74_006_000));
        for code in GROUPS {
            list.push(multicast_group::create_multicast_group(&ID, &foundation, code, foundation, 1_000_000_000));
        }
        let limits = PassLimits { max_unicast_users: 8, max_multicast_users: 8, ..PassLimits::default() };
        list.push(access_pass::set_access_pass(&ID, &foundation, CLIENT, client, limits, None));
        self.send(list).await;
        for (code, ip) in GROUPS.iter().zip([[233, 84, 178, 1], [233, 84, 178, 2], [233, 84, 178, 3]]) {
            let group = pda::multicast_group(&ID, code).0;
            let activate = build::activate_multicast_group(&*self.view().await, &foundation, group, ip.into());
            let pass = access_pass::pass_address(&ID, CLIENT, &client, None);
            let allow = access_pass::set_pass_group(&ID, &foundation, pass, group, None, (true, true));
            self.send(vec![activate.unwrap(), allow]).await;
        }
        for spec in specs {
            self.add_device(*spec).await;
        }
    }

    /// Sends as the foundation.
    pub(crate) async fn send(&self, instructions: Vec<Instruction>) {
        self.ledger.send(&instructions).await.unwrap();
    }

    /// As it is now.
    pub(crate) async fn view(&self) -> Arc<NetworkView> {
        self.ledger.snapshot().await.unwrap()
    }

    pub(crate) fn foundation(&self) -> Pubkey {
        self.ledger.payer()
    }

    /// A device that serves users on all its endpoints.
    pub(crate) async fn add_device(&self, spec: DeviceSpec<'_>) {
        let signer = self.foundation();
        let args = CreateDeviceArgs {
            code: spec.code.to_owned(),
            device_type: DeviceType::Hybrid,
            public_ip: spec.endpoints[0],
            bootstrap: Bootstrap::OwnEndpoints,
            endpoints_wanted: Some(0),
            tunnel_slots: 128,
            caps: DeviceCaps { max_users: 96, ..DeviceCaps::default() },
        };
        let (contributor, exchange) = (pda::contributor(&ID, "co01").0, pda::exchange(&ID, "nyc").0);
        let device = pda::device(&ID, spec.code).0;
        self.send(vec![build::create_device(&*self.view().await, &signer, contributor, exchange, args).unwrap()]).await;
        for (number, ip) in spec.endpoints.iter().enumerate() {
            let name = format!("Ethernet{}", number + 1);
            let create = build::create_interface(&*self.view().await, &signer, device, &name, Some(*ip), true).unwrap();
            let key = pda::interface(&ID, &device, &name).0;
            self.send(vec![create, interface::activate_interface(&ID, &signer, device, key)]).await;
        }
        self.send(vec![dz_sdk::instruction::device::activate_device(&ID, &signer, device)]).await;
    }

    /// Puts an interface into its device's configuration.
    pub(crate) async fn activate_interface(&self, device: &str, name: &str) {
        let device = pda::device(&ID, device).0;
        let key = pda::interface(&ID, &device, name).0;
        self.send(vec![interface::activate_interface(&ID, &self.foundation(), device, key)]).await;
    }

    /// Another client's unicast user at an endpoint; returns its address inside.
    pub(crate) async fn peer(&self, client_ip: Ipv4Addr, endpoint: Ipv4Addr) -> Ipv4Addr {
        let signer = self.foundation();
        let pass = access_pass::set_access_pass(&ID, &signer, client_ip, signer, PassLimits::default(), None);
        self.send(vec![pass]).await;
        let user = build::CreateUser {
            client_ip,
            endpoint_ip: endpoint,
            user_type: UserType::Ibrl,
            tenant: None,
            roles: vec![],
        };
        self.send(vec![build::create_user(&*self.view().await, &signer, &signer, user).unwrap()]).await;
        client_ip
    }

    /// Does what the activator has to do, until nothing is left.
    pub(crate) async fn settle(&self) {
        loop {
            let view = self.view().await;
            let Some(next) = next_step(&view, &self.foundation()) else { return };
            for batch in build::pack(&self.foundation(), next) {
                self.send(batch).await;
            }
        }
    }
}

/// The first thing that waits for the activator, and what it does about it.
fn next_step(view: &NetworkView, signer: &Pubkey) -> Option<Vec<Instruction>> {
    let lowest = |kind| view.block_pools(kind)[0].1.lowest_free(1).unwrap();
    let users = || view.users().iter().find_map(|(key, user)| super::activator::serve(view, signer, *key, user));
    let interfaces = || {
        view.interfaces().iter().find_map(|(key, interface)| match interface.status {
            InterfaceStatus::Pending => Some(vec![build::activate_interface(view, signer, *key).unwrap()]),
            InterfaceStatus::Deleting => Some(vec![build::close_interface(view, signer, *key).unwrap()]),
            InterfaceStatus::Activated => None,
        })
    };
    let devices = || {
        view.devices().iter().find_map(|(key, device)| match device.status {
            DeviceStatus::Pending if device.endpoint_count > 0 && !lacks_prefix(device) => {
                Some(vec![dz_sdk::instruction::device::activate_device(&ID, signer, *key)])
            }
            DeviceStatus::Deleting => Some(build::close_device(view, signer, *key).unwrap()),
            DeviceStatus::Pending | DeviceStatus::Activated | DeviceStatus::Drained => None,
        })
    };
    let links = || {
        view.links().iter().find_map(|(key, link)| match link.status {
            LinkStatus::Pending => {
                let net = NetworkV4::new(lowest(PoolKind::DeviceTunnelBlock).into(), 31).unwrap();
                Some(vec![build::activate_link(view, signer, *key, net).unwrap()])
            }
            LinkStatus::Deleting => Some(vec![build::close_link(view, signer, *key).unwrap()]),
            _ => None,
        })
    };
    let tenants = || {
        view.tenants().iter().find_map(|(key, found)| match found.status {
            TenantStatus::Pending => Some(vec![tenant::activate_tenant(&ID, signer, *key, 2)]),
            TenantStatus::Deleting => Some(vec![build::close_tenant(view, signer, *key)]),
            TenantStatus::Activated => None,
        })
    };
    let groups = || {
        view.groups().iter().find_map(|(key, group)| match group.status {
            MulticastGroupStatus::Pending => {
                let ip = lowest(PoolKind::MulticastGroupBlock).into();
                Some(vec![build::activate_multicast_group(view, signer, *key, ip).unwrap()])
            }
            MulticastGroupStatus::Deleting => Some(vec![build::close_multicast_group(view, signer, *key).unwrap()]),
            MulticastGroupStatus::Activated => None,
        })
    };
    let contributors = || {
        let mut gone = view.contributors().iter().filter(|(_, found)| found.status == ContributorStatus::Deleting);
        gone.next().map(|(key, _)| build::close_contributor(view, signer, *key).unwrap())
    };
    users().or_else(interfaces).or_else(devices).or_else(links).or_else(tenants).or_else(groups).or_else(contributors)
}

fn lacks_prefix(device: &Device) -> bool {
    device.bootstrap == Bootstrap::OwnPrefix && device.prefixes.is_empty()
}
