//! Whom packets go to: from the targets of a scenario to addresses.

use std::net::Ipv4Addr;

use anyhow::Context as _;
use dzsim_scenario::plan::{ClientName, DeviceCode, Node, Ref, Target, Via};

use super::{Context, StepError};
use crate::run::view::{self, References};

/// The address packets from a node go to when they are for this target and take this way.
pub(super) async fn address(context: &Context, from: &Node, via: &Via, target: &Target) -> Result<Ipv4Addr, StepError> {
    let world = &context.world;
    Ok(match target {
        Target::Address(address) => *address,
        Target::Ref(reference) => References::of(world, [reference]).await?.address(reference)?,
        Target::Client(client) => {
            let services = services(context, client).await?;
            let unicast = services.iter().find(|service| service.user_type != "Multicast").or(services.first());
            match unicast {
                Some(service) => service.doublezero_ip,
                None => return Err(StepError::new(format!("{client} has no tunnel, hence no address in DoubleZero"))),
            }
        }
        Target::Group(code) => {
            References::of(world, [&Ref::GroupIp(code.clone())]).await?.address(&Ref::GroupIp(code.clone()))?
        }
        Target::Device(device) => match (via, from) {
            (Via::Tunnel(name), Node::Client(client)) => far_end(context, client, name).await?,
            _ => public_ip(context, device).await?,
        },
    })
}

/// A device's address on the internet, which may have changed since the file was read.
async fn public_ip(context: &Context, code: &DeviceCode) -> Result<Ipv4Addr, StepError> {
    let view = context.world.chain.snapshot().await.map_err(anyhow::Error::from)?;
    let found = view.device_by_code(code.as_str()).map(|(_, device)| device.public_ip);
    Ok(match found {
        Some(address) => address,
        None => context.world.plan.devices.get(code).context("no such device")?.public_ip,
    })
}

/// The tunnels a client's daemon has.
pub(super) async fn services(
    context: &Context,
    client: &ClientName,
) -> Result<Vec<dz_client::api::Service>, StepError> {
    let status = view::daemon(&context.world, client)?.status(None).await.map_err(anyhow::Error::from)?;
    Ok(status.services)
}

/// The device's overlay address of a client's tunnel.
async fn far_end(context: &Context, client: &ClientName, name: &str) -> Result<Ipv4Addr, StepError> {
    let services = services(context, client).await?;
    let service = services
        .iter()
        .find(|service| service.tunnel_name == name)
        .ok_or_else(|| StepError::new(format!("{client} has no tunnel {name}")))?;
    let view = context.world.chain.snapshot().await.map_err(anyhow::Error::from)?;
    // Behind a translator the tunnel's own source is another one.
    let client_ip = context.world.client_ip(client)?;
    view.user_at(client_ip, service.tunnel_dst)
        .and_then(|(_, user)| user.allocation?.tunnel_net.address(0))
        .ok_or_else(|| StepError::new(format!("the chain has no user for {client}'s tunnel {name}")))
}
