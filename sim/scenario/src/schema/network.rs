//! The network before the first step.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::{Address, Duration, Net, OneOrMany, Percent, Rate};
use crate::plan::Hosted;

/// The network: metros, devices and clients, and what they belong to.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    /// Metros by code. A known metro carries its coordinates and need not be listed to be used.
    #[serde(default)]
    pub(crate) exchanges: BTreeMap<String, Exchange>,
    /// Who runs devices, by code. Default: one, `co1`.
    #[serde(default)]
    pub(crate) contributors: BTreeMap<String, Contributor>,
    /// Devices (DZDs) by code.
    #[serde(default)]
    pub(crate) devices: BTreeMap<String, Device>,
    /// Users' hosts by name.
    #[serde(default)]
    pub(crate) clients: BTreeMap<String, Client>,
    /// Translators (NAT) that clients are behind, by name.
    #[serde(default)]
    pub(crate) nats: BTreeMap<String, Nat>,
    /// Tenants by code.
    #[serde(default)]
    pub(crate) tenants: BTreeMap<String, Tenant>,
    /// Multicast groups by code.
    #[serde(default)]
    pub(crate) groups: BTreeMap<String, Group>,
    /// Backbone links by code. A code such as `nyc1-pit1` implies the two devices.
    #[serde(default)]
    pub(crate) links: BTreeMap<String, Link>,
    /// Public paths that are not as the metros' geography says. A later entry wins over an earlier one.
    #[serde(default)]
    pub(crate) paths: Vec<Path>,
}

/// A metro.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    /// Name for people. Default: its code.
    pub(crate) name: Option<String>,
    /// Degrees north; needed with `lng` unless the metro is known.
    pub(crate) lat: Option<f64>,
    /// Degrees east; needed with `lat` unless the metro is known.
    pub(crate) lng: Option<f64>,
}

/// Who runs devices.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contributor {
    /// Its own space, divided among its devices: a device gets its share of this first. Default: none, and shares are carved
    /// from the DoubleZero blocks.
    #[serde(default)]
    pub(crate) prefix: OneOrMany<Net>,
    /// /24s that it gets even out of those that are kept for edge filtering. Default: 0.
    #[serde(default)]
    pub(crate) granted_blocks: u8,
}

/// A device. Registered with nothing it is given a carved prefix and endpoints on loopbacks; `prefix` makes that an own
/// prefix; `endpoints` brings own termination addresses.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Device {
    /// Its metro. Default: the only one the file lists.
    pub(crate) exchange: Option<String>,
    /// Who runs it. Default: the only one.
    pub(crate) contributor: Option<String>,
    /// Default: hybrid.
    #[serde(default, rename = "type")]
    pub(crate) kind: DeviceKind,
    /// Its address on the internet. Default: the next of 9.0.0.0/9.
    pub(crate) public_ip: Option<Address>,
    /// True if tunnels may end on `public_ip` too. Default: false.
    #[serde(default)]
    pub(crate) public_ip_endpoint: bool,
    /// Length of the prefix to carve for it, 24 to the policy's `minimum_prefix`, or to 31 out of its contributor's own space.
    /// Default: that minimum.
    pub(crate) carve: Option<u8>,
    /// True to carve it out of the DoubleZero blocks even if its contributor has space of its own, as edge filtering needs.
    /// Default: false.
    #[serde(default)]
    pub(crate) from_block: bool,
    /// Own prefixes, in the order in which addresses are taken from them.
    #[serde(default)]
    pub(crate) prefix: OneOrMany<Net>,
    /// Own termination addresses, each an address or a table of `interface` and `address`.
    #[serde(default)]
    pub(crate) endpoints: Vec<EndpointSpec>,
    /// How many endpoints are pulled off its prefix. Default: the policy's `endpoints_per_device`.
    pub(crate) pull: Option<u8>,
    /// Maximum of users of all kinds; as in every cap, 0 is none at all. Default: what the command line gives a device.
    pub(crate) max_users: Option<u16>,
    /// Maximum of unicast users. Default: no limit of their own.
    pub(crate) max_unicast: Option<u16>,
    /// The most multicast users that only subscribe. Default: no limit of their own.
    pub(crate) max_subscribers: Option<u16>,
    /// Maximum of multicast users that publish. Default: no limit of their own.
    pub(crate) max_publishers: Option<u16>,
    /// Seats of `max_users` that are kept free. Default: none.
    pub(crate) reserved_seats: Option<u16>,
    /// How many tunnel ids it has, from 500 on. Default: what the command line gives a device.
    pub(crate) tunnel_slots: Option<u16>,
    /// How many such devices: `x` with a count of 3 is x1, x2 and x3. Not together with addresses.
    pub(crate) count: Option<u16>,
}

/// What a device is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeviceKind {
    /// Users and backbone.
    #[default]
    Hybrid,
    /// Backbone only.
    Transit,
    /// Users only.
    Edge,
}

/// An own termination address of a device.
#[derive(Clone, Debug)]
pub(crate) struct EndpointSpec {
    /// The interface's name; `None` takes the next loopback of the reserved range.
    pub(crate) interface: Option<String>,
    pub(crate) address: Address,
}

/// An own termination address and the interface it is on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OwnEndpoint")]
struct EndpointTable {
    /// Name of the interface, such as `Loopback150` or `Ethernet2`. Default: the next loopback of the policy's range.
    #[serde(default)]
    interface: Option<String>,
    /// The address.
    address: Address,
}

impl<'de> Deserialize<'de> for EndpointSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = EndpointSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address, or a table of `interface` and `address`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<EndpointSpec, E> {
                let address = Address::deserialize(de::value::StrDeserializer::new(text))?;
                Ok(EndpointSpec { interface: None, address })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<EndpointSpec, A::Error> {
                let table = EndpointTable::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(EndpointSpec { interface: table.interface, address: table.address })
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for EndpointSpec {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "EndpointSpec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let address = generator.subschema_for::<Address>();
        let table = generator.subschema_for::<EndpointTable>();
        json_schema!({ "anyOf": [address, table] })
    }
}

/// A user's host.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Client {
    /// The metro it stands in. Default: the only one the file lists.
    pub(crate) exchange: Option<String>,
    /// Its public address (client_ip). Default: the next of 9.128.0.0/9.
    pub(crate) ip: Option<Address>,
    /// The translator it is behind: its public address is then that of the translator, and its host has a private one.
    /// Default: none.
    pub(crate) nat: Option<String>,
    /// Its access pass: `false` for none, or a table of limits. Default: one unicast and one multicast tunnel.
    #[serde(default)]
    pub(crate) pass: Pass,
    /// How many such clients: `x` with a count of 3 is x1, x2 and x3, and `x` in a list of clients is all three.
    pub(crate) count: Option<u16>,
    /// Where its daemon and its commands run in the real world. Default: `alone`.
    #[serde(default)]
    pub(crate) hosted: Hosted,
}

/// A translator (NAT): all clients behind it share its address. GRE has no ports, so it is distinguished by the far address
/// alone.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nat {
    /// Its address. Default: the next of 9.128.0.0/9.
    pub(crate) ip: Option<Address>,
    /// Which packets it lets in. Default: port_restricted.
    #[serde(default)]
    pub(crate) lets_in: NatFilter,
}

/// Which packets of the internet a translator lets in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NatFilter {
    /// Packets from any sender to a port that a client behind it has sent from.
    FullCone,
    /// Only what comes from an address and port that this port has sent to.
    #[default]
    PortRestricted,
}

/// Whether a client has an access pass, and for what.
#[derive(Clone, Debug)]
pub(crate) enum Pass {
    None,
    Some(PassSpec),
}

impl Default for Pass {
    fn default() -> Self {
        Self::Some(PassSpec::default())
    }
}

/// The limits of an access pass.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PassLimits")]
pub(crate) struct PassSpec {
    /// The most unicast tunnels at a time. Default: 1.
    pub(crate) unicast: Option<u16>,
    /// The most multicast tunnels at a time. Default: 1.
    pub(crate) multicast: Option<u16>,
    /// The last epoch in which unicast users may be created. Default: for ever.
    pub(crate) last_epoch: Option<u64>,
    /// True if the pass is for any address (0.0.0.0) instead of the client's own. Default: false.
    #[serde(default)]
    pub(crate) any_ip: bool,
}

impl<'de> Deserialize<'de> for Pass {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Pass;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, or a table of limits")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Pass, E> {
                Ok(if value { Pass::default() } else { Pass::None })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Pass, A::Error> {
                PassSpec::deserialize(de::value::MapAccessDeserializer::new(map)).map(Pass::Some)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Pass {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Pass".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<PassSpec>();
        json_schema!({ "anyOf": [{ "type": "boolean" }, table] })
    }
}

/// Names of clients: a list, one name, or `all`.
pub(crate) type Names = OneOrMany<String>;

/// A tenant: the scope of a unicast routing table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tenant {
    /// Clients whose passes name it, or `all`. Default: none.
    #[serde(default)]
    pub(crate) clients: Names,
    /// How many such tenants: `x` with a count of 3 is x1, x2 and x3.
    pub(crate) count: Option<u16>,
}

/// A multicast group and who may do what in it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    /// Clients whose passes let them publish to it, or `all`. Default: none.
    #[serde(default)]
    pub(crate) publishers: Names,
    /// Clients whose passes let them subscribe to it, or `all`. Default: none.
    #[serde(default)]
    pub(crate) subscribers: Names,
}

/// A backbone link between two devices.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    /// Device at side A. Default: the first half of the link's code.
    pub(crate) a: Option<String>,
    /// Device at side Z. Default: the second half of the link's code.
    pub(crate) z: Option<String>,
    /// One way, 10us to 1s. Default: by distance.
    pub(crate) delay: Option<Duration>,
    /// How far single packets stray from the delay. Default: 0.
    pub(crate) jitter: Option<Duration>,
    /// Share of packets lost. Default: 0%.
    pub(crate) loss: Option<Percent>,
    /// Default: 10gbit.
    pub(crate) rate: Option<Rate>,
    /// MTU, in octets. Default: 9000.
    pub(crate) mtu: Option<u16>,
}

/// A public path between two nodes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Path {
    /// A client or a device.
    pub(crate) from: String,
    /// A client, a device, an address, or one endpoint such as `nyc1.endpoints.1`; the last two only with `one_way`. A
    /// device stands for all its addresses.
    pub(crate) to: String,
    /// There and back; each way takes half. Not together with `delay`.
    pub(crate) rtt: Option<Duration>,
    /// One way. Default: by distance.
    pub(crate) delay: Option<Duration>,
    /// How far single packets stray from the delay. Default: 0.
    pub(crate) jitter: Option<Duration>,
    /// Share of packets lost. Default: 0%.
    pub(crate) loss: Option<Percent>,
    /// Share of packets that overtake others. Default: 0%.
    pub(crate) reorder: Option<Percent>,
    /// Share of packets that arrive twice. Default: 0%.
    pub(crate) duplicate: Option<Percent>,
    /// Default: no limit.
    pub(crate) rate: Option<Rate>,
    /// MTU, in octets. Default: 1500.
    pub(crate) mtu: Option<u16>,
    /// True if nothing passes at all. Default: false.
    #[serde(default)]
    pub(crate) blocked: bool,
    /// True if only packets from `from` to `to` are meant. Default: false, both directions.
    #[serde(default)]
    pub(crate) one_way: bool,
}
