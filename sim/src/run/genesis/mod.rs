//! The network of a plan as transactions: what an operator would type before the first user comes.

pub mod bank;

use anyhow::Context;
use dz_sdk::{
    Ledger, build,
    instruction::{
        self, access_pass, contributor, device, exchange, global_config, interface, link, multicast_group, tenant,
    },
    program::{
        ID,
        instruction::CreateDeviceArgs,
        network::NetworkV4,
        pda,
        state::{self, ConfigNumbers, LinkEnd, PoolKind},
    },
};
use dzsim_scenario::plan::{
    AccessPass, Bootstrap, Client, Device, DeviceCode, DeviceType, Link, LinkCode, Plan, Policy,
};
use ipnet::Ipv4Net;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::{
    interface_names,
    internet::profile,
    keys::{Keys, Owner},
};

/// Bits per second of a group: more than any scenario sends.
const GROUP_BANDWIDTH: u64 = 1_000_000_000;
/// Bits per second of a link on chain, which knows 10 to 400 Gbit/s; the fabric may carry less.
const MIN_LINK_BANDWIDTH: u64 = 10_000_000_000;
/// Nanoseconds of the shortest link on chain.
const MIN_LINK_DELAY_NS: u64 = 10_000;

/// Writes the network to the chain, in as few transactions as hold it.
///
/// # Errors
/// A plan that is no network, or a transaction that does not land.
pub async fn write(chain: &dyn Ledger, plan: &Plan, policy: &Policy, keys: Keys) -> anyhow::Result<()> {
    let payer = chain.payer();
    for transaction in build::pack(&payer, instructions(plan, policy, keys)?) {
        chain.send(&transaction).await?;
    }
    Ok(())
}

/// The network as a list of instructions.
///
/// # Errors
/// The plan names something that the chain cannot hold.
pub fn instructions(plan: &Plan, policy: &Policy, keys: Keys) -> anyhow::Result<Vec<Instruction>> {
    let payer = keys.of(Owner::Foundation).pubkey();
    let mut list = Vec::new();
    config(policy, keys, &payer, &mut list)?;
    for (code, metro) in &plan.exchanges {
        let micro = |degrees: f64| (degrees * 1e6).round() as i32;
        let place = (micro(metro.location.lat), micro(metro.location.lng));
        list.push(exchange::create_exchange(&ID, &payer, code.as_str(), &metro.name, place.0, place.1));
    }
    for (code, wanted) in &plan.contributors {
        let owner = keys.of(Owner::Contributor(code.as_str())).pubkey();
        list.push(contributor::create_contributor(&ID, &payer, code.as_str(), owner));
        let key = pda::contributor(&ID, code.as_str()).0;
        for net in &wanted.prefixes {
            list.push(contributor::add_contributor_prefix(&ID, &payer, key, network(*net)?));
        }
        if wanted.granted_blocks > 0 {
            list.push(contributor::update_contributor(&ID, &payer, key, owner, wanted.granted_blocks));
        }
    }
    for code in plan.tenants.keys() {
        let administrator = keys.of(Owner::Tenant(code.as_str())).pubkey();
        list.push(tenant::create_tenant(&ID, &payer, code.as_str(), vec![payer, administrator]));
    }
    for code in plan.groups.keys() {
        list.push(multicast_group::create_multicast_group(&ID, &payer, code.as_str(), payer, GROUP_BANDWIDTH));
    }
    for (code, wanted) in &plan.devices {
        create_device(policy, &payer, code, wanted, &mut list)?;
    }
    for (code, wanted) in &plan.links {
        create_link(plan, &payer, code, wanted, &mut list)?;
    }
    for (name, client) in &plan.clients {
        if let Some(pass) = &client.pass {
            give_pass(keys, &payer, name.as_str(), client, pass, &mut list);
        }
    }
    Ok(list)
}

fn config(policy: &Policy, keys: Keys, payer: &Pubkey, list: &mut Vec<Instruction>) -> anyhow::Result<()> {
    let args = ConfigNumbers {
        endpoint_loopback_first: policy.loopbacks.first,
        endpoint_loopback_last: policy.loopbacks.last,
        min_contributor_prefix: policy.minimum_prefix,
        endpoints_per_device: policy.endpoints_per_device,
        same_metro_routing: policy.same_metro_routing,
        kept_blocks: policy.kept_blocks,
        ..ConfigNumbers::default()
    };
    list.push(global_config::init_global_config(&ID, payer, args));
    list.push(global_config::set_activator(&ID, payer, keys.of(Owner::Activator).pubkey()));
    let blocks = &policy.blocks;
    let kinds = [
        (PoolKind::DoubleZeroBlock, &blocks.doublezero),
        (PoolKind::UserTunnelBlock, &blocks.user_tunnels),
        (PoolKind::DeviceTunnelBlock, &blocks.device_tunnels),
        (PoolKind::MulticastGroupBlock, &blocks.groups),
        (PoolKind::MulticastPublisherBlock, &blocks.publishers),
    ];
    for (kind, nets) in kinds {
        for net in nets {
            list.push(global_config::add_block(&ID, payer, kind, network(*net)?));
        }
    }
    Ok(())
}

fn network(net: Ipv4Net) -> anyhow::Result<NetworkV4> {
    Ok(NetworkV4::try_from(net)?)
}

fn create_device(
    policy: &Policy,
    payer: &Pubkey,
    code: &DeviceCode,
    wanted: &Device,
    list: &mut Vec<Instruction>,
) -> anyhow::Result<()> {
    let contributor = pda::contributor(&ID, wanted.contributor.as_str()).0;
    let (bootstrap, endpoints_wanted) = match &wanted.bootstrap {
        Bootstrap::Carve { from_block: false, prefix_len, pull } => {
            (state::Bootstrap::Carve { prefix_len: *prefix_len }, *pull)
        }
        Bootstrap::Carve { from_block: true, prefix_len, pull } => {
            (state::Bootstrap::CarveBlock { prefix_len: *prefix_len }, *pull)
        }
        Bootstrap::OwnPrefix { pull, .. } => (state::Bootstrap::OwnPrefix, *pull),
        Bootstrap::OwnEndpoints { .. } => (state::Bootstrap::OwnEndpoints, 0),
    };
    let (caps, default) = (wanted.caps, state::DeviceCaps::default());
    let args = CreateDeviceArgs {
        code: code.as_str().to_owned(),
        device_type: match wanted.device_type {
            DeviceType::Hybrid => state::DeviceType::Hybrid,
            DeviceType::Transit => state::DeviceType::Transit,
            DeviceType::Edge => state::DeviceType::Edge,
        },
        public_ip: wanted.public_ip,
        bootstrap,
        endpoints_wanted: Some(endpoints_wanted),
        tunnel_slots: wanted.tunnel_slots.unwrap_or(state::Device::DEFAULT_TUNNEL_SLOTS),
        caps: state::DeviceCaps {
            max_users: caps.max_users.unwrap_or(default.max_users),
            max_unicast_users: caps.max_unicast.unwrap_or(default.max_unicast_users),
            max_multicast_subscribers: caps.max_subscribers.unwrap_or(default.max_multicast_subscribers),
            max_multicast_publishers: caps.max_publishers.unwrap_or(default.max_multicast_publishers),
            reserved_seats: caps.reserved_seats.unwrap_or(default.reserved_seats),
            ..default
        },
    };
    let exchange = pda::exchange(&ID, wanted.exchange.as_str()).0;
    list.push(device::create_device(&ID, payer, contributor, exchange, policy.loopbacks.first, args));

    let account = pda::device(&ID, code.as_str()).0;
    let mut endpoint = |name: &str, ip| {
        list.push(interface::create_interface(
            &ID,
            payer,
            interface::CreateInterface {
                contributor,
                device: account,
                public_ip: wanted.public_ip,
                loopback_range: (policy.loopbacks.first, policy.loopbacks.last),
                name: name.to_owned(),
                ip: Some(ip),
                user_tunnel_endpoint: true,
            },
        ));
    };
    if wanted.public_ip_endpoint {
        endpoint(interface_names::UPLINK_INTERFACE, wanted.public_ip);
    }
    if let Bootstrap::OwnEndpoints { endpoints, .. } = &wanted.bootstrap {
        endpoints.iter().for_each(|own| endpoint(&own.interface, own.address));
    }
    if let Bootstrap::OwnPrefix { prefixes, .. } | Bootstrap::OwnEndpoints { prefixes, .. } = &wanted.bootstrap {
        for net in prefixes {
            list.push(device::add_device_prefix(&ID, payer, contributor, account, network(*net)?));
        }
    }
    Ok(())
}

fn create_link(
    plan: &Plan,
    payer: &Pubkey,
    code: &LinkCode,
    wanted: &Link,
    list: &mut Vec<Instruction>,
) -> anyhow::Result<()> {
    let of = |code: &DeviceCode| plan.devices.get(code).with_context(|| format!("link to unknown device {code}"));
    let mut end = |code: &DeviceCode, name: &str| -> anyhow::Result<LinkEnd> {
        let device = pda::device(&ID, code.as_str()).0;
        let wanted = of(code)?;
        list.push(interface::create_interface(
            &ID,
            payer,
            interface::CreateInterface {
                contributor: pda::contributor(&ID, wanted.contributor.as_str()).0,
                device,
                public_ip: wanted.public_ip,
                // A physical interface is in no loopback range.
                loopback_range: (0, 0),
                name: name.to_owned(),
                ip: None,
                user_tunnel_endpoint: false,
            },
        ));
        Ok(LinkEnd { device, interface: pda::interface(&ID, &device, name).0 })
    };
    let ends = (end(&wanted.a, &wanted.a_interface)?, end(&wanted.z, &wanted.z_interface)?);
    let delay = u64::try_from(profile::link_delay(plan, wanted)?.as_nanos())?;
    let numbers = link::LinkNumbers {
        delay_ns: delay.max(MIN_LINK_DELAY_NS),
        bandwidth: wanted.rate_bps.max(MIN_LINK_BANDWIDTH),
        mtu: wanted.mtu,
    };
    let (a, z) = (&of(&wanted.a)?.contributor, &of(&wanted.z)?.contributor);
    let contributor = |code: &dzsim_scenario::plan::ContributorCode| pda::contributor(&ID, code.as_str()).0;
    list.push(link::create_link(&ID, payer, contributor(a), code.as_str(), ends, numbers));
    if a != z {
        list.push(link::accept_link(&ID, payer, contributor(z), ends.1, pda::link(&ID, code.as_str()).0));
    }
    Ok(())
}

fn give_pass(keys: Keys, payer: &Pubkey, name: &str, client: &Client, pass: &AccessPass, list: &mut Vec<Instruction>) {
    let key = keys.of(Owner::Client(name)).pubkey();
    let client_ip = if pass.any_ip { std::net::Ipv4Addr::UNSPECIFIED } else { client.client_ip };
    let limits = access_pass::PassLimits {
        last_access_epoch: pass.last_epoch,
        max_unicast_users: pass.max_unicast,
        max_multicast_users: pass.max_multicast,
    };
    list.push(instruction::access_pass::set_access_pass(&ID, payer, client_ip, key, limits, None));
    let account = access_pass::pass_address(&ID, client_ip, &key, None);
    for code in &pass.tenants {
        list.push(access_pass::set_pass_tenant(&ID, payer, account, pda::tenant(&ID, code.as_str()).0, true));
    }
    for group in pass.publish.union(&pass.subscribe) {
        let (publish, subscribe) = (pass.publish.contains(group), pass.subscribe.contains(group));
        let group = pda::multicast_group(&ID, group.as_str()).0;
        list.push(access_pass::set_pass_group(&ID, payer, account, group, None, (publish, subscribe)));
    }
}
