//! `expect_traffic`: packets that the simulated internet, or a backbone link, has carried.

use std::{net::Ipv4Addr, time::Duration};

use dz_sdk::program::state::AddressSource;
use dzsim_fabric::{FlowNumber, Medium, Purposes, TrafficFilter};
use dzsim_scenario::plan::{DeviceCode, Protocol, Since, Traffic, TrafficEnd};

use super::{Context, StepError};
use crate::run::{error::eventually, view::References};

pub(super) async fn run(context: &Context, wanted: &Traffic, deadline: Duration) -> Result<(), StepError> {
    let from = addresses(context, &wanted.from).await?;
    let to = addresses(context, &wanted.to).await?;
    let protocol = match wanted.protocol {
        Protocol::Any => None,
        Protocol::Gre => Some(47),
        Protocol::Icmp => Some(1),
        Protocol::Udp => Some(17),
        Protocol::Tcp => Some(6),
    };
    let mark = match wanted.since {
        Since::Start => context.start.clone(),
        Since::PreviousAction => context.last().action.clone(),
    };
    let medium = match &wanted.link {
        None => Medium::Internet,
        Some(link) => Medium::Link(link.as_str().to_owned()),
    };
    let purposes = match (wanted.flow, wanted.probes) {
        (Some(flow), _) => Purposes::Flow(FlowNumber::new(flow)),
        (None, true) => Purposes::All,
        (None, false) => Purposes::NoProbes,
    };
    eventually(deadline, || async {
        let mut packets = 0;
        for source in &from {
            for destination in &to {
                let filter = TrafficFilter {
                    medium: Some(medium.clone()),
                    source: *source,
                    destination: *destination,
                    protocol,
                    purposes,
                    ..TrafficFilter::default()
                };
                packets += context.world.internet().traffic_since(&mark, &filter).delivered.packets;
            }
        }
        if wanted.packets.holds(&packets) {
            return Ok(());
        }
        Err(StepError {
            message: format!("{packets} packets were carried"),
            expected: Some(format!("{} packets", wanted.packets)),
            actual: Some(format!("{packets} packets")),
            ..StepError::default()
        })
    })
    .await
}

/// The addresses of an end; `None` is any.
async fn addresses(context: &Context, end: &TrafficEnd) -> Result<Vec<Option<Ipv4Addr>>, StepError> {
    let world = &context.world;
    Ok(match end {
        TrafficEnd::Any => vec![None],
        TrafficEnd::Address(address) => vec![Some(*address)],
        TrafficEnd::Client(client) => {
            vec![Some(world.client_ip(client)?)]
        }
        TrafficEnd::Ref(reference) => vec![Some(References::of(world, [reference]).await?.address(reference)?)],
        TrafficEnd::Device(device) => device_addresses(context, device).await?.into_iter().map(Some).collect(),
    })
}

async fn device_addresses(context: &Context, code: &DeviceCode) -> Result<Vec<Ipv4Addr>, StepError> {
    let view = context.world.chain.snapshot().await.map_err(anyhow::Error::from)?;
    let (key, device) =
        view.device_by_code(code.as_str()).ok_or_else(|| StepError::new(format!("device {code} is not on chain")))?;
    let interfaces = view
        .interfaces_of_device(&key)
        .filter_map(|(_, interface)| interface.address)
        .filter(|address| address.source != AddressSource::PublicIp)
        .map(|address| address.ip);
    Ok(std::iter::once(device.public_ip).chain(interfaces).collect())
}
