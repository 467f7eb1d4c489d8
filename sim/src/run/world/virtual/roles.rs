//! The products' roles as futures: the same command lines as in the real world, and the virtual world's hosts, streams,
//! chain, clock and seeds.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use dzsim_scenario::plan::Process;
use futures_util::FutureExt;
use solana_signer::Signer;
use tokio::sync::oneshot;
use tracing::instrument::WithSubscriber;

use super::{Virtual, locked, planted};
use crate::run::{
    keys::Owner,
    roles::{CORE, device_account, parsed},
    seeds,
    world::task,
};

/// A role that can be started.
pub(super) struct Role {
    pub(super) future: task::Role,
    /// Hears when it is ready.
    pub(super) ready: oneshot::Receiver<()>,
    /// Asks it to end in good order, if it has anything to finish.
    pub(super) stop: Option<oneshot::Sender<()>>,
}

impl Virtual {
    /// The future that plays a role.
    pub(super) fn role(&self, process: &Process) -> anyhow::Result<Role> {
        let (is_ready, ready) = oneshot::channel();
        let is_ready: Box<dyn FnOnce() + Send> = Box::new(move || {
            // Who waits for it may have stopped waiting.
            let _ = is_ready.send(());
        });
        let mut stop = None;
        let (node, name, future): (&str, String, task::Role) = match process {
            Process::Activator(number) => {
                // Its key is not in a file here.
                let role = self.roles.activator(*number, Path::new("activator.json"), &self.policy);
                let name = role.name.clone();
                let args: dz_activator::Args = parsed(role)?;
                let (asks, asked) = oneshot::channel::<()>();
                stop = Some(asks);
                let deps = dz_activator::Deps {
                    ledger: self.chain(CORE, Owner::Activator)?,
                    http: Some(self.place(process).bind()?),
                    seed: self.seed(process),
                    ready: is_ready,
                    stop: asked.map(drop).boxed(),
                };
                (CORE, name, async move { dz_activator::serve(&args, deps).await }.boxed())
            }
            Process::Controller => {
                let role = self.roles.controller();
                let name = role.name.clone();
                // Nothing but where it listens, which is known here.
                parsed::<dz_controller::serve::Args>(role)?;
                // It only reads: whose key it has does not matter.
                let chain = planted::controller(self.bug, self.chain(CORE, Owner::Foundation)?);
                let deps = dz_controller::serve::Deps {
                    views: chain.watch(),
                    listeners: vec![self.place(process).bind()?],
                    ready: is_ready,
                };
                let future = async move {
                    let _chain = chain;
                    dz_controller::serve::serve(deps).await
                };
                (CORE, name, future.boxed())
            }
            Process::Agent(code) => {
                let role = self.roles.agent(&device_account(code));
                let name = role.name.clone();
                let args: dz_controller::agent::Args = parsed(role)?;
                let deps = dz_controller::agent::Deps {
                    host: planted::host(self.bug, Arc::new(self.network.host(code.as_str())?)),
                    controller: Arc::new(self.place(&Process::Controller)),
                    seed: self.seed(process),
                    ready: is_ready,
                };
                (code.as_str(), name, async move { dz_controller::agent::serve(&args, deps).await }.boxed())
            }
            Process::Daemon(client) => {
                let behind = self.plan.clients.get(client).context("no such client")?.behind();
                let nowhere = Path::new("memory");
                let role = self.roles.daemon(behind, nowhere, nowhere, &self.policy);
                let name = role.name.clone();
                let mut args: dz_client::daemon::Args = parsed(role)?;
                // What somebody else asks for in its name is not made on its host.
                args.payer = Some(self.keys.of(Owner::Client(client.as_str())).pubkey());
                let deps = dz_client::daemon::Deps {
                    host: planted::host(self.bug, Arc::new(self.network.host(client.as_str())?)),
                    // Nothing is ever sent.
                    ledger: self.chain(client.as_str(), Owner::Client(client.as_str()))?,
                    listener: self.place(process).bind()?,
                    store: self.disks.get(client).context("a client without a disk")?.clone(),
                    clock: self.clocks.get(client).context("a client without a clock")?.wall(self.clock.clone()),
                    seed: self.seed(process),
                    origin: tokio::time::Instant::now(),
                    ready: is_ready,
                };
                (client.as_str(), name, async move { dz_client::daemon::serve(&args, deps).await }.boxed())
            }
            Process::Gre(node) => anyhow::bail!("the gre helper of {node} is started by whoever needs a tunnel"),
        };
        let log = self.logs.of(node, &name, program(process))?;
        Ok(Role { future: future.with_subscriber(log).boxed(), ready, stop })
    }

    /// A seed of a process's own, another one each time it is started.
    fn seed(&self, process: &Process) -> u64 {
        let mut started = locked(&self.started);
        *started += 1;
        seeds::of(self.keys.seed(), &format!("process {started}"), &process.to_string())
    }
}

/// What a process calls itself in its log.
fn program(process: &Process) -> &'static str {
    match process {
        Process::Activator(_) => "activator",
        Process::Controller => "controller",
        Process::Agent(_) => "agent",
        Process::Daemon(_) => "doublezerod",
        Process::Gre(_) => "gre-helper",
    }
}
