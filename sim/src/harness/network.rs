//! A running network in Rust: nodes to run commands at, and views.

use std::{net::Ipv4Addr, path::Path, sync::Arc};

use dz_client::api::{EndpointLatency, Service};
use dz_controller::config::DeviceConfig;
use dz_sdk::NetworkView;
use dzsim_fabric::CaptureConfig;
use dzsim_scenario::{
    Change,
    plan::{ClientName, DeviceCode, Step},
};
use serde_json::json;
use tokio::sync::Mutex;

use super::{Error, Scenario, before_main};
use crate::{
    run::artifacts,
    run::{
        bring_up::{self, Start},
        case, controller,
        events::Events,
        oracle::Oracle,
        phases::Phases,
        roles::{Roles, device_account},
        steps::{Context, Snapshots},
        view,
        world::{Kind, World, backend::Output},
    },
    scenario_files::{self, Words},
};

/// A network that runs. After each command and step everything settles and the oracle compares all views.
pub struct Network {
    context: Context,
    /// The oracle, and how many steps it has judged.
    judged: Mutex<(Oracle, usize)>,
    scenario: Scenario,
}

/// What is to be written when the network ends.
pub(super) struct Up(Arc<World>);

impl Up {
    pub(super) fn finish(self, folder: &Path) -> Result<(), Error> {
        Ok(case::finish(&self.0, folder)?)
    }
}

impl Network {
    pub(super) async fn up(scenario: Scenario, folder: &Path, capture: CaptureConfig) -> Result<(Self, Up), Error> {
        let case = scenario.case.clone();
        let clock = bring_up::clock(scenario.world);
        let events = Events::create(&folder.join(artifacts::EVENTS), &clock).map_err(anyhow::Error::from)?;
        let steps = case.plan.steps.clone();
        let roles = Roles::new(scenario.dataplane, &steps).map_err(anyhow::Error::from)?;
        let roles = match (&scenario.program, scenario.world) {
            (Some(program), _) => roles.played_by(program),
            (None, Kind::Real) => roles.played_by(&before_main::program()),
            (None, Kind::Virtual) => roles,
        };
        let start = Start {
            kind: scenario.world,
            seed: scenario.seed,
            roles,
            clock,
            artifacts: folder,
            events,
            capture,
            bug: None,
        };
        let world = bring_up::bring_up(case.plan, case.policy, start, &mut Phases::default()).await?;
        let oracle = case::settle_clients(&world).await?;
        let snapshots = Snapshots {
            folder: Some(scenario_files::snapshots(&std::path::absolute(&scenario.path).map_err(anyhow::Error::from)?)),
            file: scenario.path.clone(),
            case: case.name,
            update: false,
        };
        let context = Context::new(Arc::clone(&world), snapshots);
        let network = Self { context, judged: Mutex::new((oracle, 0)), scenario };
        network.all(&steps).await?;
        Ok((network, Up(world)))
    }

    /// A client of the scenario.
    pub fn client<'a>(&'a self, name: &'a str) -> Client<'a> {
        Client { network: self, name }
    }

    /// A device of the scenario.
    pub fn device<'a>(&'a self, code: &'a str) -> Device<'a> {
        Device { network: self, code }
    }

    /// Who set the network up: the foundation's key.
    pub fn operator(&self) -> Operator<'_> {
        Operator { network: self }
    }

    /// The accounts on the chain, decoded, at the latest slot.
    ///
    /// # Errors
    /// The chain has not been read.
    pub fn chain(&self) -> Result<Arc<NetworkView>, Error> {
        Ok(self.context.world.view().ok_or_else(|| anyhow::anyhow!("the chain has not been read yet"))?)
    }

    /// Runs steps in the language of scenarios: YAML, a list. What a scenario can do, faults among it, needs no code.
    ///
    /// ```no_run
    /// # async fn example(net: dzsim::Network) -> dzsim::Result {
    /// net.steps("[{ fault: { node: nyc1, how: reboot } }, { ping: { from: val1, to: nyc1 } }]").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A step is not valid or does not hold, or the network breaks an invariant after it.
    pub async fn steps(&self, yaml: &str) -> Result<(), Error> {
        self.all(&self.resolve(yaml)?).await
    }

    /// Steps of this text, checked against the scenario's network.
    fn resolve(&self, yaml: &str) -> Result<Vec<Step>, Error> {
        let steps: Change = format!("steps={yaml}").parse().map_err(anyhow::Error::from)?;
        let Scenario { path, text, .. } = &self.scenario;
        let cases = dzsim_scenario::parse_changed(path, text, &[steps], &Words::default()).map_err(Error::Invalid)?;
        Ok(cases.into_iter().next().map(|case| case.plan.steps).unwrap_or_default())
    }

    async fn all(&self, steps: &[Step]) -> Result<(), Error> {
        let mut judged = self.judged.lock().await;
        for step in steps {
            judged.1 += 1;
            let number = judged.1;
            case::act(&self.context, number, step).await?;
            case::judge(&self.context.world, &mut judged.0, number, step).await?;
        }
        Ok(())
    }

    /// Runs a command line at a node.
    async fn command(&self, on: &str, line: &str, exit: serde_json::Value) -> Result<Output, Error> {
        self.steps(&json!([{"run": line, "on": on, "exit": exit}]).to_string()).await?;
        Ok(self.context.last_output().ok_or_else(|| anyhow::anyhow!("the command was left out: {line}"))?)
    }
}

/// A client: a host with `doublezerod` and the command line.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    network: &'a Network,
    name: &'a str,
}

impl Client<'_> {
    /// Runs a command line of `doublezero`, which must end with exit code 0.
    ///
    /// # Errors
    /// It ends with another code or not in time, or the network breaks an invariant after it.
    pub async fn run(&self, line: &str) -> Result<Output, Error> {
        self.network.command(self.name, line, json!(0)).await
    }

    /// Runs a command line of `doublezero` and returns what it said, whatever its exit code.
    ///
    /// # Errors
    /// It does not end in time, or the network breaks an invariant after it.
    pub async fn output(&self, line: &str) -> Result<Output, Error> {
        self.network.command(self.name, line, json!("any")).await
    }

    /// The tunnels of the client, as its daemon shows them.
    ///
    /// # Errors
    /// There is no such client, or its daemon does not answer.
    pub async fn tunnels(&self) -> Result<Vec<Service>, Error> {
        let status = view::daemon(&self.network.context.world, &self.known()?)?.status(None).await;
        Ok(status.map_err(anyhow::Error::from)?.services)
    }

    /// The endpoints of all devices with their round-trip times, as its daemon shows them.
    ///
    /// # Errors
    /// There is no such client, or its daemon does not answer.
    pub async fn latency(&self) -> Result<Vec<EndpointLatency>, Error> {
        let latency = view::daemon(&self.network.context.world, &self.known()?)?.latency(None).await;
        Ok(latency.map_err(anyhow::Error::from)?.results)
    }

    fn known(&self) -> Result<ClientName, Error> {
        let clients = &self.network.context.world.plan.clients;
        let known = clients.keys().find(|name| name.as_str() == self.name).cloned();
        known.ok_or_else(|| Error::Unknown {
            kind: "client",
            name: self.name.to_owned(),
            known: clients.keys().map(ClientName::as_str).collect::<Vec<_>>().join(", "),
        })
    }
}

/// A device, with its agent.
#[derive(Clone, Copy)]
pub struct Device<'a> {
    network: &'a Network,
    code: &'a str,
}

impl Device<'_> {
    /// Runs a command line of `doublezero` with the key of the device's contributor.
    ///
    /// # Errors
    /// It ends with another exit code than 0 or not in time, or the network breaks an invariant after it.
    pub async fn run(&self, line: &str) -> Result<Output, Error> {
        self.network.command(self.code, line, json!(0)).await
    }

    /// The configuration that the controller renders for it.
    ///
    /// # Errors
    /// There is no such device, or the controller does not answer.
    pub async fn config(&self) -> Result<DeviceConfig, Error> {
        Ok(controller::config(&self.network.context.world, &device_account(&self.known()?)).await?)
    }

    /// The addresses on which users' tunnels end, in order.
    ///
    /// # Errors
    /// There is no such device.
    pub fn endpoints(&self) -> Result<Vec<Ipv4Addr>, Error> {
        let (code, chain) = (self.known()?, self.network.chain()?);
        let device = chain.device_by_code(code.as_str());
        let (key, _) = device.ok_or_else(|| anyhow::anyhow!("device {code} is not on chain"))?;
        Ok(chain.endpoints(&key).into_iter().map(|(address, _)| address).collect())
    }

    fn known(&self) -> Result<DeviceCode, Error> {
        let devices = &self.network.context.world.plan.devices;
        let known = devices.keys().find(|code| code.as_str() == self.code).cloned();
        known.ok_or_else(|| Error::Unknown {
            kind: "device",
            name: self.code.to_owned(),
            known: devices.keys().map(DeviceCode::as_str).collect::<Vec<_>>().join(", "),
        })
    }
}

/// Who operates the network.
#[derive(Clone, Copy)]
pub struct Operator<'a> {
    network: &'a Network,
}

impl Operator<'_> {
    /// Runs a command line of `doublezero` with the foundation's key.
    ///
    /// # Errors
    /// It ends with another exit code than 0 or not in time, or the network breaks an invariant after it.
    pub async fn run(&self, line: &str) -> Result<Output, Error> {
        self.network.command("operator", line, json!(0)).await
    }
}

#[cfg(test)]
mod tests {
    use dz_net::kernel::{RouteInfo, TABLE_MAIN};
    use dzsim_scenario::plan::Node;

    use super::*;
    use crate::harness::test_process;

    fn is_default(route: &RouteInfo) -> bool {
        route.table == TABLE_MAIN && route.destination.prefix_len() == 0
    }

    /// The oracle looks again at a node that was right, though nothing else has moved since.
    #[test]
    fn what_goes_wrong_at_a_node_alone_is_seen() {
        let name = concat!(module_path!(), "::what_goes_wrong_at_a_node_alone_is_seen");
        test_process::run(name, Kind::Virtual, Scenario::default(), async |net: Network| {
            let look = async || net.client("val1").run("doublezero status").await.map(drop).map_err(|e| e.to_string());
            look().await.unwrap();
            let val1 = net.context.world.plan.clients.keys().next().unwrap();
            let host = net.context.world.backend.host(&Node::Client(val1.clone())).unwrap();
            let default = host.routes().await.unwrap().into_iter().find(is_default).unwrap();
            let _ = host.delete_route(&default).await.unwrap();
            let seen = look().await.unwrap_err();
            assert!(seen.contains("every node has a way to the internet: val1"), "{seen}");
            let _ = host.add_route(&default).await.unwrap();
            look().await.unwrap();
        });
    }
}
