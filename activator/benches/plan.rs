//! Benchmark of planning: 100 devices, and from 1,250 to 20,000 users that all wait, planned from cold.
//!
//! `cargo bench -p dz-activator`. The time for one user should not grow with their number.

use std::{
    hint::black_box,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use dz_activator::{Plan, plan};
use dz_policy::ActivatorPolicy;
use dz_sdk::{
    NetworkView,
    program::{
        network::NetworkV4,
        pda,
        state::{
            AccountData, AddressSource, Bootstrap, ConfigNumbers, Device, DeviceCaps, DeviceCounts, DevicePrefix,
            DeviceStatus, DeviceType, EndpointService, GlobalConfig, Interface, InterfaceAddress, InterfaceKind,
            InterfaceMetadata, InterfaceStatus, Pool, PoolKind, PrefixSource, User, UserStatus, UserType,
        },
    },
};
use solana_pubkey::Pubkey;

const DEVICES: u32 = 100;
const ROUNDS: usize = 21;

fn main() {
    println!("{:>8} {:>12} {:>12} {:>12} {:>10}", "users", "median", "fastest", "slowest", "per user");
    for users in [1_250, 2_500, 5_000, 10_000, 20_000] {
        let view = view(users);
        let mut times: Vec<_> = (0..ROUNDS).map(|_| time(&view, users)).collect();
        times.sort();
        let median = times[ROUNDS / 2];
        println!(
            "{users:>8} {median:>12.3?} {:>12.3?} {:>12.3?} {:>10.0?}",
            times[0],
            times[ROUNDS - 1],
            median / users
        );
    }
}

fn time(view: &NetworkView, users: u32) -> Duration {
    let started = Instant::now();
    let plan: Plan = plan(black_box(view), &ActivatorPolicy::default());
    let took = started.elapsed();
    assert_eq!(plan.actions.len(), users as usize, "every user must get its tunnel");
    took
}

/// Users are spread over the devices; one in four is of each kind, pure subscribers among the multicast users.
fn view(users: u32) -> NetworkView {
    let program = dz_sdk::program::ID;
    let mut view = NetworkView::new(program);
    view.set_slot(1);
    let mut put = |key: Pubkey, data: Vec<u8>| view.set_account(key, &data).expect("a whole account");

    let config_key = pda::config(&program).0;
    let publisher_block = net([148, 51, 0, 0], 16);
    let tunnel_block = net([169, 254, 0, 0], 16);
    let config = GlobalConfig {
        device_count: DEVICES,
        user_tunnel_blocks: vec![tunnel_block],
        multicast_publisher_blocks: vec![publisher_block],
        ..GlobalConfig::new(key(0, 1), ConfigNumbers::default())
    };
    put(config_key, config.encode());
    let mut put_pool = |kind, owner, base, unit, count, reserved| {
        let pool = Pool::new(kind, owner, base, unit, count, reserved);
        put(pda::pool(&program, kind, &owner, base).0, pool.encode());
    };
    put_pool(PoolKind::UserTunnelBlock, config_key, u32::from(tunnel_block.network()), 2, 1 << 15, 0);
    put_pool(PoolKind::MulticastPublisherBlock, config_key, u32::from(publisher_block.network()), 1, 1 << 16, 0);
    for device in 0..DEVICES {
        let prefix = prefix_of(device);
        put_pool(PoolKind::TunnelIds, key(1, device), 500, 1, 4096, 0);
        put_pool(PoolKind::EndpointLoopbacks, key(1, device), 100, 1, 100, 0);
        put_pool(PoolKind::DevicePrefix, key(1, device), u32::from(prefix.network()), 1, 256, 1);
    }
    for device in 0..DEVICES {
        put(key(1, device), device_account(device).encode());
        for number in 0..2 {
            put(key(2, device * 2 + number), interface_account(device, number).encode());
        }
    }
    for user in 0..users {
        put(key(3, user), user_account(user).encode());
    }
    view
}

fn device_account(device: u32) -> Device {
    Device {
        code: format!("device{device}"),
        contributor: key(0, 3),
        exchange: key(0, 4),
        device_type: DeviceType::Hybrid,
        status: DeviceStatus::Activated,
        public_ip: Ipv4Addr::from(0x0900_0000 + device),
        bootstrap: Bootstrap::OwnPrefix,
        endpoints_wanted: 2,
        prefixes: vec![DevicePrefix { net: prefix_of(device), source: PrefixSource::Own }],
        tunnel_slots: 4096,
        caps: DeviceCaps { max_users: 4096, ..DeviceCaps::default() },
        counts: DeviceCounts::default(),
        public_ip_interface: None,
        interface_count: 2,
        endpoint_count: 2,
        pulled_count: 2,
        link_count: 0,
    }
}

fn interface_account(device: u32, number: u32) -> Interface {
    let base = u32::from(prefix_of(device).network());
    let pool = pda::pool(&dz_sdk::program::ID, PoolKind::DevicePrefix, &key(1, device), base).0;
    let ip = Ipv4Addr::from(base + 1 + number);
    Interface {
        device: key(1, device),
        name: format!("Loopback{}", 100 + number),
        kind: InterfaceKind::Loopback,
        status: InterfaceStatus::Activated,
        address: Some(InterfaceAddress { ip, source: AddressSource::Pulled { pool } }),
        loopback_number: Some(100 + number as u16),
        user_tunnel_endpoint: true,
        service: EndpointService::Any,
        metadata: InterfaceMetadata::default(),
        user_count: 0,
        link: None,
    }
}

fn user_account(user: u32) -> User {
    let device = user % DEVICES;
    let (user_type, publishers, subscribers) = match user / DEVICES % 4 {
        0 => (UserType::Ibrl, vec![], vec![]),
        1 => (UserType::IbrlWithAllocatedIp, vec![], vec![]),
        2 => (UserType::Multicast, vec![key(4, 0)], vec![]),
        _ => (UserType::Multicast, vec![], vec![key(4, 0)]),
    };
    User {
        client_ip: Ipv4Addr::from(0x0a00_0000 + user),
        endpoint_ip: Ipv4Addr::from(u32::from(prefix_of(device).network()) + 1),
        owner: key(0, 5),
        access_pass: key(0, 6),
        device: key(1, device),
        interface: key(2, device * 2),
        user_type,
        tenant: None,
        status: UserStatus::Pending,
        allocation: None,
        publishers,
        subscribers,
        reject_reason: String::new(),
    }
}

fn prefix_of(device: u32) -> NetworkV4 {
    net([45, 33, device as u8, 0], 24)
}

fn net(octets: [u8; 4], len: u8) -> NetworkV4 {
    NetworkV4::new(octets.into(), len).expect("a network")
}

/// A key that looks like any other: the digits of a kind and a number, mixed.
fn key(kind: u8, number: u32) -> Pubkey {
    let mut bytes = [kind; 32];
    for (index, byte) in bytes.iter_mut().enumerate().skip(1) {
        let mixed = (number ^ (index as u32) << 24).wrapping_mul(0x9e37_79b1);
        *byte = (mixed >> 16) as u8;
    }
    bytes[28..].copy_from_slice(&number.to_be_bytes());
    Pubkey::new_from_array(bytes)
}
