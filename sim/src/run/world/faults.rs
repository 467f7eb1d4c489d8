//! Current faults: marked when inflicted, until healed. It says which processes cannot be expected to act on
//! what the chain says, and knows nothing of how anything is broken or mended.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::{discriminant, take},
    sync::{Mutex, MutexGuard, PoisonError},
};

use dz_net::kernel::RouteInfo;
use dzsim_scenario::plan::{ClientName, InterfaceName, LedgerFault, Link, LinkCode, Node, PathEnds, Process};

use crate::run::{internet::rule::Rule, roles};

/// All that is broken.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Broken>);

/// How a process was stopped decides how it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::run) enum Stopped {
    Dead,
    Paused,
}

/// The marks.
#[derive(Debug, Default)]
pub(in crate::run) struct Broken {
    pub(in crate::run) links: BTreeSet<LinkCode>,
    pub(in crate::run) nodes: BTreeSet<Node>,
    /// With the routes that went with them.
    pub(in crate::run) interfaces: BTreeMap<InterfaceName, Vec<RouteInfo>>,
    pub(in crate::run) processes: BTreeMap<Process, Stopped>,
    pub(in crate::run) clocks: BTreeSet<ClientName>,
    /// In the order in which they were inflicted, with what their ends stood for then.
    paths: Vec<(PathEnds, Vec<Rule>)>,
    /// Each with the names of the nodes it was inflicted on.
    ledger: Vec<(LedgerFault, BTreeSet<String>)>,
}

impl Faults {
    /// Whether a process runs and nothing keeps it from seeing the chain or from acting on it.
    pub(in crate::run) fn allows(&self, process: &Process) -> bool {
        self.broken().allows(process)
    }

    /// What is broken, one line each.
    pub(in crate::run) fn lines(&self) -> Vec<String> {
        let broken = self.broken();
        let stopped = broken.processes.iter().map(|(process, stopped)| match stopped {
            Stopped::Dead => format!("{process} is down by a fault"),
            Stopped::Paused => format!("{process} is paused by a fault"),
        });
        let links = broken.links.iter().map(|link| format!("link {link} is faulty"));
        let nodes = broken.nodes.iter().map(|node| format!("{node} is unplugged"));
        let interfaces = broken.interfaces.keys().map(|interface| format!("interface {interface} is down by a fault"));
        let clocks = broken.clocks.iter().map(|client| format!("the clock of {client} is wrong"));
        let paths = broken.paths.iter().map(|(ends, _)| format!("{ends} is faulty"));
        let ledger = broken.ledger.iter().map(|(fault, _)| format!("the ledger has a fault: {fault}"));
        stopped.chain(links).chain(nodes).chain(interfaces).chain(paths).chain(clocks).chain(ledger).collect()
    }

    pub(in crate::run) fn broken(&self) -> MutexGuard<'_, Broken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Under which name the ledger knows the node a process is in.
pub(in crate::run) fn ledger_node(process: &Process) -> &str {
    match process {
        Process::Activator(_) | Process::Controller => roles::CORE,
        Process::Daemon(client) => client.as_str(),
        Process::Agent(device) => device.as_str(),
        Process::Gre(node) => node.as_str(),
    }
}

/// Whether a fault of the ledger keeps a process in a node with that fault from seeing the chain, or from acting on it. What
/// only comes late or twice does not.
fn hinders(fault: &LedgerFault, process: &Process) -> bool {
    let reads = matches!(process, Process::Activator(_) | Process::Controller | Process::Daemon(_));
    match fault {
        LedgerFault::Outage | LedgerFault::LostNotifications { .. } | LedgerFault::StaleReads { .. } => reads,
        LedgerFault::RefusedSends { .. } => matches!(process, Process::Activator(_)),
        LedgerFault::Slow { .. } | LedgerFault::DuplicatedNotifications { .. } => false,
    }
}

impl Broken {
    fn allows(&self, process: &Process) -> bool {
        let node = ledger_node(process);
        let hindered = self.ledger.iter().any(|(fault, nodes)| nodes.contains(node) && hinders(fault, process));
        !hindered && !self.processes.contains_key(process)
    }

    /// Marks a fault of the ledger on some nodes, in the place of one of its kind that they have.
    pub(in crate::run) fn mark_ledger(&mut self, fault: &LedgerFault, nodes: BTreeSet<String>) {
        for (known, on) in &mut self.ledger {
            if discriminant(known) == discriminant(fault) {
                on.retain(|node| !nodes.contains(node));
            }
        }
        self.ledger.push((*fault, nodes));
    }

    /// Takes the marks of one kind of ledger fault away, whatever its numbers, and returns the nodes that had it.
    pub(in crate::run) fn clear_ledger(&mut self, kind: &LedgerFault) -> BTreeSet<String> {
        let (healed, left) =
            take(&mut self.ledger).into_iter().partition(|(fault, _)| discriminant(fault) == discriminant(kind));
        self.ledger = left;
        let healed: Vec<_> = healed;
        healed.into_iter().flat_map(|(_, nodes)| nodes).collect()
    }

    /// Every kind of ledger fault that is there.
    pub(in crate::run) fn ledger_kinds(&self) -> Vec<LedgerFault> {
        self.ledger.iter().map(|(fault, _)| *fault).collect()
    }

    /// Marks a path with the rules that its fault is.
    pub(in crate::run) fn mark_path(&mut self, ends: &PathEnds, rules: Vec<Rule>) {
        self.paths.push((ends.clone(), rules));
    }

    /// Takes the marks of a path away and returns the rules of its faults.
    pub(in crate::run) fn clear_path(&mut self, ends: &PathEnds) -> Vec<Rule> {
        let (healed, left): (Vec<_>, _) = take(&mut self.paths).into_iter().partition(|(broken, _)| broken == ends);
        self.paths = left;
        healed.into_iter().flat_map(|(_, rules)| rules).collect()
    }

    /// The ends of every path that is broken.
    pub(in crate::run) fn path_ends(&self) -> Vec<PathEnds> {
        self.paths.iter().map(|(ends, _)| ends.clone()).collect()
    }

    /// The rules of all path faults, in the order in which they were inflicted.
    pub(in crate::run) fn path_rules(&self) -> Vec<Rule> {
        self.paths.iter().flat_map(|(_, rules)| rules.clone()).collect()
    }

    /// Whether both ends of a link are plugged in.
    pub(in crate::run) fn plugged(&self, link: &Link) -> bool {
        !self.nodes.iter().any(|node| [&link.a, &link.z].iter().any(|end| end.as_str() == node.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use dzsim_scenario::plan::{Condition, PathEnd, Plan};

    use super::*;
    use crate::scenario_files::Words;

    /// Several of everything that can break.
    fn plan() -> Plan {
        let text = "
network:
  exchanges: { nyc: {} }
  devices: { d1: {}, d2: {}, d3: {} }
  clients: { c1: {}, c2: {} }
  links: { d1-d2: {}, d2-d3: {} }
";
        dzsim_scenario::parse("faults/some.yaml".as_ref(), text, &Words::default()).unwrap().remove(0).plan
    }

    fn processes(plan: &Plan) -> Vec<Process> {
        let daemons = plan.clients.keys().cloned().map(Process::Daemon);
        let agents = plan.devices.keys().take(1).cloned().map(Process::Agent);
        [Process::Activator(1), Process::Controller].into_iter().chain(daemons).chain(agents).collect()
    }

    fn hindered(broken: &Broken, plan: &Plan) -> Vec<String> {
        processes(plan).iter().filter(|process| !broken.allows(process)).map(ToString::to_string).collect()
    }

    fn nodes<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
        names.into_iter().map(str::to_owned).collect()
    }

    const OUTAGE: LedgerFault = LedgerFault::Outage;
    const STALE: LedgerFault = LedgerFault::StaleReads { slots: 3 };
    const REFUSED: LedgerFault = LedgerFault::RefusedSends { share_ppm: 1 };

    #[test]
    fn only_who_is_affected_is_excused() {
        let plan = plan();
        let all = nodes([roles::CORE, "c1", "c2", "d1", "d2", "d3"]);
        let on = |fault: LedgerFault, nodes: BTreeSet<String>| {
            let mut broken = Broken::default();
            broken.mark_ledger(&fault, nodes);
            hindered(&broken, &plan)
        };
        assert_eq!(on(OUTAGE, nodes(["c1", "d1"])), ["c1.daemon"]);
        assert_eq!(on(OUTAGE, nodes([roles::CORE])), ["activator", "controller"]);
        // An agent asks the controller and never the ledger.
        assert_eq!(on(OUTAGE, all.clone()), ["activator", "controller", "c1.daemon", "c2.daemon"]);
        assert_eq!(on(LedgerFault::LostNotifications { share_ppm: 1 }, nodes(["c2"])), ["c2.daemon"]);
        // Only the activator sends.
        assert_eq!(on(REFUSED, all.clone()), ["activator"]);
        assert_eq!(on(LedgerFault::Slow { delay: std::time::Duration::from_secs(1) }, all.clone()), [""; 0]);
        assert_eq!(on(LedgerFault::DuplicatedNotifications { share_ppm: 1 }, all), [""; 0]);
    }

    #[test]
    fn each_kind_stays_marked_until_it_is_healed() {
        let plan = plan();
        let mut broken = Broken::default();
        broken.mark_ledger(&OUTAGE, nodes(["c1"]));
        broken.mark_ledger(&STALE, nodes(["c1", "c2"]));
        assert_eq!(hindered(&broken, &plan), ["c1.daemon", "c2.daemon"]);
        assert_eq!(broken.clear_ledger(&OUTAGE), nodes(["c1"]));
        assert_eq!(hindered(&broken, &plan), ["c1.daemon", "c2.daemon"]);
        assert_eq!(broken.clear_ledger(&OUTAGE), nodes([]));
        // Whatever its numbers were.
        assert_eq!(broken.clear_ledger(&LedgerFault::StaleReads { slots: 9 }), nodes(["c1", "c2"]));
        assert_eq!(hindered(&broken, &plan), [""; 0]);
    }

    #[test]
    fn a_process_and_the_ledger_are_marked_apart() {
        let plan = plan();
        let mut broken = Broken::default();
        broken.processes.insert(Process::Activator(1), Stopped::Paused);
        broken.mark_ledger(&OUTAGE, nodes([roles::CORE]));
        broken.clear_ledger(&OUTAGE);
        assert_eq!(hindered(&broken, &plan), ["activator"]);
        broken.mark_ledger(&REFUSED, nodes([roles::CORE]));
        broken.processes.clear();
        assert_eq!(hindered(&broken, &plan), ["activator"]);
    }

    #[test]
    fn a_link_is_up_when_both_its_ends_are() {
        let plan = plan();
        let mut broken = Broken::default();
        let up = |broken: &Broken| plan.links.values().map(|link| broken.plugged(link)).collect::<Vec<_>>();
        let node = |name: &str| Node::Device(plan.devices.get_key_value(name).unwrap().0.clone());
        assert_eq!(up(&broken), [true, true]);
        broken.nodes.extend([node("d1"), node("d2")]);
        assert_eq!(up(&broken), [false, false]);
        broken.nodes.remove(&node("d1"));
        assert_eq!(up(&broken), [false, false]);
        broken.nodes.remove(&node("d2"));
        broken.nodes.insert(node("d1"));
        assert_eq!(up(&broken), [false, true]);
    }

    #[test]
    fn a_path_heals_by_its_own_ends_and_leaves_the_others() {
        let plan = plan();
        let ends = |both_ways| PathEnds {
            from: PathEnd::Client(plan.clients.keys().next().unwrap().clone()),
            to: PathEnd::Device(plan.devices.keys().next().unwrap().clone()),
            both_ways,
        };
        let rule = |loss| Rule::to_node("c1", "d1", Condition { loss_ppm: Some(loss), ..Condition::default() });
        let mut broken = Broken::default();
        broken.mark_path(&ends(true), vec![rule(1)]);
        broken.mark_path(&ends(false), vec![rule(2)]);
        broken.mark_path(&ends(true), vec![rule(3)]);
        assert_eq!(broken.path_rules(), [rule(1), rule(2), rule(3)]);
        assert_eq!(broken.clear_path(&ends(true)), [rule(1), rule(3)]);
        assert_eq!(broken.path_rules(), [rule(2)]);
        assert_eq!(broken.clear_path(&ends(true)), []);
    }
}
