//! Values of the references in a scenario.

use std::{collections::BTreeSet, net::Ipv4Addr, sync::Arc};

use dz_sdk::NetworkView;
use dzsim_scenario::plan::{Arg, ClientName, Expectation, Match, Ref};
use serde_json::Value;

use super::{ClientTunnels, Refs, daemon};
use crate::run::{error::StepError, keys::Keys, matching::Resolve, world::World};

/// What references stand for right now: a view of the chain and the tunnels of the clients they name.
pub struct References {
    view: Arc<NetworkView>,
    tunnels: ClientTunnels,
    keys: Keys,
}

impl Resolve for References {
    fn resolve(&self, reference: &Ref) -> Result<Value, String> {
        Refs { view: &self.view, tunnels: &self.tunnels, keys: self.keys }.resolve(reference)
    }
}

impl References {
    /// What these references need. The chain is read again, so that what a command has just landed is in it.
    pub(crate) async fn of<'a>(world: &World, refs: impl IntoIterator<Item = &'a Ref>) -> Result<Self, StepError> {
        let clients: BTreeSet<ClientName> = refs.into_iter().filter_map(client_of).cloned().collect();
        let view = world.chain.snapshot().await.map_err(anyhow::Error::from)?;
        let mut tunnels = ClientTunnels::new();
        for client in clients {
            // A daemon that does not answer has no tunnels to refer to; the reference then says so.
            if let Ok(status) = daemon(world, &client)?.status(None).await {
                tunnels.insert(client, status.services);
            }
        }
        Ok(Self { view, tunnels, keys: world.keys })
    }

    pub(crate) async fn of_args(world: &World, args: &[Arg]) -> Result<Self, StepError> {
        let refs = args.iter().filter_map(|arg| match arg {
            Arg::Ref(reference) => Some(reference),
            Arg::Text(_) => None,
        });
        Self::of(world, refs).await
    }

    pub(crate) async fn of_expectations(world: &World, expected: &[Expectation]) -> Result<Self, StepError> {
        let mut refs = Vec::new();
        expected.iter().for_each(|expectation| collect(&expectation.expected, &mut refs));
        Self::of(world, refs).await
    }

    /// The text a reference stands for.
    pub(crate) fn text(&self, reference: &Ref) -> Result<String, StepError> {
        match self.resolve(reference) {
            Ok(Value::String(text)) => Ok(text),
            Ok(other) => Ok(other.to_string()),
            Err(reason) => Err(StepError::new(format!("{reference}: {reason}"))),
        }
    }

    /// The address a reference stands for.
    pub(crate) fn address(&self, reference: &Ref) -> Result<Ipv4Addr, StepError> {
        let text = self.text(reference)?;
        text.parse().map_err(|_| StepError::new(format!("{reference} is {text}, which is no address")))
    }
}

fn client_of(reference: &Ref) -> Option<&ClientName> {
    match reference {
        Ref::DzIp { client, .. } | Ref::TunnelEndpoint { client, .. } => Some(client),
        Ref::Endpoint { .. } | Ref::Prefix { .. } | Ref::GroupIp(_) | Ref::Key(_) => None,
    }
}

fn collect<'a>(expected: &'a Match, refs: &mut Vec<&'a Ref>) {
    match expected {
        Match::Ref(reference) => refs.push(reference),
        Match::Table(entries) => entries.values().for_each(|entry| collect(entry, refs)),
        Match::List(parts) | Match::Contains(parts) | Match::AnyOf(parts) => {
            parts.iter().for_each(|part| collect(part, refs));
        }
        Match::Not(inner) => collect(inner, refs),
        Match::Null
        | Match::Bool(_)
        | Match::Int(_)
        | Match::Float(_)
        | Match::Text(_)
        | Match::Number(_)
        | Match::Duration(_)
        | Match::Count(_)
        | Match::Matches(_)
        | Match::Exists => {}
    }
}
