//! People at work on a small network: what they may ask of the chain, sensible or not, and a chain to ask.
//!
//! The network is small so that random requests meet: they run out of addresses, delete what is in use, connect
//! twice. What the program refuses is refused; the activator has to cope with what it lets through.

use std::{collections::BTreeMap, net::Ipv4Addr};

use dz_sdk::{
    NetworkView,
    build::{self, CreateUser},
    instruction::{
        access_pass, access_pass::PassLimits, contributor, exchange, global_config, link::LinkNumbers, tenant,
    },
    ledger::LedgerError,
    local::{LocalBank, LocalLedger},
    program::{
        ID,
        instruction::CreateDeviceArgs,
        network::NetworkV4,
        pda,
        state::{
            Bootstrap, ConfigNumbers, DeviceCaps, DeviceType, EndpointService, InterfaceKind, LinkStatus, PoolKind,
            Roles, UserType,
        },
    },
};
use proptest::prelude::*;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use crate::world::{ip, net};

/// Signs for everybody but the activator: the foundation may do what owners and payers may.
pub(crate) const FOUNDATION: Pubkey = Pubkey::new_from_array([0xf0; 32]);
/// Signs for the activator.
pub(crate) const ACTIVATOR: Pubkey = Pubkey::new_from_array([0xac; 32]);
/// Owns the contributors and gets the rent of what goes.
const OWNER: Pubkey = Pubkey::new_from_array([0x0e; 32]);

/// Blocks that can be added, the first of each kind at the start. The last but one holds prefixes that devices may
/// have registered as their own; the last is big, and not for histories.
const BLOCKS: [(PoolKind, &str); 12] = [
    (PoolKind::DoubleZeroBlock, "148.52.0.0/23"),
    (PoolKind::UserTunnelBlock, "169.254.0.0/30"),
    (PoolKind::DeviceTunnelBlock, "172.16.0.0/31"),
    (PoolKind::MulticastGroupBlock, "233.84.178.0/31"),
    (PoolKind::MulticastPublisherBlock, "148.51.120.0/32"),
    (PoolKind::DoubleZeroBlock, "148.53.0.0/24"),
    (PoolKind::UserTunnelBlock, "169.254.1.0/29"),
    (PoolKind::DeviceTunnelBlock, "172.17.0.0/30"),
    (PoolKind::MulticastGroupBlock, "233.84.179.0/30"),
    (PoolKind::MulticastPublisherBlock, "148.51.121.0/32"),
    (PoolKind::DoubleZeroBlock, "45.33.100.0/22"),
    (PoolKind::UserTunnelBlock, "169.254.2.0/24"),
];

const USER_TYPES: [UserType; 4] =
    [UserType::Ibrl, UserType::IbrlWithAllocatedIp, UserType::Multicast, UserType::EdgeFiltering];

/// One request. The numbers name things; those that are not there are refused by the program or by the builder.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    AddBlock(u8),
    RemoveBlock(u8),
    KeepBlocks(u8),
    CreateContributor(u8),
    GrantBlocks { contributor: u8, blocks: u8 },
    AddContributorPrefix { contributor: u8, prefix: u8 },
    RemoveContributorPrefix { contributor: u8, nth: u8 },
    SuspendContributor(u8),
    ResumeContributor(u8),
    DeleteContributor(u8),
    CreateDevice { device: u8, contributor: u8, bootstrap: u8, transit: bool },
    UpdateDevice { device: u8, transit: bool, wanted: u8 },
    AddPrefix { device: u8, prefix: u8 },
    RemovePrefix { device: u8, nth: u8 },
    MoveDevice { device: u8, address: u8 },
    DrainDevice(u8),
    UndrainDevice(u8),
    DeleteDevice(u8),
    CreateInterface { device: u8, name: u8, address: bool },
    SetInterfaceService { nth: u8, service: u8 },
    DeleteInterface(u8),
    CreateLink { link: u8, from: u8, to: u8 },
    AcceptLink(u8),
    SetLinkStatus { link: u8, status: u8 },
    DeleteLink(u8),
    CreateTenant(u8),
    DeleteTenant(u8),
    CreateGroup(u8),
    DeleteGroup(u8),
    AllowGroup { client: u8, group: u8, publish: bool, subscribe: bool },
    Connect { client: u8, endpoint: u8, kind: u8, tenant: Option<u8>, groups: Vec<(u8, bool, bool)> },
    SetRoles { nth: u8, groups: Vec<(u8, bool, bool)> },
    Disconnect(u8),
    Ban(u8),
}

/// Requests in about the proportions in which a network sees them.
pub(crate) fn op() -> impl Strategy<Value = Op> {
    let groups = || proptest::collection::vec((0..3u8, any::<bool>(), any::<bool>()), 1..3);
    let client = 0..6u8;
    let connect = (client.clone(), any::<u8>(), 0..4u8, proptest::option::of(0..2u8), groups())
        .prop_map(|(client, endpoint, kind, tenant, groups)| Op::Connect { client, endpoint, kind, tenant, groups });
    prop_oneof![
        3 => (0..11u8).prop_map(Op::AddBlock),
        1 => (0..11u8).prop_map(Op::RemoveBlock),
        1 => (0..3u8).prop_map(Op::KeepBlocks),
        1 => (0..3u8).prop_map(Op::CreateContributor),
        1 => (0..3u8, 0..3u8).prop_map(|(contributor, blocks)| Op::GrantBlocks { contributor, blocks }),
        3 => (0..3u8, 0..3u8)
            .prop_map(|(contributor, prefix)| Op::AddContributorPrefix { contributor, prefix }),
        1 => (0..3u8, any::<u8>())
            .prop_map(|(contributor, nth)| Op::RemoveContributorPrefix { contributor, nth }),
        1 => (0..2u8).prop_map(Op::SuspendContributor),
        3 => (0..2u8).prop_map(Op::ResumeContributor),
        1 => (0..3u8).prop_map(Op::DeleteContributor),
        6 => (0..4u8, 0..3u8, 0..8u8, prop::bool::weighted(0.1)).prop_map(
            |(device, contributor, bootstrap, transit)| Op::CreateDevice { device, contributor, bootstrap, transit }
        ),
        4 => (any::<u8>(), prop::bool::weighted(0.2), 0..6u8)
            .prop_map(|(device, transit, wanted)| Op::UpdateDevice { device, transit, wanted }),
        6 => (any::<u8>(), 0..6u8).prop_map(|(device, prefix)| Op::AddPrefix { device, prefix }),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(device, nth)| Op::RemovePrefix { device, nth }),
        2 => (any::<u8>(), 0..8u8).prop_map(|(device, address)| Op::MoveDevice { device, address }),
        1 => any::<u8>().prop_map(Op::DrainDevice),
        2 => any::<u8>().prop_map(Op::UndrainDevice),
        2 => any::<u8>().prop_map(Op::DeleteDevice),
        5 => (any::<u8>(), 0..5u8, any::<bool>())
            .prop_map(|(device, name, address)| Op::CreateInterface { device, name, address }),
        3 => (any::<u8>(), 0..4u8).prop_map(|(nth, service)| Op::SetInterfaceService { nth, service }),
        3 => any::<u8>().prop_map(Op::DeleteInterface),
        5 => (0..3u8, any::<u8>(), any::<u8>()).prop_map(|(link, from, to)| Op::CreateLink { link, from, to }),
        2 => any::<u8>().prop_map(Op::AcceptLink),
        4 => (any::<u8>(), 0..3u8).prop_map(|(link, status)| Op::SetLinkStatus { link, status }),
        3 => any::<u8>().prop_map(Op::DeleteLink),
        2 => (0..2u8).prop_map(Op::CreateTenant),
        1 => (0..2u8).prop_map(Op::DeleteTenant),
        2 => (0..4u8).prop_map(Op::CreateGroup),
        1 => (0..4u8).prop_map(Op::DeleteGroup),
        5 => (client, 0..3u8, any::<bool>(), any::<bool>())
            .prop_map(|(client, group, publish, subscribe)| Op::AllowGroup { client, group, publish, subscribe }),
        30 => connect,
        14 => (any::<u8>(), groups()).prop_map(|(nth, groups)| Op::SetRoles { nth, groups }),
        12 => any::<u8>().prop_map(Op::Disconnect),
        1 => any::<u8>().prop_map(Op::Ban),
    ]
}

/// A chain on which something is about to happen: blocks, contributors, tenants, groups, a device of each way of
/// bootstrapping, and passes that allow everything.
pub(crate) fn genesis() -> LocalLedger {
    let mut bank = LocalBank::new(ID, &FOUNDATION).remember(64);
    for key in [FOUNDATION, ACTIVATOR] {
        bank.airdrop(key, 1 << 60);
    }
    let ledger = LocalLedger::new(bank, FOUNDATION).unwrap();
    let payer = &FOUNDATION;
    let must = |instruction: Instruction| {
        ledger.bank().execute(&[FOUNDATION], &[instruction]).unwrap();
    };
    must(global_config::init_global_config(&ID, payer, config(0)));
    must(global_config::set_activator(&ID, payer, ACTIVATOR));
    must(exchange::create_exchange(&ID, payer, "nyc", "New York", 40_700_000, -74_000_000));
    for op in [0, 1, 2, 3, 4].map(Op::AddBlock).into_iter().chain([0, 1, 2].map(Op::CreateContributor)) {
        request(&ledger, &op).unwrap().unwrap();
    }
    for tenant in 0..2 {
        request(&ledger, &Op::CreateTenant(tenant)).unwrap().unwrap();
    }
    for group in 0..4 {
        request(&ledger, &Op::CreateGroup(group)).unwrap().unwrap();
    }
    for (device, bootstrap) in [(0, 0), (1, 3), (2, 5)] {
        let create = Op::CreateDevice { device, contributor: device % 2, bootstrap, transit: false };
        request(&ledger, &create).unwrap().unwrap();
    }
    for device in 0..3 {
        for (name, address) in [(0, true), (1, false)] {
            request(&ledger, &Op::CreateInterface { device, name, address }).unwrap().unwrap();
        }
        request(&ledger, &Op::AddPrefix { device, prefix: device }).unwrap().unwrap();
    }
    for client in 0..6 {
        let limits = PassLimits { max_unicast_users: 2, max_multicast_users: 2, ..PassLimits::default() };
        must(access_pass::set_access_pass(&ID, payer, client_ip(client), FOUNDATION, limits, None));
        if client % 3 != 0 {
            let pass = access_pass::pass_address(&ID, client_ip(client), payer, None);
            must(access_pass::set_pass_tenant(&ID, payer, pass, pda::tenant(&ID, "t0").0, true));
        }
        for group in 0..3 {
            request(&ledger, &Op::AllowGroup { client, group, publish: true, subscribe: true }).unwrap().unwrap();
        }
    }
    ledger
}

/// Sends a request. `None` when there is nothing in the view to ask it of, else what became of it.
pub(crate) fn request(ledger: &LocalLedger, op: &Op) -> Option<Result<(), LedgerError>> {
    let view = ledger.bank().view().unwrap();
    let instructions = instructions(&view, op)?;
    let outcome =
        futures_util::FutureExt::now_or_never(dz_sdk::Ledger::send(&ledger.as_payer(FOUNDATION), &instructions));
    Some(outcome.expect("a ledger in memory answers at once").map(drop))
}

fn instructions(view: &NetworkView, op: &Op) -> Option<Vec<Instruction>> {
    let payer = &FOUNDATION;
    let one = |built: Result<Instruction, build::BuildError>| built.ok().map(|instruction| vec![instruction]);
    match op {
        Op::AddBlock(block) => {
            let (kind, block) = block_of(*block);
            Some(vec![global_config::add_block(&ID, payer, kind, block)])
        }
        Op::RemoveBlock(block) => {
            let (kind, block) = block_of(*block);
            Some(vec![build::remove_block(view, payer, kind, block)])
        }
        Op::KeepBlocks(number) => Some(vec![global_config::set_global_config(&ID, payer, config(*number))]),
        Op::GrantBlocks { contributor, blocks } => {
            let key = contributor_key(*contributor);
            Some(vec![contributor::update_contributor(&ID, payer, key, OWNER, *blocks)])
        }
        Op::AddContributorPrefix { contributor, prefix } => {
            let key = contributor_key(*contributor);
            Some(vec![contributor::add_contributor_prefix(&ID, payer, key, net(&format!("45.34.{prefix}.0/28")))])
        }
        Op::RemoveContributorPrefix { contributor, nth } => {
            let key = contributor_key(*contributor);
            let prefixes = &view.contributor(&key)?.prefixes;
            let prefix = *prefixes.get(usize::from(*nth).checked_rem(prefixes.len())?)?;
            Some(vec![build::remove_contributor_prefix(view, payer, key, prefix)])
        }
        Op::CreateContributor(number) => {
            Some(vec![contributor::create_contributor(&ID, payer, &format!("c{number}"), OWNER)])
        }
        Op::SuspendContributor(number) => {
            Some(vec![contributor::suspend_contributor(&ID, payer, contributor_key(*number))])
        }
        Op::ResumeContributor(number) => {
            Some(vec![contributor::resume_contributor(&ID, payer, contributor_key(*number))])
        }
        Op::DeleteContributor(number) => {
            Some(vec![contributor::delete_contributor(&ID, payer, contributor_key(*number))])
        }
        Op::CreateDevice { device, contributor, bootstrap, transit } => {
            let args = CreateDeviceArgs {
                code: format!("d{device}"),
                device_type: if *transit { DeviceType::Transit } else { DeviceType::Hybrid },
                public_ip: Ipv4Addr::new(9, 1, 0, 1 + device),
                bootstrap: match bootstrap {
                    0 | 1 => Bootstrap::Carve { prefix_len: 29 },
                    2 => Bootstrap::Carve { prefix_len: 25 },
                    3 | 4 => Bootstrap::OwnPrefix,
                    5 => Bootstrap::OwnEndpoints,
                    6 => Bootstrap::CarveBlock { prefix_len: 29 },
                    _ => Bootstrap::Carve { prefix_len: 30 },
                },
                endpoints_wanted: None,
                tunnel_slots: 3,
                caps: DeviceCaps { max_users: 5, ..DeviceCaps::default() },
            };
            let exchange = pda::exchange(&ID, "nyc").0;
            one(build::create_device(view, payer, contributor_key(*contributor), exchange, args))
        }
        Op::UpdateDevice { device, transit, wanted } => {
            let device_type = if *transit { DeviceType::Transit } else { DeviceType::Hybrid };
            let caps = DeviceCaps { max_users: 5, ..DeviceCaps::default() };
            one(build::update_device(view, payer, pick(view.devices(), *device)?, device_type, caps, *wanted))
        }
        Op::AddPrefix { device, prefix } => {
            let prefix = net(&format!("45.33.{}.0/29", 100 + prefix));
            one(build::add_device_prefix(view, payer, pick(view.devices(), *device)?, prefix))
        }
        Op::RemovePrefix { device, nth } => {
            let device = pick(view.devices(), *device)?;
            let prefixes = &view.device(&device)?.prefixes;
            let prefix = prefixes.get(usize::from(*nth).checked_rem(prefixes.len())?)?.net;
            one(build::remove_device_prefix(view, payer, device, prefix))
        }
        Op::MoveDevice { device, address } => {
            let to = Ipv4Addr::new(9, 1, 0, 1 + address);
            one(build::set_device_public_ip(view, payer, pick(view.devices(), *device)?, to))
        }
        Op::DrainDevice(device) => one(build::drain_device(view, payer, pick(view.devices(), *device)?)),
        Op::UndrainDevice(device) => one(build::undrain_device(view, payer, pick(view.devices(), *device)?)),
        Op::DeleteDevice(device) => one(build::delete_device(view, payer, pick(view.devices(), *device)?)),
        Op::CreateInterface { device, name, address } => {
            let key = pick(view.devices(), *device)?;
            let names = ["Ethernet1/1", "Ethernet1/2", "Loopback100", "Loopback103", "Loopback255"];
            let public_ip = view.device(&key)?.public_ip;
            let own = match name {
                0 => public_ip,
                _ => Ipv4Addr::new(9, 2, public_ip.octets()[3], *name),
            };
            let own = address.then_some(own);
            one(build::create_interface(view, payer, key, names[usize::from(*name)], own, *address))
        }
        Op::SetInterfaceService { nth, service } => {
            let key = pick(view.interfaces(), *nth)?;
            let services = [EndpointService::Any, EndpointService::Unicast, EndpointService::Multicast];
            // Any is twice as often: what was restricted takes tunnels again.
            let service = services.get(usize::from(*service)).copied().unwrap_or_default();
            one(build::update_interface(view, payer, key, service, view.interface(&key)?.metadata))
        }
        Op::DeleteInterface(nth) => one(build::delete_interface(view, payer, pick(view.interfaces(), *nth)?)),
        Op::CreateLink { link, from, to } => {
            let ports: Vec<_> = view
                .interfaces()
                .iter()
                .filter(|(_, interface)| interface.kind == InterfaceKind::Physical && interface.link.is_none())
                .map(|(key, _)| *key)
                .collect();
            let port = |nth: u8| ports.get(usize::from(nth).checked_rem(ports.len())?).copied();
            let numbers = LinkNumbers { delay_ns: 1_000_000, bandwidth: 10_000_000_000, mtu: 9000 };
            one(build::create_link(view, payer, &format!("l{link}"), port(*from)?, port(*to)?, numbers))
        }
        Op::AcceptLink(link) => one(build::accept_link(view, payer, pick(view.links(), *link)?)),
        Op::SetLinkStatus { link, status } => {
            let status =
                [LinkStatus::Activated, LinkStatus::SoftDrained, LinkStatus::HardDrained][usize::from(*status)];
            one(build::set_link_status(view, payer, pick(view.links(), *link)?, status))
        }
        Op::DeleteLink(link) => one(build::delete_link(view, payer, pick(view.links(), *link)?)),
        Op::CreateTenant(number) => Some(vec![tenant::create_tenant(&ID, payer, &format!("t{number}"), vec![])]),
        Op::DeleteTenant(number) => Some(vec![tenant::delete_tenant(&ID, payer, tenant_key(*number))]),
        Op::CreateGroup(number) => {
            let create = dz_sdk::instruction::multicast_group::create_multicast_group;
            Some(vec![create(&ID, payer, &format!("g{number}"), OWNER, 1_000_000)])
        }
        Op::DeleteGroup(number) => {
            let delete = dz_sdk::instruction::multicast_group::delete_multicast_group;
            Some(vec![delete(&ID, payer, group_key(*number))])
        }
        Op::AllowGroup { client, group, publish, subscribe } => {
            let pass = access_pass::pass_address(&ID, client_ip(*client), payer, None);
            let group = group_key(*group);
            Some(vec![access_pass::set_pass_group(&ID, payer, pass, group, None, (*publish, *subscribe))])
        }
        Op::Connect { client, endpoint, kind, tenant, groups } => {
            let endpoints: Vec<_> = view.devices().keys().flat_map(|device| view.endpoints(device)).collect();
            let wanted = CreateUser {
                client_ip: client_ip(*client),
                endpoint_ip: endpoints.get(usize::from(*endpoint).checked_rem(endpoints.len())?)?.0,
                user_type: USER_TYPES[usize::from(*kind)],
                tenant: tenant.filter(|_| *kind != 2).map(tenant_key),
                roles: if *kind == 2 { roles(groups) } else { vec![] },
            };
            one(build::create_user(view, payer, &FOUNDATION, wanted))
        }
        Op::SetRoles { nth, groups } => {
            build::set_user_roles(view, payer, pick(view.users(), *nth)?, &roles(groups)).ok()
        }
        Op::Disconnect(nth) => one(build::delete_user(view, payer, pick(view.users(), *nth)?)),
        Op::Ban(nth) => one(build::ban_user(view, payer, pick(view.users(), *nth)?)),
    }
}

/// Five loopbacks for endpoints, and this number of /24s kept.
fn config(kept_blocks: u8) -> ConfigNumbers {
    ConfigNumbers { endpoint_loopback_last: 104, kept_blocks: kept_blocks.into(), ..ConfigNumbers::default() }
}

fn block_of(number: u8) -> (PoolKind, NetworkV4) {
    let (kind, block) = BLOCKS[usize::from(number)];
    (kind, net(block))
}

fn roles(groups: &[(u8, bool, bool)]) -> Vec<(Pubkey, Roles)> {
    let mut roles: Vec<(Pubkey, Roles)> = Vec::new();
    for (group, publish, subscribe) in groups {
        let key = group_key(*group);
        if roles.iter().all(|(other, _)| *other != key) {
            roles.push((key, Roles { publish: *publish, subscribe: *subscribe }));
        }
    }
    roles
}

/// One of what there is.
fn pick<T>(things: &BTreeMap<Pubkey, T>, nth: u8) -> Option<Pubkey> {
    things.keys().nth(usize::from(nth).checked_rem(things.len())?).copied()
}

fn client_ip(client: u8) -> Ipv4Addr {
    let [a, b, c, _] = ip("7.0.0.0").octets();
    Ipv4Addr::new(a, b, c, 1 + client)
}

fn contributor_key(number: u8) -> Pubkey {
    pda::contributor(&ID, &format!("c{number}")).0
}

fn tenant_key(number: u8) -> Pubkey {
    pda::tenant(&ID, &format!("t{number}")).0
}

fn group_key(number: u8) -> Pubkey {
    pda::multicast_group(&ID, &format!("g{number}")).0
}
