//! Ways between nodes: links of the backbone, and what is said of public paths.

use std::{collections::BTreeSet, time::Duration};

use super::{
    context::{At, Context},
    names::Named,
    network::Builder,
    reference,
};
use crate::{
    plan::{Bootstrap, Condition, Delay, DeviceCode, Link, LinkCode, PathRule},
    schema,
};

impl<'t> Builder<'_, 't, '_, '_, '_> {
    pub(super) fn link(&mut self, link: &Named<'t, '_, schema::Link>) {
        let Named { name: code, at, file } = link;
        let (a, z) = self.halves(code);
        let (Some(a), Some(z)) = (self.end(*at, "a", file.a.as_ref(), a), self.end(*at, "z", file.z.as_ref(), z))
        else {
            return;
        };
        if a == z {
            self.context.error(*at, format!("both ends of the link are `{a}`"), "");
        }
        let delay = file.delay.map_or(Delay::ByDistance, |delay| Delay::Fixed(delay.0));
        // What the program takes.
        if let Delay::Fixed(delay) = delay
            && !(Duration::from_micros(10)..=Duration::from_secs(1)).contains(&delay)
        {
            let message = format!("a link's delay is 10us to 1s, got {}", humantime::format_duration(delay));
            self.context.error(at.key("delay"), message, "");
        }
        let mtu = file.mtu.unwrap_or(9000);
        // What the program takes.
        if !(1280..=9216).contains(&mtu) {
            self.context.error(at.key("mtu"), format!("the MTU of a link is 1280 to 9216 octets, got {mtu}"), "");
        }
        let link = Link {
            a_interface: self.port(&a),
            z_interface: self.port(&z),
            a,
            z,
            delay,
            jitter: file.jitter.map_or(Duration::ZERO, |jitter| jitter.0),
            loss_ppm: file.loss.map_or(0, |loss| loss.0),
            rate_bps: file.rate.map_or(10_000_000_000, |rate| rate.0),
            mtu,
        };
        self.plan.links.insert(LinkCode::new(code), link);
    }

    /// The two devices that a link's code names.
    fn halves(&self, code: &str) -> (Option<String>, Option<String>) {
        code.match_indices('-')
            .map(|(at, _)| (&code[..at], &code[at + 1..]))
            .find(|(a, z)| self.plan.devices.contains_key(*a) && self.plan.devices.contains_key(*z))
            .map_or((None, None), |(a, z)| (Some(a.to_owned()), Some(z.to_owned())))
    }

    fn end(&mut self, at: At<'t>, key: &str, named: Option<&String>, half: Option<String>) -> Option<DeviceCode> {
        let Some(name) = named.cloned().or(half) else {
            let help = "needed unless the link's code is two devices with a `-` between";
            self.context.error(at, format!("the key `{key}` is missing"), help);
            return None;
        };
        reference::device(self.context, at.key(key), &name, &self.plan)
    }

    /// The lowest port of a device that nothing uses. Port 0 is its uplink.
    fn port(&self, device: &DeviceCode) -> String {
        let own = match self.plan.devices.get(device).map(|device| &device.bootstrap) {
            Some(Bootstrap::OwnEndpoints { endpoints, .. }) => endpoints.as_slice(),
            _ => &[],
        };
        let used: BTreeSet<&str> = (self.plan.links.values())
            .flat_map(|link| [(&link.a, &link.a_interface), (&link.z, &link.z_interface)])
            .filter(|(end, _)| *end == device)
            .map(|(_, interface)| interface.as_str())
            .chain(own.iter().map(|endpoint| endpoint.interface.as_str()))
            .collect();
        let free = (1u32..).map(|number| format!("Ethernet{number}")).find(|name| !used.contains(name.as_str()));
        free.unwrap_or_default()
    }

    pub(super) fn path(&mut self, at: At<'t>, file: &schema::Path) {
        if file.rtt.is_some() && file.delay.is_some() {
            self.context.error(
                at.key("delay"),
                "`rtt` and `delay` do not go together",
                "a round trip takes the delay twice",
            );
        }
        if let (Some(_), true) = (file.rtt, file.one_way) {
            self.context.error(at.key("rtt"), "`rtt` does not go with `one_way`", "give the `delay` of the one way");
        }
        if let Some(mtu) = file.mtu {
            check_mtu(self.context, at.key("mtu"), mtu);
        }
        let ends =
            reference::path_ends(self.context, at, (&file.from, &file.to), file.one_way, (&self.plan, self.policy));
        let Some((from, to)) = ends else { return };
        let condition = Condition {
            blocked: file.blocked,
            delay: file.rtt.map(|rtt| rtt.0 / 2).or(file.delay.map(|delay| delay.0)),
            jitter: file.jitter.map(|jitter| jitter.0),
            loss_ppm: file.loss.map(|loss| loss.0),
            reorder_ppm: file.reorder.map(|share| share.0),
            duplicate_ppm: file.duplicate.map(|share| share.0),
            rate_bps: file.rate.map(|rate| rate.0),
            mtu: file.mtu,
            black_hole: false,
            protocol: None,
        };
        if condition == Condition::default() {
            let help = "such as `rtt: 10ms`, `loss: 1%` or `blocked: true`";
            self.context.error(at, "the path says nothing that is not so already", help);
        }
        self.plan.paths.push(PathRule { from, to, both_ways: !file.one_way, condition });
    }
}

/// Less than 576 octets no host needs to accept (RFC 791, section 3.2).
pub(super) fn check_mtu<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, mtu: u16) {
    if mtu < 576 {
        context.error(at, format!("an MTU is at least 576 octets, got {mtu}"), "");
    }
}
