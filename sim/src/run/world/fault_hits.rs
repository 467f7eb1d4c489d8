//! Hits of faults: a fault that has hit nothing when it ends proves nothing, and fails the scenario.

use std::{
    collections::BTreeSet,
    mem::discriminant,
    sync::{Mutex, MutexGuard, PoisonError},
};

use dzsim_fabric::{DropReason, PathCounters};
use dzsim_scenario::plan::{
    Bound, ClientName, Condition, Fault, Healing, LedgerFault, NodeFault, Process, ProcessFault, Step,
};
use serde::{Deserialize, Serialize};

use super::World;
use crate::run::error::StepError;

/// A fault, and how often it has made a difference: packets, notifications, reads or sends; 1 for what is killed, set down,
/// moved or lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultSummary {
    /// What it is.
    pub title: String,
    /// Line in the scenario file.
    pub line: usize,
    /// How often.
    pub hits: u64,
}

/// All faults that were inflicted.
#[derive(Debug, Default)]
pub struct FaultHits(Mutex<Vec<Inflicted>>);

#[derive(Debug)]
struct Inflicted {
    fault: Fault,
    summary: FaultSummary,
    idle_allowed: bool,
    gauge: Gauge,
    /// What the gauge showed when it began.
    before: u64,
    /// False once it is healed, and for what ends by itself.
    open: bool,
}

/// What counts hits.
#[derive(Debug)]
enum Gauge {
    /// It is done, once.
    Done,
    /// Packets from and to nodes by their names; an empty name is any node.
    Ways { ways: Vec<(String, String)>, condition: Condition },
    /// Packets on a link.
    Link { link: String, condition: Condition },
    /// Packets from or to a node that is cut off.
    Node(String),
    /// Times that a client's clock was read.
    Clock(ClientName),
    /// What the ledger did to nodes.
    Ledger { nodes: BTreeSet<String>, kind: LedgerFault },
}

impl Gauge {
    fn read(&self, world: &World) -> u64 {
        let sum = |select: &dyn Fn(&PathCounters) -> bool, hit: &dyn Fn(&PathCounters) -> u64| {
            world.internet().counters().paths.iter().filter(|path| select(path)).map(hit).sum()
        };
        match self {
            Self::Done => 1,
            Self::Ways { ways, condition } => sum(
                &|path| path.link.is_none() && ways.iter().any(|(from, to)| path.from == *from && path.to == *to),
                &|path| harmed(path, condition),
            ),
            Self::Link { link, condition } => {
                sum(&|path| path.link.as_ref() == Some(link), &|path| harmed(path, condition))
            }
            Self::Node(node) => {
                sum(&|path| path.from == *node || path.to == *node, &|path| dropped(path, DropReason::LinkDown))
            }
            Self::Clock(client) => world.backend.wrong_times(client),
            Self::Ledger { nodes, kind } => nodes.iter().map(|node| world.backend.ledger().hits(node, kind)).sum(),
        }
    }
}

fn dropped(path: &PathCounters, reason: DropReason) -> u64 {
    path.dropped.get(&reason).map_or(0, |tally| tally.packets)
}

/// Packets that a condition has done something to.
fn harmed(path: &PathCounters, condition: &Condition) -> u64 {
    if condition.protocol.is_some_and(|protocol| protocol != path.protocol) {
        return 0;
    }
    if condition.blocked {
        return dropped(path, DropReason::Blocked);
    }
    let slowed = condition.delay.is_some() || condition.jitter.is_some() || condition.reorder_ppm.is_some();
    if slowed || condition.rate_bps.is_some() {
        return path.sent.packets;
    }
    let lost = condition.loss_ppm.map_or(0, |_| dropped(path, DropReason::Lost));
    let cut = condition.mtu.map_or(0, |_| dropped(path, DropReason::TooBig) + path.fragments.packets);
    lost + cut + condition.duplicate_ppm.map_or(0, |_| path.duplicated.packets)
}

impl FaultHits {
    fn all(&self) -> MutexGuard<'_, Vec<Inflicted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a fault that begins now. `ways` are the pairs of nodes that a fault of paths is about, `nodes` those that a
    /// fault of the ledger is about.
    pub fn begin(
        &self,
        world: &World,
        step: &Step,
        fault: &Fault,
        ways: Vec<(String, String)>,
        nodes: BTreeSet<String>,
    ) {
        let gauge = match fault {
            Fault::Link { link, condition } => Gauge::Link { link: link.to_string(), condition: *condition },
            Fault::Path { condition, .. } => Gauge::Ways { ways, condition: *condition },
            Fault::Node { node, fault: NodeFault::Unplug } => Gauge::Node(node.to_string()),
            Fault::Ledger { fault, .. } => Gauge::Ledger { nodes, kind: *fault },
            Fault::Clock { client, .. } => Gauge::Clock(client.clone()),
            Fault::Node { fault: NodeFault::Reboot, .. }
            | Fault::Interface(_)
            | Fault::Process { .. }
            | Fault::LostSlots { .. }
            | Fault::Address { .. } => Gauge::Done,
        };
        let before = if matches!(gauge, Gauge::Done) { 0 } else { gauge.read(world) };
        let summary = FaultSummary { title: fault.to_string(), line: step.line, hits: 0 };
        let open = !ends_at_once(fault);
        let mut inflicted =
            Inflicted { fault: fault.clone(), summary, idle_allowed: step.idle_allowed, gauge, before, open };
        inflicted.read(world);
        self.all().push(inflicted);
    }

    /// Whether anything that this would heal is broken.
    pub fn is_broken(&self, healing: &Healing) -> bool {
        self.all().iter().any(|inflicted| inflicted.open && heals(healing, &inflicted.fault))
    }

    /// Ends the faults that were healed.
    ///
    /// # Errors
    /// One has hit nothing, or all of them together not as often as is wanted.
    pub fn end(&self, world: &World, healing: &Healing, wanted: Option<Bound<u64>>) -> Result<(), StepError> {
        let mut all = self.all();
        let ended = all.iter_mut().filter(|inflicted| inflicted.open && heals(healing, &inflicted.fault));
        let ended: Vec<&mut Inflicted> = ended.map(|inflicted| inflicted.close(world)).collect();
        if let Some(wanted) = wanted {
            let hits = ended.iter().map(|inflicted| inflicted.summary.hits).sum();
            return if wanted.holds(&hits) {
                Ok(())
            } else {
                Err(StepError {
                    message: format!("the fault has hit {hits}"),
                    expected: Some(format!("{wanted} packets, notifications, reads or sends that it hits")),
                    actual: Some(hits.to_string()),
                    ..StepError::default()
                })
            };
        }
        ended.iter().try_for_each(|inflicted| inflicted.check())
    }

    /// Ends all faults, at the end of the scenario.
    ///
    /// # Errors
    /// One has hit nothing.
    pub fn finish(&self, world: &World) -> Result<(), StepError> {
        let mut all = self.all();
        let ended: Vec<_> = all.iter_mut().filter(|inflicted| inflicted.open).map(|one| one.close(world)).collect();
        ended.iter().try_for_each(|inflicted| inflicted.check())
    }

    /// What each fault has hit so far, in the order in which they were inflicted.
    pub fn summaries(&self, world: &World) -> Vec<FaultSummary> {
        let mut all = self.all();
        all.iter_mut().filter(|inflicted| inflicted.open).for_each(|inflicted| inflicted.read(world));
        all.iter().map(|inflicted| inflicted.summary.clone()).collect()
    }
}

impl Inflicted {
    fn read(&mut self, world: &World) {
        self.summary.hits = self.gauge.read(world).saturating_sub(self.before);
    }

    fn close(&mut self, world: &World) -> &mut Self {
        self.read(world);
        self.open = false;
        self
    }

    fn check(&self) -> Result<(), StepError> {
        if self.summary.hits > 0 || self.idle_allowed {
            return Ok(());
        }
        let FaultSummary { title, line, .. } = &self.summary;
        Err(StepError {
            message: format!("the fault `{title}` of line {line} has hit nothing, so nothing holds in spite of it"),
            expected: Some(
                "at least one packet, notification, read or send that it hits; or `idle: allowed`".to_owned(),
            ),
            actual: Some("none".to_owned()),
            ..StepError::default()
        })
    }
}

/// Whether there is nothing to heal afterwards.
fn ends_at_once(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Node { fault: NodeFault::Reboot, .. }
            | Fault::Process { fault: ProcessFault::Restart, .. }
            | Fault::Process { process: Process::Gre(_), .. }
            | Fault::LostSlots { .. }
            | Fault::Address { .. }
    )
}

/// Whether a healing ends a fault.
fn heals(healing: &Healing, fault: &Fault) -> bool {
    match (healing, fault) {
        (Healing::All, _) => true,
        (Healing::Link(healed), Fault::Link { link, .. }) => healed == link,
        (Healing::Path(healed), Fault::Path { ends, .. }) => healed == ends,
        (Healing::Node(healed), Fault::Node { node, .. }) => healed == node,
        (Healing::Interface(healed), Fault::Interface(interface)) => healed == interface,
        (Healing::Process(healed), Fault::Process { process, .. }) => healed == process,
        (Healing::Clock(healed), Fault::Clock { client, .. }) => healed == client,
        (Healing::Ledger(healed), Fault::Ledger { fault, .. }) => discriminant(healed) == discriminant(fault),
        _ => false,
    }
}
