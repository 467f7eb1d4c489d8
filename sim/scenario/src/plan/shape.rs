//! Shapes of views: the fields of their tables, so that a path or an expectation that names nothing is an error of
//! the file. The run holds every view that it reads against its shape, so the two cannot drift apart.

use super::View;

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Not looked into.
    Any,
    /// A text, a number, a truth value or nothing.
    Scalar,
    /// One of these words, or nothing.
    Word(&'static [&'static str]),
    /// A table of these fields, or nothing.
    Table(&'static [(&'static str, Shape)]),
    /// A table of values alike under names.
    Names(&'static Shape),
    /// A list of values alike.
    List(&'static Shape),
}

use Shape::{Any, List, Names, Scalar, Table, Word};

const SESSION: Shape = Word(&["pending", "up", "down"]);
const TUNNEL_TYPE: Shape = Word(&["ibrl", "ibrl-allocated", "multicast", "EdgeFiltering"]);
const USER_TYPE: Shape = Word(&["IBRL", "IBRLWithAllocatedIP", "Multicast", "EdgeFiltering"]);
const USER_STATUS: Shape = Word(&["pending", "activated", "updating", "rejected", "deleting", "pending-ban", "banned"]);
const DEVICE_STATUS: Shape = Word(&["pending", "activated", "drained", "deleting"]);
const INTERFACE_STATUS: Shape = Word(&["pending", "activated", "deleting"]);
const LINK_STATUS: Shape = Word(&["requested", "pending", "activated", "soft-drained", "hard-drained", "deleting"]);
const LINK_STATE: Shape = Word(&["active", "last-resort", "closed", "failed"]);

const SCALARS: Shape = List(&Scalar);

const TUNNEL: Shape = Table(&[
    ("name", Scalar),
    ("type", TUNNEL_TYPE),
    ("source", Scalar),
    ("endpoint", Scalar),
    ("dz_ip", Scalar),
    ("session", SESSION),
    ("device", Scalar),
    ("tenant", Scalar),
    ("publish", SCALARS),
    ("subscribe", SCALARS),
]);

const STATUS: Shape = Table(&[
    ("version", Scalar),
    ("reconciler_enabled", Scalar),
    ("client_ip", Scalar),
    ("network", Scalar),
    ("slot", Scalar),
    ("settled", Scalar),
    ("services", List(&SERVICE)),
]);

const SERVICE: Shape = Table(&[
    ("tunnel_name", Scalar),
    ("tunnel_src", Scalar),
    ("tunnel_dst", Scalar),
    ("doublezero_ip", Scalar),
    ("doublezero_status", Table(&[("session_status", SESSION), ("last_session_update", Scalar)])),
    ("user_type", USER_TYPE),
    ("current_device", Scalar),
    ("current_device_rtt_nanoseconds", Scalar),
    ("current_device_loss_percentage", Scalar),
    ("lowest_latency_device", Scalar),
    ("metro", Scalar),
    ("tenant", Scalar),
    ("multicast_groups", Table(&[("publisher", SCALARS), ("subscriber", SCALARS)])),
    ("subscriptions", List(&SUBSCRIPTION)),
    ("error", Scalar),
]);

const SUBSCRIPTION: Shape = Table(&[
    ("pubkey", Scalar),
    ("code", Scalar),
    ("multicast_ip", Scalar),
    ("max_bandwidth", Scalar),
    ("publisher", Scalar),
    ("subscriber", Scalar),
]);

const LATENCY: Shape = Table(&[
    ("device_pk", Scalar),
    ("device_code", Scalar),
    ("device_ip", Scalar),
    ("interface_name", Scalar),
    ("min_latency_ns", Scalar),
    ("median_latency_ns", Scalar),
    ("avg_latency_ns", Scalar),
    ("max_latency_ns", Scalar),
    ("loss_percentage", Scalar),
    ("reachable", Scalar),
    ("last_seen", Scalar),
]);

const ROUTE: Shape = Table(&[
    ("table", Scalar),
    ("destination", Scalar),
    ("via", Scalar),
    ("dev", Scalar),
    ("source", Scalar),
    ("kind", Scalar),
]);

const KERNEL: Shape = Table(&[
    ("interfaces", Names(&Table(&[("kind", Scalar), ("up", Scalar), ("mtu", Scalar), ("addresses", SCALARS)]))),
    ("routes", List(&ROUTE)),
    ("rules", List(&Any)),
]);

const DEVICE_TUNNEL: Shape = Table(&[("name", Scalar), ("source", Scalar), ("destination", Scalar), ("mtu", Scalar)]);

const DEVICE_CONFIG: Shape = Table(&[
    ("device", Scalar),
    ("state", Scalar),
    ("public_ip", Scalar),
    ("loopbacks", Names(&Table(&[("address", Scalar), ("endpoint", Scalar)]))),
    ("ports", Names(&PORT)),
    (
        "tunnels",
        Names(&Table(&[
            ("user", Scalar),
            ("source", Scalar),
            ("destination", Scalar),
            ("overlay", Scalar),
            ("mtu", Scalar),
            ("ttl", Scalar),
            ("shut", Scalar),
            ("service", Any),
        ])),
    ),
    ("tables", Names(&Table(&[("tenant", Scalar), ("routes", Names(&Any))]))),
    ("transit", Names(&Any)),
    (
        "groups",
        List(&Table(&[("source", Scalar), ("group", Scalar), ("code", Scalar), ("from", Any), ("to", List(&Any))])),
    ),
]);

const PORT: Shape = Table(&[
    ("name", Scalar),
    ("address", Scalar),
    ("endpoint", Scalar),
    (
        "link",
        Table(&[("code", Scalar), ("peer", Scalar), ("gateway", Scalar), ("metric", Scalar), ("state", LINK_STATE)]),
    ),
]);

const CONFIG: Shape = Table(&[
    ("local_asn", Scalar),
    ("remote_asn", Scalar),
    ("endpoint_loopbacks", Scalar),
    ("min_contributor_prefix", Scalar),
    ("endpoints_per_device", Scalar),
    ("same_metro_routing", Scalar),
    ("kept_blocks", Scalar),
    ("double_zero_blocks", SCALARS),
    ("user_tunnel_blocks", SCALARS),
    ("device_tunnel_blocks", SCALARS),
    ("multicast_group_blocks", SCALARS),
    ("multicast_publisher_blocks", SCALARS),
]);

const POOL: Shape = Table(&[("capacity", Scalar), ("used", Scalar), ("free", Scalar)]);

const CONTRIBUTOR: Shape = Table(&[
    ("status", Scalar),
    ("references", Scalar),
    ("blocks", SCALARS),
    ("prefixes", SCALARS),
    ("granted_blocks", Scalar),
]);

const EXCHANGE: Shape =
    Table(&[("name", Scalar), ("latitude", Scalar), ("longitude", Scalar), ("status", Scalar), ("references", Scalar)]);

const DEVICE: Shape = Table(&[
    ("contributor", Scalar),
    ("exchange", Scalar),
    ("type", Scalar),
    ("status", DEVICE_STATUS),
    ("public_ip", Scalar),
    ("bootstrap", Scalar),
    ("prefixes", List(&Table(&[("net", Scalar), ("source", Scalar)]))),
    ("endpoints", SCALARS),
    ("endpoints_wanted", Scalar),
    ("tunnel_slots", Scalar),
    ("max_users", Scalar),
    ("max_unicast_users", Scalar),
    ("max_multicast_subscribers", Scalar),
    ("max_multicast_publishers", Scalar),
    ("reserved_seats", Scalar),
    ("reserved_unicast", Scalar),
    ("reserved_multicast", Scalar),
    ("users", Scalar),
    ("unicast_users", Scalar),
    ("multicast_subscribers", Scalar),
    ("multicast_publishers", Scalar),
]);

const INTERFACE: Shape = Table(&[
    ("kind", Scalar),
    ("status", INTERFACE_STATUS),
    ("address", Scalar),
    ("source", Scalar),
    ("loopback_number", Scalar),
    ("user_tunnel_endpoint", Scalar),
    ("service", Scalar),
    ("bandwidth", Scalar),
    ("mtu", Scalar),
    ("vlan_id", Scalar),
    ("cyoa", Scalar),
    ("users", Scalar),
    ("link", Scalar),
]);

const LINK: Shape = Table(&[
    ("contributor", Scalar),
    ("type", Scalar),
    ("side_a", Scalar),
    ("side_z", Scalar),
    ("status", LINK_STATUS),
    ("tunnel_net", Scalar),
    ("delay_ns", Scalar),
    ("bandwidth", Scalar),
    ("mtu", Scalar),
]);

const TENANT: Shape = Table(&[("status", Scalar), ("vrf_id", Scalar), ("references", Scalar)]);

const PASS: Shape = Table(&[
    ("tenants", SCALARS),
    ("publish", SCALARS),
    ("subscribe", SCALARS),
    ("max_unicast_users", Scalar),
    ("max_multicast_users", Scalar),
    ("unicast_users", Scalar),
    ("multicast_users", Scalar),
    ("banned_users", Scalar),
]);

const GROUP: Shape = Table(&[
    ("status", Scalar),
    ("ip", Scalar),
    ("max_bandwidth", Scalar),
    ("publishers", Scalar),
    ("subscribers", Scalar),
]);

const USER: Shape = Table(&[
    ("client_ip", Scalar),
    ("endpoint_ip", Scalar),
    ("device", Scalar),
    ("type", USER_TYPE),
    ("tenant", Scalar),
    ("status", USER_STATUS),
    ("tunnel_net", Scalar),
    ("tunnel_id", Scalar),
    ("dz_ip", Scalar),
    ("publishers", SCALARS),
    ("subscribers", SCALARS),
    ("reject_reason", Scalar),
]);

const FAULT: Shape = Table(&[("name", Scalar), ("hits", Scalar)]);

impl View {
    /// What the view looks like.
    pub fn shape(&self) -> Shape {
        match self {
            Self::ClientTunnels(_) => List(&TUNNEL),
            Self::ClientStatus(_) => STATUS,
            Self::ClientLatency(_) => List(&LATENCY),
            Self::ClientRoutes(_) => List(&ROUTE),
            Self::ClientKernel(_) | Self::DeviceKernel(_) => KERNEL,
            Self::DeviceEndpoints(_) => SCALARS,
            Self::DeviceTunnels(_) => List(&DEVICE_TUNNEL),
            Self::DeviceConfig(_) => DEVICE_CONFIG,
            Self::ChainConfig => CONFIG,
            Self::ChainPools => Names(&POOL),
            Self::ChainContributors => Names(&CONTRIBUTOR),
            Self::ChainExchanges => Names(&EXCHANGE),
            Self::ChainDevices => Names(&DEVICE),
            Self::ChainInterfaces => Names(&INTERFACE),
            Self::ChainLinks => Names(&LINK),
            Self::ChainTenants => Names(&TENANT),
            Self::ChainPasses => Names(&PASS),
            Self::ChainGroups => Names(&GROUP),
            Self::ChainUsers => List(&USER),
            Self::RunFaults => List(&FAULT),
        }
    }
}

impl Shape {
    /// The first place in a value that has another shape, such as `[0].name`, with what is there; none if it fits.
    pub fn misfit(&self, value: &serde_json::Value) -> Option<String> {
        use serde_json::Value;
        match (self, value) {
            (Any, _) | (Scalar | Word(_) | Table(_), Value::Null) => None,
            (Scalar | Word(_), Value::Array(_) | Value::Object(_)) => Some(" is no single value".to_owned()),
            (Word(words), Value::String(text)) if !words.contains(&text.as_str()) => Some(format!(" is {text}")),
            (Scalar | Word(_), _) => None,
            (Table(fields), Value::Object(found)) => {
                found.iter().find_map(|(key, value)| match fields.iter().find(|(field, _)| field == key) {
                    None => Some(format!(".{key} is no known field")),
                    Some((_, shape)) => shape.misfit(value).map(|misfit| format!(".{key}{misfit}")),
                })
            }
            (Names(shape), Value::Object(found)) => {
                found.iter().find_map(|(key, value)| shape.misfit(value).map(|misfit| format!("[{key}]{misfit}")))
            }
            (List(shape), Value::Array(found)) => found
                .iter()
                .enumerate()
                .find_map(|(index, value)| shape.misfit(value).map(|misfit| format!("[{index}]{misfit}"))),
            (Table(_) | Names(_), _) => Some(" is no table".to_owned()),
            (List(_), _) => Some(" is no list".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_misfit_is_named_with_its_place() {
        let tunnels = List(&TUNNEL);
        assert_eq!(tunnels.misfit(&json!([{"name": "doublezero0", "tenant": null, "publish": ["mg01"]}])), None);
        assert_eq!(tunnels.misfit(&json!([{"nmae": 1}])).as_deref(), Some("[0].nmae is no known field"));
        assert_eq!(tunnels.misfit(&json!([{"name": [1]}])).as_deref(), Some("[0].name is no single value"));
        assert_eq!(tunnels.misfit(&json!({})).as_deref(), Some(" is no list"));
        assert_eq!(tunnels.misfit(&json!([{"session": "upp"}])).as_deref(), Some("[0].session is upp"));
        assert_eq!(Names(&POOL).misfit(&json!({"ids": 5})).as_deref(), Some("[ids] is no table"));
    }
}
