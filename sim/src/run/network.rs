//! The network that a run was made from, as its picture needs it: `network.json` among the artifacts.

use std::collections::BTreeMap;

use dzsim_scenario::{Plan, plan::Delay};
use serde::{Deserialize, Serialize};

/// Metros, what stands in them, and the backbone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Metros by code.
    pub metros: BTreeMap<String, Metro>,
    /// Devices by code.
    pub devices: BTreeMap<String, Device>,
    /// Clients by name.
    pub clients: BTreeMap<String, Client>,
    /// Backbone links by code.
    pub links: BTreeMap<String, Link>,
}

/// Where a metro is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metro {
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lng: f64,
}

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its metro.
    pub metro: String,
}

/// A user's host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its metro.
    pub metro: String,
    /// Its public address.
    pub ip: std::net::Ipv4Addr,
}

/// A backbone link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// A device.
    pub a: String,
    /// The other one.
    pub z: String,
    /// One way, in words.
    pub delay: String,
}

impl Network {
    /// The network of a plan.
    pub fn of(plan: &Plan) -> Self {
        let delay = |delay: &Delay| match delay {
            Delay::Fixed(delay) => format!("{delay:?}"),
            Delay::ByDistance => "by distance".to_owned(),
        };
        let metros = plan.exchanges.iter().map(|(code, exchange)| {
            (code.to_string(), Metro { lat: exchange.location.lat, lng: exchange.location.lng })
        });
        let devices =
            plan.devices.iter().map(|(code, device)| (code.to_string(), Device { metro: device.exchange.to_string() }));
        let clients = plan.clients.iter().map(|(name, client)| {
            (name.to_string(), Client { metro: client.exchange.to_string(), ip: client.client_ip })
        });
        let links = plan.links.iter().map(|(code, link)| {
            let (a, z) = (link.a.to_string(), link.z.to_string());
            (code.to_string(), Link { a, z, delay: delay(&link.delay) })
        });
        Self {
            metros: metros.collect(),
            devices: devices.collect(),
            clients: clients.collect(),
            links: links.collect(),
        }
    }

    /// The devices in a metro.
    pub fn devices_in<'a>(&'a self, metro: &'a str) -> impl Iterator<Item = &'a str> {
        self.devices.iter().filter(move |(_, device)| device.metro == metro).map(|(code, _)| code.as_str())
    }

    /// The clients in a metro.
    pub fn clients_in<'a>(&'a self, metro: &'a str) -> impl Iterator<Item = &'a str> {
        self.clients.iter().filter(move |(_, client)| client.metro == metro).map(|(name, _)| name.as_str())
    }

    /// Who has an address: a client's name, or the address itself.
    pub fn client_at(&self, ip: std::net::Ipv4Addr) -> String {
        let found = self.clients.iter().find(|(_, client)| client.ip == ip);
        found.map_or_else(|| ip.to_string(), |(name, _)| name.clone())
    }
}
