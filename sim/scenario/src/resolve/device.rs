//! Devices: with what they are registered, and what they can take.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;

use super::{context::At, names::Named, network::Builder};
use crate::{
    diagnostic::similar,
    plan::{Bootstrap, ContributorCode, Device, DeviceCaps, DeviceCode, DeviceType, OwnEndpoint},
    schema,
};

/// The interface of every device that leads to the internet.
const UPLINK: &str = "Ethernet0";

/// The words that those names begin with.
const INTERFACES: [&str; 2] = ["Ethernet", "Loopback"];

/// Whether the program and a device's kernel take it: the full form only, so that an interface has one name.
pub(super) fn is_interface(name: &str) -> bool {
    let number = |text: &str| text.parse::<u16>().is_ok_and(|number| number.to_string() == text);
    match (name.strip_prefix("Loopback"), name.strip_prefix("Ethernet")) {
        (Some(rest), _) => number(rest),
        (_, Some(rest)) => {
            rest.split_once('/').map_or_else(|| number(rest), |(slot, port)| number(slot) && number(port))
        }
        _ => false,
    }
}

/// "did you mean" for a name that is none of an interface: its number with the most similar of these words; else the form.
pub(super) fn similar_interface(name: &str, words: &[&str], is_interface: impl Fn(&str) -> bool) -> String {
    let number = name.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let forms = words.iter().map(|word| format!("{word}{number}"));
    let forms: Vec<String> = forms.filter(|form| is_interface(form)).collect();
    match similar(name, forms.iter().map(String::as_str)) {
        near if near.is_empty() => "interfaces are named such as Loopback100 or Ethernet1/1".to_owned(),
        near => near,
    }
}

/// The same for the names that the file's network and its faults take.
pub(super) fn similar_own_interface(name: &str) -> String {
    similar_interface(name, &INTERFACES, is_interface)
}

impl<'t> Builder<'_, 't, '_, '_, '_> {
    pub(super) fn device(&mut self, device: &Named<'t, '_, schema::Device>) {
        let Named { name: code, at, file } = device;
        let exchange = self.exchange_of(*at, file.exchange.as_ref());
        let contributor = self.contributor_of(*at, file.contributor.as_ref());
        let bootstrap = self.bootstrap(*at, file, &contributor);
        let public_ip = match file.public_ip {
            Some(ip) => ip.0,
            None => self.registry.next(Ipv4Net::new_assert([9, 0, 0, 0].into(), 9), format!("the public_ip of {code}")),
        };
        if file.count.is_some() && (file.public_ip.is_some() || !file.prefix.0.is_empty() || !file.endpoints.is_empty())
        {
            self.context.error(at.key("count"), "devices with a count cannot have addresses of their own", "");
        }
        let caps = DeviceCaps {
            max_users: file.max_users,
            max_unicast: file.max_unicast,
            max_subscribers: file.max_subscribers,
            max_publishers: file.max_publishers,
            reserved_seats: file.reserved_seats,
        };
        let tunnel_slots = file.tunnel_slots;
        if let Some(tunnel_slots) = tunnel_slots.filter(|slots| !(1..=4096).contains(slots)) {
            self.context.error(at.key("tunnel_slots"), format!("expected 1 to 4096, got {tunnel_slots}"), "");
        }
        let device = Device {
            exchange,
            contributor,
            device_type: match file.kind {
                schema::DeviceKind::Hybrid => DeviceType::Hybrid,
                schema::DeviceKind::Transit => DeviceType::Transit,
                schema::DeviceKind::Edge => DeviceType::Edge,
            },
            public_ip,
            public_ip_endpoint: file.public_ip_endpoint,
            bootstrap,
            caps,
            tunnel_slots,
        };
        self.plan.devices.insert(DeviceCode::new(code), device);
    }

    fn contributor_of(&mut self, at: At<'t>, code: Option<&String>) -> ContributorCode {
        let mut known = self.plan.contributors.keys();
        match (code, known.next(), known.next()) {
            (None, Some(only), None) => only.clone(),
            (None, ..) => {
                let help = "needed unless there is exactly one";
                self.context.error(at, "the key `contributor` is missing", help);
                ContributorCode::new("")
            }
            (Some(code), ..) => {
                if !self.plan.contributors.contains_key(code.as_str()) {
                    let known: Vec<&str> = self.plan.contributors.keys().map(ContributorCode::as_str).collect();
                    self.context.unknown(at.key("contributor"), "contributor", code, &["contributors"], known);
                }
                ContributorCode::new(code)
            }
        }
    }

    fn bootstrap(&mut self, at: At<'t>, file: &schema::Device, contributor: &ContributorCode) -> Bootstrap {
        let prefixes: Vec<Ipv4Net> = file.prefix.0.iter().map(|net| net.0).collect();
        let lengths = 24..=self.policy.minimum_prefix;
        let expected = format!("expected a length of 24 to {}", self.policy.minimum_prefix);
        for (index, prefix) in prefixes.iter().enumerate() {
            if !lengths.contains(&prefix.prefix_len()) {
                let message = format!("the prefix {prefix} has a length out of range: {expected}");
                self.context.error(at.key("prefix").item(index), message, "policy.minimum_prefix sets the limit");
            }
        }
        if let (Some(_), true) = (file.carve, !prefixes.is_empty() || !file.endpoints.is_empty()) {
            let message =
                "`carve` does not go with `prefix` or `endpoints`: nothing is carved for a device that brings its own";
            self.context.error(at.key("carve"), message, "");
        }
        if file.from_block && (!prefixes.is_empty() || !file.endpoints.is_empty()) {
            let message = "`from_block` does not go with `prefix` or `endpoints`";
            self.context.error(at.key("from_block"), message, "");
        }
        // A share of the contributor's own space may be smaller.
        let own_space = self.plan.contributors.get(contributor).is_some_and(|it| !it.prefixes.is_empty());
        let shares = if own_space && !file.from_block { 24..=31 } else { lengths };
        if let Some(carve) = file.carve.filter(|length| !shares.contains(length)) {
            let expected = format!("expected a length of {} to {}", shares.start(), shares.end());
            self.context.error(at.key("carve"), format!("{expected}, got {carve}"), "");
        }
        if !file.endpoints.is_empty() {
            if file.pull.is_some() {
                let message = "`pull` does not go with `endpoints`: nothing is pulled for a device that brings its own";
                self.context.error(at.key("pull"), message, "");
            }
            return Bootstrap::OwnEndpoints { endpoints: self.own_endpoints(at.key("endpoints"), file), prefixes };
        }
        let pull = file.pull.unwrap_or(self.policy.endpoints_per_device);
        let prefix_len = file.carve.unwrap_or(self.policy.minimum_prefix);
        // The first address of each prefix is reserved, and all others can be pulled.
        let room: u64 = match prefixes.as_slice() {
            [] => (1u64 << (32 - u32::from(prefix_len.min(32)))) - 1,
            own => own.iter().map(|net| (1u64 << (32 - u32::from(net.prefix_len()))) - 1).sum(),
        };
        if u64::from(pull) > room {
            self.context.error(at.key("pull"), format!("{pull} endpoints do not fit: there is room for {room}"), "");
        }
        match prefixes.is_empty() {
            true => Bootstrap::Carve { from_block: file.from_block, prefix_len, pull },
            false => Bootstrap::OwnPrefix { prefixes, pull },
        }
    }

    fn own_endpoints(&mut self, at: At<'t>, file: &schema::Device) -> Vec<OwnEndpoint> {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for (index, endpoint) in file.endpoints.iter().enumerate() {
            if let Some(name) = &endpoint.interface {
                let at = at.item(index).key("interface");
                if !is_interface(name) {
                    let message =
                        format!("expected a name such as Loopback150, Ethernet2 or Ethernet1/2, got `{name}`");
                    self.context.error(at, message, similar_own_interface(name));
                }
                if name == UPLINK {
                    let help = "`public_ip_endpoint: true` lets tunnels end on its address";
                    self.context.error(at, format!("`{UPLINK}` is the device's uplink"), help);
                }
                if !taken.insert(name.clone()) {
                    self.context.error(at, format!("two endpoints are on `{name}`"), "");
                }
            }
        }
        let range = self.policy.loopbacks;
        let mut free = (range.first..=range.last).map(|number| format!("Loopback{number}"));
        let mut endpoints = Vec::new();
        for (index, endpoint) in file.endpoints.iter().enumerate() {
            let interface = match &endpoint.interface {
                Some(name) => name.clone(),
                None => match free.find(|name| !taken.contains(name)) {
                    Some(name) => name,
                    None => {
                        let message = format!("no loopback from {} to {} is left for it", range.first, range.last);
                        self.context.error(at.item(index), message, "policy.loopbacks sets the range");
                        break;
                    }
                },
            };
            endpoints.push(OwnEndpoint { interface, address: endpoint.address.0 });
        }
        endpoints
    }
}
