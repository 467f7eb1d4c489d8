//! The chain as people read it: codes instead of keys, sorted, so that two runs of one scenario are the same text.

use dz_sdk::{
    NetworkView,
    program::state::{
        AccessPass, AddressSource, Bootstrap, Device, Interface, Link, LinkEnd, Pool, PoolValue, PrefixSource, User,
    },
};
use serde_json::{Map, Value, json};
use solana_pubkey::Pubkey;

/// Everything, by kind.
pub fn all(view: &NetworkView) -> Value {
    json!({
        "config": config(view),
        "pools": pools(view),
        "contributors": contributors(view),
        "exchanges": exchanges(view),
        "devices": devices(view),
        "interfaces": interfaces(view),
        "links": links(view),
        "tenants": tenants(view),
        "passes": passes(view),
        "groups": groups(view),
        "users": users(view),
    })
}

fn table<T>(items: impl IntoIterator<Item = T>, entry: impl Fn(T) -> (String, Value)) -> Value {
    // A JSON object is kept sorted by its keys.
    Value::Object(items.into_iter().map(entry).collect::<Map<_, _>>())
}

fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> Value {
    items.into_iter().map(|item| Value::from(item.to_string())).collect()
}

/// The code of what has one, else the key.
pub fn code_of(view: &NetworkView, key: &Pubkey) -> String {
    macro_rules! find {
        ($($one:ident)*) => {
            $(if let Some(thing) = view.$one(key) {
                return thing.code.clone();
            })*
        };
    }
    find!(device group tenant contributor exchange link);
    key.to_string()
}

/// The global config.
pub fn config(view: &NetworkView) -> Value {
    let Some(config) = view.config() else { return Value::Null };
    json!({
        "local_asn": config.local_asn,
        "remote_asn": config.remote_asn,
        "endpoint_loopbacks": format!("{}..{}", config.endpoint_loopback_first, config.endpoint_loopback_last),
        "min_contributor_prefix": config.min_contributor_prefix,
        "endpoints_per_device": config.endpoints_per_device,
        "same_metro_routing": config.same_metro_routing,
        "kept_blocks": config.kept_blocks,
        "double_zero_blocks": texts(&config.double_zero_blocks),
        "user_tunnel_blocks": texts(&config.user_tunnel_blocks),
        "device_tunnel_blocks": texts(&config.device_tunnel_blocks),
        "multicast_group_blocks": texts(&config.multicast_group_blocks),
        "multicast_publisher_blocks": texts(&config.multicast_publisher_blocks),
    })
}

/// The name of a pool: its kind, whose it is, and its first value.
pub fn pool_name(view: &NetworkView, pool: &Pool) -> String {
    let owner = code_of(view, &pool.owner);
    let owner = if owner == pool.owner.to_string() { String::new() } else { format!("{owner}:") };
    match pool.kind.values() {
        // An owner has one pool of numbers of a kind.
        PoolValue::Number => format!("{owner}{}", pool.kind),
        PoolValue::Address => format!("{owner}{}:{}", pool.kind, pool.kind.show(pool.base)),
    }
}

/// Pools by name.
pub fn pools(view: &NetworkView) -> Value {
    table(view.pools().values(), |pool| {
        let value = json!({
            "capacity": pool.capacity(),
            "used": pool.used(),
            "free": pool.capacity() - pool.used(),
        });
        (pool_name(view, pool), value)
    })
}

/// Contributors by code.
pub fn contributors(view: &NetworkView) -> Value {
    table(view.contributors().values(), |contributor| {
        let value = json!({
            "status": contributor.status.to_string(),
            "references": contributor.reference_count,
            "blocks": texts(&contributor.blocks),
            "prefixes": texts(&contributor.prefixes),
            "granted_blocks": contributor.granted_blocks,
        });
        (contributor.code.clone(), value)
    })
}

/// Metros by code.
pub fn exchanges(view: &NetworkView) -> Value {
    table(view.exchanges().values(), |exchange| {
        let value = json!({
            "name": exchange.name,
            "latitude": f64::from(exchange.latitude) / 1e6,
            "longitude": f64::from(exchange.longitude) / 1e6,
            "status": exchange.status.to_string(),
            "references": exchange.reference_count,
        });
        (exchange.code.clone(), value)
    })
}

/// Devices by code.
pub fn devices(view: &NetworkView) -> Value {
    table(view.devices(), |(key, device)| (device.code.clone(), device_value(view, key, device)))
}

fn device_value(view: &NetworkView, key: &Pubkey, device: &Device) -> Value {
    let bootstrap = match device.bootstrap {
        Bootstrap::Carve { prefix_len } => format!("carve /{prefix_len}"),
        Bootstrap::CarveBlock { prefix_len } => format!("carve /{prefix_len} from a block"),
        Bootstrap::OwnPrefix => "own prefix".to_owned(),
        Bootstrap::OwnEndpoints => "own endpoints".to_owned(),
    };
    json!({
        "contributor": code_of(view, &device.contributor),
        "exchange": code_of(view, &device.exchange),
        "type": device.device_type.to_string(),
        "status": device.status.to_string(),
        "public_ip": device.public_ip.to_string(),
        "bootstrap": bootstrap,
        "prefixes": device.prefixes.iter().map(|prefix| json!({
            "net": prefix.net.to_string(),
            "source": match prefix.source {
                PrefixSource::Carved { .. } => "carved",
                PrefixSource::Own => "own",
            },
        })).collect::<Vec<_>>(),
        "endpoints": texts(view.endpoints(key).into_iter().map(|(ip, _)| ip)),
        "endpoints_wanted": device.endpoints_wanted,
        "tunnel_slots": device.tunnel_slots,
        "max_users": device.caps.max_users,
        "max_unicast_users": device.caps.max_unicast_users,
        "max_multicast_subscribers": device.caps.max_multicast_subscribers,
        "max_multicast_publishers": device.caps.max_multicast_publishers,
        "reserved_seats": device.caps.reserved_seats,
        "reserved_unicast": device.caps.reserved_unicast,
        "reserved_multicast": device.caps.reserved_multicast,
        "users": device.counts.users(),
        "unicast_users": device.counts.unicast_users,
        "multicast_subscribers": device.counts.multicast_subscribers,
        "multicast_publishers": device.counts.multicast_publishers,
    })
}

/// Interfaces by `<device>:<name>`.
pub fn interfaces(view: &NetworkView) -> Value {
    table(view.interfaces().values(), |interface| {
        (format!("{}:{}", code_of(view, &interface.device), interface.name), interface_value(view, interface))
    })
}

fn interface_value(view: &NetworkView, interface: &Interface) -> Value {
    json!({
        "kind": interface.kind.to_string(),
        "status": interface.status.to_string(),
        "address": interface.address.map(|address| address.ip.to_string()),
        "source": interface.address.map(|address| match address.source {
            AddressSource::Pulled { .. } => "pulled",
            AddressSource::Own => "own",
            AddressSource::PublicIp => "public ip",
        }),
        "loopback_number": interface.loopback_number,
        "user_tunnel_endpoint": interface.user_tunnel_endpoint,
        "service": interface.service.to_string(),
        "bandwidth": interface.metadata.bandwidth,
        "mtu": interface.metadata.mtu,
        "vlan_id": interface.metadata.vlan_id,
        "cyoa": interface.metadata.cyoa.to_string(),
        "users": interface.user_count,
        "link": interface.link.map(|link| code_of(view, &link)),
    })
}

/// Links by code.
pub fn links(view: &NetworkView) -> Value {
    table(view.links().values(), |link| (link.code.clone(), link_value(view, link)))
}

fn link_value(view: &NetworkView, link: &Link) -> Value {
    let end = |end: &LinkEnd| {
        let interface = view.interface(&end.interface).map(|interface| interface.name.clone());
        format!("{}:{}", code_of(view, &end.device), interface.unwrap_or_default())
    };
    json!({
        "contributor": code_of(view, &link.contributor),
        "type": link.link_type.to_string(),
        "side_a": end(&link.side_a),
        "side_z": end(&link.side_z),
        "status": link.status.to_string(),
        "tunnel_net": link.network.map(|network| network.net.to_string()),
        "delay_ns": link.delay_ns,
        "bandwidth": link.bandwidth,
        "mtu": link.mtu,
    })
}

/// Tenants by code.
pub fn tenants(view: &NetworkView) -> Value {
    table(view.tenants().values(), |tenant| {
        let value = json!({
            "status": tenant.status.to_string(),
            "vrf_id": tenant.vrf_id,
            "references": tenant.reference_count,
        });
        (tenant.code.clone(), value)
    })
}

/// Access passes by client_ip; with the payer behind it where one address has several.
pub fn passes(view: &NetworkView) -> Value {
    let shared =
        |pass: &AccessPass| view.access_passes().values().filter(|other| other.client_ip == pass.client_ip).count() > 1;
    table(view.access_passes().values(), |pass| {
        let name = match shared(pass) {
            true => format!("{}:{}", pass.client_ip, pass.payer),
            false => pass.client_ip.to_string(),
        };
        let codes = |keys: &[Pubkey]| {
            let mut codes: Vec<_> = keys.iter().map(|key| code_of(view, key)).collect();
            codes.sort();
            codes
        };
        let value = json!({
            "tenants": codes(&pass.tenants),
            "publish": codes(&pass.publish),
            "subscribe": codes(&pass.subscribe),
            "max_unicast_users": pass.max_unicast_users,
            "max_multicast_users": pass.max_multicast_users,
            "unicast_users": pass.unicast_users,
            "multicast_users": pass.multicast_users,
            "banned_users": pass.banned_users,
        });
        (name, value)
    })
}

/// Groups by code.
pub fn groups(view: &NetworkView) -> Value {
    table(view.groups().values(), |group| {
        let value = json!({
            "status": group.status.to_string(),
            "ip": group.address.map(|address| address.ip.to_string()),
            "max_bandwidth": group.max_bandwidth,
            "publishers": group.publisher_count,
            "subscribers": group.subscriber_count,
        });
        (group.code.clone(), value)
    })
}

/// Users in order of (client_ip, endpoint_ip).
pub fn users(view: &NetworkView) -> Value {
    let mut users: Vec<&User> = view.users().values().collect();
    users.sort_by_key(|user| (user.client_ip, user.endpoint_ip));
    users.into_iter().map(|user| user_value(view, user)).collect()
}

fn user_value(view: &NetworkView, user: &User) -> Value {
    let codes = |keys: &[Pubkey]| {
        let mut codes: Vec<_> = keys.iter().map(|key| code_of(view, key)).collect();
        codes.sort();
        codes
    };
    json!({
        "client_ip": user.client_ip.to_string(),
        "endpoint_ip": user.endpoint_ip.to_string(),
        "device": code_of(view, &user.device),
        "type": user.user_type.to_string(),
        "tenant": user.tenant.map(|tenant| code_of(view, &tenant)),
        "status": user.status.to_string(),
        "tunnel_net": user.allocation.map(|held| held.tunnel_net.to_string()),
        "tunnel_id": user.allocation.map(|held| held.tunnel_id),
        "dz_ip": user.allocation.map(|held| held.dz_ip.to_string()),
        "publishers": codes(&user.publishers),
        "subscribers": codes(&user.subscribers),
        "reject_reason": user.reject_reason,
    })
}
