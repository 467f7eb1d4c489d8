//! Relations and states: what refers to what, and what a status allows.

use std::collections::{BTreeMap, BTreeSet};

use dz_serviceability::{
    instruction::{DEFAULT_VRF_ID, FIRST_TUNNEL_ID},
    network::is_global,
    pda,
    state::{
        AddressSource, DeviceStatus, InterfaceStatus, LinkStatus, MulticastGroupStatus, PoolKind, TenantStatus, User,
        UserStatus, UserType,
    },
};
use solana_pubkey::Pubkey;

use super::Findings;
use crate::view::NetworkView;

pub(super) fn check(view: &NetworkView, findings: &mut Findings) {
    check_pairs(view, findings);
    for (key, user) in view.users() {
        check_user(view, findings, key, user);
    }
    check_interfaces(view, findings);
    check_links(view, findings);
    check_pools(view, findings);
    for (key, tenant) in view.tenants() {
        let fits = (tenant.status == TenantStatus::Pending) <= tenant.vrf_id.is_none()
            && (tenant.status == TenantStatus::Activated) <= tenant.vrf_id.is_some();
        findings.same(key, "that the VRF id fits the status", fits, true);
    }
    for (key, group) in view.groups() {
        let fits = (group.status == MulticastGroupStatus::Pending) <= group.address.is_none()
            && (group.status == MulticastGroupStatus::Activated) <= group.address.is_some();
        findings.same(key, "that the address fits the status", fits, true);
    }
}

/// Invariant U: no two live tunnels share (client_ip, endpoint_ip).
fn check_pairs(view: &NetworkView, findings: &mut Findings) {
    let mut pairs = BTreeMap::new();
    for (key, user) in view.users().iter().filter(|(_, user)| user.is_live()) {
        if let Some(other) = pairs.insert((user.client_ip, user.endpoint_ip), key) {
            findings.add(key, format!("has the same client and endpoint as {other}"));
        }
    }
}

fn check_user(view: &NetworkView, findings: &mut Findings, key: &Pubkey, user: &User) {
    use UserStatus::{Activated, Banned, Deleting, Pending, PendingBan, Rejected, Updating};
    let allocation = match user.status {
        Pending | Rejected | Banned => Some(false),
        Activated | Updating => Some(true),
        Deleting | PendingBan => None,
    };
    if let Some(expected) = allocation {
        findings.same(key, "that it holds a tunnel", user.allocation.is_some(), expected);
    }
    let distinct = |groups: &[Pubkey]| groups.iter().collect::<BTreeSet<_>>().len() == groups.len();
    if !distinct(&user.publishers) || !distinct(&user.subscribers) {
        findings.add(key, "has a role twice");
    }
    let has_roles = !user.publishers.is_empty() || !user.subscribers.is_empty();
    if has_roles && matches!(user.status, Rejected | Banned) {
        findings.add(key, "has roles although it holds nothing");
    }
    if has_roles && !user.user_type.is_multicast() {
        findings.add(key, "is a unicast user with roles");
    }
    if let Some(held) = user.allocation {
        findings.same(key, "the length of its network", held.tunnel_net.prefix_len(), 31);
        let own = user.status == Activated;
        let from_pool = match user.user_type {
            UserType::Ibrl => Some(false),
            UserType::IbrlWithAllocatedIp | UserType::EdgeFiltering => Some(true),
            UserType::Multicast => own.then_some(user.is_publisher()),
        };
        if let Some(expected) = from_pool {
            findings.same(key, "that its dz_ip comes from a pool", held.dz_ip_pool.is_some(), expected);
        }
        let foundations =
            |ip| view.config().is_some_and(|config| config.double_zero_blocks.iter().any(|it| it.contains(&ip)));
        if user.user_type == UserType::EdgeFiltering && !foundations(held.dz_ip) {
            findings.add(key, "filters at the edge for an address that is not of the foundation's space");
        }
        if held.dz_ip_pool.is_none() && held.dz_ip != user.client_ip {
            findings.add(key, "has a dz_ip that is neither its own address nor from a pool");
        }
    }
    if !user.is_live() {
        return;
    }
    let endpoint = view.interface(&user.interface).filter(|interface| interface.device == user.device);
    findings.same(key, "its endpoint", endpoint.and_then(|found| found.endpoint()), Some(user.endpoint_ip));
    if !is_global(user.endpoint_ip) {
        findings.add(key, "ends on an address that is not public");
    }
    let device = view.device(&user.device).map(|device| device.status);
    if !matches!(device, Some(DeviceStatus::Activated | DeviceStatus::Drained)) {
        findings.add(key, format!("is live on a device that is {device:?}"));
    }
    let pass = view.access_pass(&user.access_pass);
    findings.same(key, "the payer of its pass", pass.map(|pass| pass.payer), Some(user.owner));
    if pass.is_some_and(|pass| pass.names_address() && pass.client_ip != user.client_ip) {
        findings.add(key, "connects from an address that its pass is not for");
    }
    if user.tenant.is_some_and(|tenant| view.tenant(&tenant).is_none_or(|tenant| tenant.vrf_id.is_none())) {
        findings.add(key, "is in a tenant that has no VRF");
    }
}

fn check_interfaces(view: &NetworkView, findings: &mut Findings) {
    for (key, device) in view.devices() {
        let interface = device.public_ip_interface.map(|named| view.interface(&named));
        if interface.is_some_and(|found| found.is_none_or(|found| found.device != *key || found.address.is_none())) {
            findings.add(key, "has no interface that stands for its public_ip, and names one");
        }
    }
    let mut addresses = BTreeMap::new();
    for (key, interface) in view.interfaces() {
        let Some(device) = view.device(&interface.device) else {
            findings.add(key, "is an interface of no device");
            continue;
        };
        if let Some(address) = interface.address {
            if let Some(other) = addresses.insert(address.ip, key) {
                findings.add(key, format!("has the same address as {other}"));
            }
            let stands = address.source == AddressSource::PublicIp;
            findings.same(key, "that it stands for the public_ip", stands, device.public_ip_interface == Some(*key));
            findings.same(key, "that it has the public_ip", address.ip == device.public_ip, stands);
        }
        if interface.user_tunnel_endpoint && interface.address.is_none() {
            findings.add(key, "is an endpoint without an address");
        }
        if interface.status == InterfaceStatus::Deleting && (interface.user_count > 0 || interface.link.is_some()) {
            findings.add(key, "goes away under a user or a link");
        }
        let link = interface.link.map(|link| view.link(&link));
        if let Some(link) = link {
            let end = link
                .is_some_and(|link| link.side_a.interface == *key || (link.accepted && link.side_z.interface == *key));
            findings.same(key, "that its link ends on it", end, true);
        }
    }
}

fn check_links(view: &NetworkView, findings: &mut Findings) {
    use LinkStatus::{Activated, Deleting, HardDrained, Pending, Requested, SoftDrained};
    for (key, link) in view.links() {
        let network = match link.status {
            Requested | Pending => Some(false),
            Activated | SoftDrained | HardDrained => Some(true),
            Deleting => None,
        };
        if let Some(network) = link.network {
            findings.same(key, "the length of its network", network.net.prefix_len(), 31);
        }
        if let Some(expected) = network {
            findings.same(key, "that it has a network", link.network.is_some(), expected);
            findings.same(key, "that it is accepted", link.accepted, link.status != Requested);
        }
        if link.in_service() {
            findings.same(key, "its status", link.status, link.drained_status());
        }
        let bound = |interface: &Pubkey| view.interface(interface).is_some_and(|found| found.link == Some(*key));
        findings.same(key, "that side A is bound", bound(&link.side_a.interface), true);
        findings.same(key, "that side Z is bound", bound(&link.side_z.interface), link.accepted);
    }
}

/// Every pool is some account's, and every account has the pools it must have. By what pools say of themselves:
/// finding addresses would cost a hash or two each.
fn check_pools(view: &NetworkView, findings: &mut Findings) {
    let Some(config) = view.config() else { return };
    let owner = pda::config(view.program()).0;
    let mut expected = BTreeSet::from([(PoolKind::VrfIds, owner, u32::from(DEFAULT_VRF_ID))]);
    for kind in [
        PoolKind::DoubleZeroBlock,
        PoolKind::UserTunnelBlock,
        PoolKind::DeviceTunnelBlock,
        PoolKind::MulticastGroupBlock,
        PoolKind::MulticastPublisherBlock,
    ] {
        let blocks = config.blocks(kind).into_iter().flatten();
        expected.extend(blocks.map(|block| (kind, owner, u32::from(block.network()))));
    }
    for (key, contributor) in view.contributors() {
        let blocks = contributor.blocks.iter();
        expected.extend(blocks.map(|block| (PoolKind::ContributorBlock, *key, u32::from(block.network()))));
        let prefixes = contributor.prefixes.iter();
        expected.extend(prefixes.map(|prefix| (PoolKind::ContributorPrefix, *key, u32::from(prefix.network()))));
    }
    for (key, device) in view.devices() {
        expected.insert((PoolKind::TunnelIds, *key, u32::from(FIRST_TUNNEL_ID)));
        expected.insert((PoolKind::EndpointLoopbacks, *key, u32::from(config.endpoint_loopback_first)));
        let prefixes = device.prefixes.iter();
        expected.extend(prefixes.map(|prefix| (PoolKind::DevicePrefix, *key, u32::from(prefix.net.network()))));
    }
    let pools = view
        .pools()
        .iter()
        .filter(|(_, pool)| !matches!(pool.kind, PoolKind::AddressRegistry | PoolKind::ClientAddresses));
    for (key, pool) in pools {
        if !expected.remove(&(pool.kind, pool.owner, pool.base)) {
            findings.add(key, "a pool belongs to nothing");
        }
    }
    for (kind, owner, base) in expected {
        findings.add(&owner, format!("its {kind} from {} on is missing", kind.show(base)));
    }
}
