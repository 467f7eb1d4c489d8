//! The policy with its defaults.

use std::time::Duration;

use dz_policy::ConnectPolicy;
use ipnet::Ipv4Net;

use super::{
    addresses::{Space, overlap, space_of},
    context::{At, Context},
};
use crate::{
    plan::{Blocks, LoopbackRange, Policy, Probes},
    schema,
};

/// A machine that runs several networks at a time delays single packets by milliseconds, and no choice of a scenario
/// may depend on that: more than the products' own tie.
const TIE: schema::Duration = schema::Duration::from_millis(5);
/// The longest prefix that the program lets a contributor have.
const LONGEST_PREFIX: u8 = 29;

pub(super) fn policy<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, file: &schema::Policy) -> Policy {
    let time = |value: Option<schema::Duration>, default| value.map_or(default, |value| value.0);
    let client = at.key("client");
    let product = ConnectPolicy::default();
    let loopbacks = file.loopbacks.unwrap_or(schema::Range { first: 100, last: 199 });
    let policy = Policy {
        activator: file.activator,
        activators: file.activators.unwrap_or(1),
        connect: ConnectPolicy {
            latency_tolerance: file.client.latency_tolerance.unwrap_or(product.latency_tolerance),
            latency_tie: file.client.latency_tie.unwrap_or(TIE),
            rank: file.client.rank.unwrap_or(product.rank),
            when_drained: file.client.when_drained.unwrap_or(product.when_drained),
        },
        hold_time: time(file.client.hold_time, dz_policy::HOLD_TIME.0),
        probes: Probes {
            count: file.client.probes.unwrap_or(3),
            interval: time(file.client.probe_interval, Duration::from_millis(10)),
            timeout: time(file.client.probe_timeout, Duration::from_millis(500)),
            concurrency: file.client.probe_concurrency.unwrap_or(32),
            period: time(file.client.probe_period, Duration::from_secs(2)),
        },
        endpoints_per_device: file.endpoints_per_device.unwrap_or(2),
        same_metro_routing: file.same_metro_routing.unwrap_or(true),
        kept_blocks: file.kept_blocks.unwrap_or(0),
        loopbacks: LoopbackRange { first: loopbacks.first, last: loopbacks.last },
        minimum_prefix: file.minimum_prefix.unwrap_or(29),
        blocks: blocks(context, at.key("blocks"), &file.blocks),
    };
    if policy.activators == 0 {
        context.error(at.key("activators"), "at least one activator must run", "");
    }
    if policy.hold_time.is_zero() {
        context.error(client.key("hold_time"), "a hold time is longer than 0", "");
    }
    if policy.probes.count == 0 {
        context.error(client.key("probes"), "at least one probe is needed", "");
    }
    if policy.probes.concurrency == 0 {
        context.error(client.key("probe_concurrency"), "at least one endpoint must be measured at a time", "");
    }
    if policy.endpoints_per_device == 0 {
        context.error(at.key("endpoints_per_device"), "a device needs at least one endpoint", "");
    }
    let numbers = u32::from(loopbacks.last - loopbacks.first) + 1;
    if numbers < u32::from(policy.endpoints_per_device) {
        let message =
            format!("{numbers} loopbacks are too few for {} endpoints of each device", policy.endpoints_per_device);
        context.error(at.key("loopbacks"), message, "");
    }
    if !(24..=LONGEST_PREFIX).contains(&policy.minimum_prefix) {
        let message = format!("a prefix is /24 to /{LONGEST_PREFIX}, got /{}", policy.minimum_prefix);
        context.error(at.key("minimum_prefix"), message, "");
    }
    policy
}

fn blocks<'t>(context: &mut Context<'t, '_, '_>, at: At<'t>, file: &schema::Blocks) -> Blocks {
    use Space::{Multicast, Private, Public};
    let mut list = |key: &str, nets: &schema::OneOrMany<schema::Net>, default: (u32, u8), space: Space| {
        if nets.0.is_empty() {
            let net = Ipv4Net::new(default.0.into(), default.1);
            return net.into_iter().collect::<Vec<Ipv4Net>>();
        }
        for (index, net) in nets.0.iter().enumerate() {
            let (at, found) = (at.key(key).item(index), space_of(net.0));
            if found != Some(space) {
                let message = format!("expected a network of {space} addresses, got {}", net.0);
                context.error(at, message, "");
            }
            if key == "doublezero" && net.0.prefix_len() > 24 {
                context.error(at, format!("a block holds at least one /24, got {}", net.0), "");
            }
            if let Some(first) = nets.0[..index].iter().find(|first| overlap(first.0, net.0)) {
                context.error(at, format!("{} overlaps {}", net.0, first.0), "");
            }
        }
        nets.0.iter().map(|net| net.0).collect()
    };
    Blocks {
        doublezero: list("doublezero", &file.doublezero, (0x9433_8000, 21), Public),
        user_tunnels: list("user_tunnels", &file.user_tunnels, (0xa9fe_0000, 16), Private),
        device_tunnels: list("device_tunnels", &file.device_tunnels, (0xac10_0000, 16), Private),
        groups: list("groups", &file.groups, (0xe954_b200, 24), Multicast),
        publishers: list("publishers", &file.publishers, (0x9433_7800, 21), Public),
    }
}
