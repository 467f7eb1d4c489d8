//! Steps that send packets, and steps that look at them.

use std::{collections::BTreeSet, time::Duration};

use super::{context::At, reference, resolver::Resolver};
use crate::{
    plan::{
        Action, Bound, ClientName, Comparison, Forged, Ping, Protocol, Send, Since, Target, Traffic, TrafficEnd, Via,
    },
    schema,
};

/// Octets that an IPv4 packet leaves for data behind an ICMP or UDP header.
const MOST_DATA: u16 = 65_507;

pub(super) fn ping<'t>(
    resolver: &mut Resolver<'_, 't, '_, '_, '_>,
    at: At<'t>,
    step: &schema::PingStep,
) -> Option<Action> {
    let (inner, file) = (at.key("ping"), &step.ping);
    let plan = resolver.plan;
    let from = reference::node(resolver.context, inner.key("from"), &file.from, plan);
    let to = reference::target(resolver.context, inner.key("to"), &file.to, plan);
    if file.received.is_none_or(|bound| !bound.0.holds(&0)) {
        reference::answered(resolver.context, inner.key("to"), to.as_ref(), (plan, resolver.policy));
    }
    let Packets { via, source, count, interval, size, flow } = packets(resolver, inner, file.packets(), 56);
    let meanwhile = resolver.steps(at.key("while"), &step.meanwhile);
    Some(Action::Ping(Ping {
        from: from?,
        to: to?,
        via,
        source,
        count,
        interval,
        size,
        dont_fragment: file.dont_fragment,
        received: file.received.map(|bound| bound.0),
        rtt: file.rtt.map(|bound| bound.0),
        too_big: file.too_big,
        flow,
        meanwhile,
    }))
}

pub(super) fn send<'t>(
    resolver: &mut Resolver<'_, 't, '_, '_, '_>,
    at: At<'t>,
    step: &schema::SendStep,
) -> Option<Action> {
    let (inner, file) = (at.key("send"), &step.send);
    let plan = resolver.plan;
    let from = reference::client(resolver.context, inner.key("from"), &file.from, plan);
    let to = reference::target(resolver.context, inner.key("to"), &file.to, plan);
    let mut received_by = listeners(resolver, inner.key("received_by"), &file.received_by);
    let not_received_by = listeners(resolver, inner.key("not_received_by"), &file.not_received_by);
    if let Some(both) = received_by.intersection(&not_received_by).next() {
        let message = format!("`{both}` cannot both get the datagrams and not get them");
        resolver.context.error(inner.key("not_received_by"), message, "");
    }
    if let (Some(Target::Client(client)), true) = (&to, file.received_by.0.is_empty())
        && !not_received_by.contains(client)
    {
        received_by.insert(client.clone());
    }
    if !received_by.is_empty() {
        reference::answered(resolver.context, inner.key("to"), to.as_ref(), (plan, resolver.policy));
    }
    let gre = match &file.gre {
        Some(gre) => Some(forged(resolver, inner.key("gre"), gre)?),
        None => None,
    };
    let Packets { via, source, count, interval, size, flow } = packets(resolver, inner, file.packets(), 64);
    let meanwhile = resolver.steps(at.key("while"), &step.meanwhile);
    Some(Action::Send(Send {
        from: from?,
        to: to?,
        via,
        source,
        count,
        interval,
        size,
        received_by,
        not_received_by,
        gre,
        duplicates_allowed: file.duplicates.is_some(),
        flow,
        meanwhile,
    }))
}

fn forged<'t>(resolver: &mut Resolver<'_, 't, '_, '_, '_>, at: At<'t>, file: &schema::Forged) -> Option<Forged> {
    let plan = resolver.plan;
    let to = reference::target(resolver.context, at.key("to"), &file.to, plan);
    let source = source(resolver, at, file.source.as_ref());
    Some(Forged { to: to?, source, key: file.key, cut: file.cut })
}

fn listeners<'t>(
    resolver: &mut Resolver<'_, 't, '_, '_, '_>,
    at: At<'t>,
    names: &schema::Names,
) -> BTreeSet<ClientName> {
    let names = resolver.context.clients(at, names, resolver.known);
    names.iter().map(|name| ClientName::new(name)).collect()
}

fn source<'t>(resolver: &mut Resolver<'_, 't, '_, '_, '_>, at: At<'t>, text: Option<&String>) -> Option<Target> {
    let plan = resolver.plan;
    text.and_then(|text| reference::target(resolver.context, at.key("source"), text, plan))
}

/// The packets of a step.
struct Packets {
    via: Via,
    source: Option<Target>,
    count: u16,
    interval: Duration,
    size: u16,
    flow: u16,
}

fn packets<'t>(
    resolver: &mut Resolver<'_, 't, '_, '_, '_>,
    at: At<'t>,
    file: schema::Packets<'_>,
    usual_size: u16,
) -> Packets {
    let source = source(resolver, at, file.source);
    let via =
        file.via.map_or(Via::Routes, |name| Via::Tunnel(reference::tunnel(resolver.context, at.key("via"), name)));
    if file.count == Some(0) {
        resolver.context.error(at.key("count"), "at least one packet must be sent", "");
    }
    let size = file.size.unwrap_or(usual_size);
    if size > MOST_DATA {
        resolver.context.error(at.key("size"), format!("a packet holds at most {MOST_DATA} octets, got {size}"), "");
    }
    Packets {
        via,
        source,
        count: file.count.unwrap_or(3),
        interval: file.interval.map_or(Duration::from_millis(10), |interval| interval.0),
        size,
        flow: resolver.flow(file.flow),
    }
}

pub(super) fn traffic<'t>(
    resolver: &mut Resolver<'_, 't, '_, '_, '_>,
    at: At<'t>,
    step: &schema::TrafficStep,
) -> Option<Action> {
    let (at, file) = (at.key("expect_traffic"), &step.expect_traffic);
    let plan = resolver.plan;
    let gre = file.gre_to.is_some() || file.gre_from.is_some();
    if gre && !matches!(file.protocol, schema::Protocol::Any | schema::Protocol::Gre) {
        resolver.context.error(at.key("protocol"), "`gre_to` and `gre_from` mean protocol gre", "");
    }
    let mut end = |long: (&str, Option<&String>), short: (&str, Option<&String>)| {
        if long.1.is_some() && short.1.is_some() {
            let message = format!("`{}` and `{}` mean the same", long.0, short.0);
            resolver.context.error(at.key(short.0), message, "");
        }
        match (long, short) {
            ((key, Some(text)), _) | (_, (key, Some(text))) => {
                reference::traffic_end(resolver.context, at.key(key), text, plan)
            }
            _ => Some(TrafficEnd::Any),
        }
    };
    let from = end(("from", file.from.as_ref()), ("gre_from", file.gre_from.as_ref()));
    let to = end(("to", file.to.as_ref()), ("gre_to", file.gre_to.as_ref()));
    let link = match &file.link {
        Some(code) => Some(reference::link(resolver.context, at.key("link"), code, plan)?),
        None => None,
    };
    let protocol = match file.protocol {
        _ if gre => Protocol::Gre,
        schema::Protocol::Any => Protocol::Any,
        schema::Protocol::Gre => Protocol::Gre,
        schema::Protocol::Icmp => Protocol::Icmp,
        schema::Protocol::Udp => Protocol::Udp,
        schema::Protocol::Tcp => Protocol::Tcp,
    };
    let packets = file.packets.map_or(Bound { comparison: Comparison::AtLeast, value: 1 }, |bound| bound.0);
    let since = match file.since {
        schema::Since::Previous => Since::PreviousAction,
        schema::Since::Start => Since::Start,
    };
    let flow = match &file.flow {
        Some(name) => Some(resolver.known_flow(at.key("flow"), name)?),
        None => None,
    };
    let probes = file.probes;
    Some(Action::Traffic(Traffic { from: from?, to: to?, protocol, link, flow, probes, packets, since }))
}
