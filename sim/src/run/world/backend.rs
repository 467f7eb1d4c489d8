//! The interface of a world to steps, oracle and views: nodes, processes, commands and the ledger's inside. The
//! real and the virtual world each implement it; nothing above knows which of the two it works on.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use dz_client::api::Daemon;
use dz_net::host::{Changes, Host};
use dz_service::stream::Connect;
use dzsim_fabric::{CaptureConfig, Fabric};
use dzsim_scenario::plan::{ClientName, LedgerFault, Node, Plan, Policy, Process};
use tokio::sync::{oneshot, watch};

use super::bug::Bug;
use crate::run::{
    events::Events,
    keys::{Keys, Owner},
    lateness::{Part, Times, watch::Moment},
    roles::Roles,
};

/// What a world is made from.
pub struct Parts<'a> {
    /// The network.
    pub plan: Arc<Plan>,
    /// The policy of the parts.
    pub policy: Policy,
    /// All keys.
    pub keys: Keys,
    /// How roles are started.
    pub roles: Roles,
    /// The folder of the run's artifacts.
    pub artifacts: &'a Path,
    /// The event log.
    pub events: Events,
    /// What of the packets is recorded.
    pub capture: CaptureConfig,
    /// A bug to put in on purpose; in the virtual world only.
    pub bug: Option<Bug>,
}

/// A command.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Where.
    pub node: &'a Node,
    /// Whose key it has.
    pub owner: Owner<'a>,
    /// A program of the scenario's author; the products' command line if there is none.
    pub program: Option<&'a Path>,
    /// Its arguments.
    pub args: &'a [String],
}

/// What a command said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; 128 and the signal's number if a signal ended it, as shells say it.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// A command's turn, which ends when this is dropped.
#[derive(Debug, Default)]
pub struct Turn(#[expect(dead_code, reason = "held until it is dropped")] Option<oneshot::Sender<()>>);

impl Turn {
    /// One whose end the receiver of `end` hears of.
    pub fn until(end: oneshot::Sender<()>) -> Self {
        Self(Some(end))
    }
}

/// How a process is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// At once, as SIGKILL does: whatever it was doing stays as it is.
    Kill,
    /// As SIGTERM asks for it: it ends in good order.
    Terminate,
}

/// A world. Its futures stay on the thread of the steps.
#[async_trait(?Send)]
pub trait Backend: Send + Sync {
    /// The internet and the backbone.
    fn internet(&self) -> &Fabric;

    /// The ledger's inside.
    fn ledger(&self) -> &dyn LedgerInside;

    /// The host of a client or a device, as it is now; another one after a reboot.
    ///
    /// # Errors
    /// There is no such node, or it is the operator's, which has no network of its own.
    fn host(&self, node: &Node) -> anyhow::Result<Arc<dyn Host>>;

    /// The changes of a node's network configuration from now on, by anybody.
    ///
    /// # Errors
    /// There is no such node, or it cannot be watched.
    async fn watch(&self, node: &Node) -> anyhow::Result<Box<dyn Changes>>;

    /// Starts a role and returns when it says that it is ready.
    ///
    /// # Errors
    /// It does not start, or ends before it is ready.
    async fn start(&self, process: &Process) -> anyhow::Result<()>;

    /// Stops a process that was started and returns when it has ended.
    ///
    /// # Errors
    /// It was never started.
    async fn stop(&self, process: &Process, how: Stop) -> anyhow::Result<()>;

    /// Lets a process rest as it is.
    ///
    /// # Errors
    /// It was never started.
    fn pause(&self, process: &Process) -> anyhow::Result<()>;

    /// Lets a process that rests go on.
    ///
    /// # Errors
    /// It was never started.
    fn resume(&self, process: &Process) -> anyhow::Result<()>;

    /// Whether a process was ever started.
    fn was_started(&self, process: &Process) -> bool;

    /// Kills the helper that holds a node's tunnels.
    ///
    /// # Errors
    /// None runs.
    async fn kill_helper(&self, node: &Node) -> anyhow::Result<()>;

    /// Switches a node off and on: its network and its processes are as new, its disk is as it was.
    ///
    /// # Errors
    /// There is no such node.
    async fn reboot(&self, node: &Node) -> anyhow::Result<()>;

    /// Sets a client's clock this far ahead of the world's, in nanoseconds.
    ///
    /// # Errors
    /// The world has no such clocks.
    fn set_clock(&self, client: &ClientName, ahead_ns: i64) -> anyhow::Result<()>;

    /// How often a client's clock was read while it was not right.
    fn wrong_times(&self, _client: &ClientName) -> u64 {
        0
    }

    /// Waits until a command can be served with those that run. Nobody waits where time does.
    async fn turn(&self) -> Turn {
        Turn::default()
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// It cannot be started, or does not end within the deadline.
    async fn command(&self, call: Call<'_>, deadline: Duration) -> anyhow::Result<Output>;

    /// Where an activator or the controller serves HTTP.
    ///
    /// # Errors
    /// It is no server.
    fn server(&self, server: &Process) -> anyhow::Result<Arc<dyn Connect>>;

    /// The daemon of a client, as its command line reaches it.
    ///
    /// # Errors
    /// There is no such client.
    fn daemon(&self, client: &ClientName) -> anyhow::Result<Daemon>;

    /// The names of all nodes with a shell; none in the virtual world.
    fn shells(&self) -> Vec<String>;

    /// What was late the longest at once since this was last asked. Nothing is in a world whose time waits for everybody.
    fn take_late(&self) -> Times {
        Times::new()
    }

    /// Enters what somebody else has found late.
    fn note_late(&self, _part: Part, _by: Duration) {}

    /// A moment, for [`Backend::waited_since`]; none in such a world.
    fn moment(&self) -> Option<Moment> {
        None
    }

    /// How long it is since a moment, and how long each part has waited for a processor since.
    fn waited_since(&self, moment: &Moment) -> (Duration, Times) {
        (moment.elapsed(), Times::new())
    }
}

/// The ledger from inside: how far it is, what time it is on it, and what goes wrong between it and the nodes.
#[async_trait]
pub trait LedgerInside: Send + Sync {
    /// The latest slot, as it changes.
    fn slots(&self) -> watch::Receiver<u64>;

    /// Lets this epoch begin on the chain.
    ///
    /// # Errors
    /// The ledger has stopped.
    async fn begin_epoch(&self, epoch: u64) -> anyhow::Result<()>;

    /// Returns why the ledger has died, once it has: nothing can happen any more then. One in memory does not die.
    async fn death(&self) -> String {
        std::future::pending().await
    }

    /// Lets the ledger go on from before its last slots.
    ///
    /// # Errors
    /// Not that many slots are remembered, or the ledger has stopped.
    async fn lose_slots(&self, slots: u64) -> anyhow::Result<()>;

    /// Inflicts a fault on the processes of a node; `core` is what belongs to no node.
    fn inflict(&self, node: &str, fault: &LedgerFault);

    /// Takes a fault of this kind away from a node.
    fn heal(&self, node: &str, kind: &LedgerFault);

    /// How often faults of this kind have made a difference to a node, since the start.
    fn hits(&self, node: &str, kind: &LedgerFault) -> u64;
}
