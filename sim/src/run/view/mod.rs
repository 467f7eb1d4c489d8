//! Views for scenarios, each as a JSON value.

pub mod accounts;
pub mod kernel_state;
mod references;

use std::collections::BTreeMap;

use anyhow::Context;
use dz_client::api::{Daemon, Service};
use dz_sdk::{NetworkView, program::state::AccountType};
use dzsim_scenario::plan::{ClientName, DeviceCode, Node, Ref, Segment, View};
use serde_json::{Value, json};
use solana_signer::Signer;

pub use references::References;

use super::{
    controller,
    keys::{Keys, Owner},
    matching::Resolve,
    roles::device_account,
    world::World,
};

/// The tunnels of clients.
pub type ClientTunnels = BTreeMap<ClientName, Vec<Service>>;

/// The daemon of a client.
///
/// # Errors
/// The part that shows it does not answer.
pub fn daemon(world: &World, client: &ClientName) -> anyhow::Result<Daemon> {
    world.backend.daemon(client)
}

/// A view as it is right now.
///
/// # Errors
/// The part that shows it does not answer.
pub async fn look(world: &World, view: &View) -> anyhow::Result<Value> {
    let chain = || world.view().context("the chain has not been read yet");
    Ok(match view {
        View::ClientTunnels(client) => {
            let status = daemon(world, client)?.status(None).await?;
            status.services.iter().map(tunnel).collect()
        }
        View::ClientStatus(client) => serde_json::to_value(daemon(world, client)?.status(None).await?)?,
        View::ClientLatency(client) => {
            let mut latency = daemon(world, client)?.latency(None).await?;
            latency.results.sort_by(|a, b| (&a.device_code, a.device_ip).cmp(&(&b.device_code, b.device_ip)));
            serde_json::to_value(latency.results)?
        }
        View::ClientRoutes(client) => own_routes(&node_kernel(world, Node::Client(client.clone())).await?),
        View::ClientKernel(client) => node_kernel(world, Node::Client(client.clone())).await?,
        View::DeviceEndpoints(device) => endpoints(&*chain()?, device)?,
        View::DeviceTunnels(device) => device_tunnels(world, device).await?,
        View::DeviceConfig(device) => serde_json::to_value(controller::config(world, &device_account(device)).await?)?,
        View::DeviceKernel(device) => node_kernel(world, Node::Device(device.clone())).await?,
        View::ChainConfig => accounts::config(&*chain()?),
        View::ChainPools => accounts::pools(&*chain()?),
        View::ChainContributors => accounts::contributors(&*chain()?),
        View::ChainExchanges => accounts::exchanges(&*chain()?),
        View::ChainDevices => accounts::devices(&*chain()?),
        View::ChainInterfaces => accounts::interfaces(&*chain()?),
        View::ChainLinks => accounts::links(&*chain()?),
        View::ChainTenants => accounts::tenants(&*chain()?),
        View::ChainPasses => accounts::passes(&*chain()?),
        View::ChainGroups => accounts::groups(&*chain()?),
        View::ChainUsers => accounts::users(&*chain()?),
        View::RunFaults => faults(world),
    })
}

/// What faults have hit.
fn faults(world: &World) -> Value {
    let all = world.fault_hits.summaries(world).into_iter();
    all.map(|fault| json!({"name": fault.title, "hits": fault.hits})).collect()
}

/// A tunnel of a client, in the words of a scenario.
fn tunnel(service: &Service) -> Value {
    let kind = match service.user_type.as_str() {
        "IBRL" => "ibrl",
        "IBRLWithAllocatedIP" => "ibrl-allocated",
        "Multicast" => "multicast",
        other => other,
    };
    json!({
        "name": service.tunnel_name,
        "type": kind,
        "source": service.tunnel_src.to_string(),
        "endpoint": service.tunnel_dst.to_string(),
        "dz_ip": service.doublezero_ip.to_string(),
        "session": service.doublezero_status.session_status.to_string(),
        "device": service.current_device,
        "tenant": service.tenant,
        "publish": service.multicast_groups.publisher,
        "subscribe": service.multicast_groups.subscriber,
    })
}

async fn node_kernel(world: &World, node: Node) -> anyhow::Result<Value> {
    Ok(kernel_state::all(&*world.backend.host(&node)?).await?)
}

fn own_routes(kernel: &Value) -> Value {
    let ours = |route: &&Value| {
        route["dev"].as_str().is_some_and(dz_client::daemon::tunnel_names::is_ours) && route["source"].is_string()
    };
    kernel["routes"].as_array().into_iter().flatten().filter(ours).cloned().collect()
}

fn endpoints(view: &NetworkView, device: &DeviceCode) -> anyhow::Result<Value> {
    let (key, _) = view.device_by_code(device.as_str()).with_context(|| format!("device {device} is not on chain"))?;
    Ok(view.endpoints(&key).into_iter().map(|(ip, _)| Value::from(ip.to_string())).collect())
}

async fn device_tunnels(world: &World, device: &DeviceCode) -> anyhow::Result<Value> {
    let tunnels = world.backend.host(&Node::Device(device.clone()))?.tunnels().await?.list().await?;
    Ok(tunnels
        .into_iter()
        .map(|tunnel| {
            json!({
                "name": tunnel.spec.name,
                "source": tunnel.spec.local.to_string(),
                "destination": tunnel.spec.remote.to_string(),
                "mtu": tunnel.spec.mtu,
            })
        })
        .collect())
}

/// Follows a path into a value; what is not there is null.
pub fn follow(value: &Value, rest: &[Segment]) -> Value {
    rest.iter().fold(value.clone(), |value, segment| match segment {
        Segment::Index(index) => value.get(*index).cloned().unwrap_or(Value::Null),
        Segment::Count => super::matching::count(&value).map_or(Value::Null, Value::from),
        Segment::Key(key) => match &value {
            Value::Array(list) => list
                .iter()
                .find(|item| ["name", "code"].iter().any(|field| item[*field].as_str() == Some(key)))
                .cloned()
                .unwrap_or(Value::Null),
            _ => value.get(key).cloned().unwrap_or(Value::Null),
        },
    })
}

/// References against a view of the chain and of the clients' tunnels.
pub struct Refs<'a> {
    /// The chain.
    pub view: &'a NetworkView,
    /// The tunnels of the clients that references name.
    pub tunnels: &'a ClientTunnels,
    /// Everybody's keys.
    pub keys: Keys,
}

impl Refs<'_> {
    fn service(&self, client: &ClientName, tunnel: &str) -> Result<&Service, String> {
        self.tunnels
            .get(client)
            .and_then(|services| services.iter().find(|service| service.tunnel_name == tunnel))
            .ok_or_else(|| format!("{client} has no tunnel {tunnel}"))
    }
}

impl Resolve for Refs<'_> {
    fn resolve(&self, reference: &Ref) -> Result<Value, String> {
        let device = |code: &DeviceCode| {
            self.view.device_by_code(code.as_str()).ok_or_else(|| format!("device {code} is not on chain"))
        };
        match reference {
            Ref::Endpoint { device: code, index } => {
                let endpoints = self.view.endpoints(&device(code)?.0);
                endpoints
                    .get(*index)
                    .map(|(ip, _)| ip.to_string().into())
                    .ok_or_else(|| format!("device {code} has {} endpoints", endpoints.len()))
            }
            Ref::Prefix { device: code, index } => {
                let prefixes = &device(code)?.1.prefixes;
                prefixes
                    .get(*index)
                    .map(|prefix| prefix.net.to_string().into())
                    .ok_or_else(|| format!("device {code} has {} prefixes", prefixes.len()))
            }
            Ref::DzIp { client, tunnel } => Ok(self.service(client, tunnel)?.doublezero_ip.to_string().into()),
            Ref::TunnelEndpoint { client, tunnel } => Ok(self.service(client, tunnel)?.tunnel_dst.to_string().into()),
            Ref::GroupIp(code) => self
                .view
                .by_code(AccountType::MulticastGroup, code.as_str())
                .and_then(|key| self.view.group(&key)?.address)
                .map(|address| address.ip.to_string().into())
                .ok_or_else(|| format!("group {code} has no address")),
            Ref::Key(client) => Ok(self.keys.of(Owner::Client(client.as_str())).pubkey().to_string().into()),
        }
    }
}
