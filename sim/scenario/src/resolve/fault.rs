//! Faults and their ends.

use std::{collections::BTreeSet, time::Duration};

use super::{
    addresses::{Space, space_of},
    context::At,
    device::{is_interface, similar_own_interface},
    link::check_mtu,
    reference,
    resolver::Resolver,
};
use crate::{
    plan::{
        Action, Client, ClientName, Condition, DeviceCode, Fault, Healing, Hosted, InterfaceName, LedgerFault, Node,
        NodeFault, PathEnds, Process, ProcessFault,
    },
    schema,
};

/// All messages, in millionths.
const ALL_PPM: u32 = 1_000_000;

pub(super) fn fault<'t>(
    resolver: &mut Resolver<'_, 't, '_, '_, '_>,
    at: At<'t>,
    file: &schema::Fault,
) -> Option<Action> {
    let plan = resolver.plan;
    let fault = match file {
        schema::Fault::Link(file) => Fault::Link {
            link: reference::link(resolver.context, at.key("link"), &file.link, plan)?,
            condition: condition(resolver, at, &file.condition()),
        },
        schema::Fault::Path(file) => Fault::Path {
            ends: ends(resolver, at.key("path"), &file.path)?,
            condition: condition(resolver, at, &file.condition()),
        },
        schema::Fault::Node(file) => Fault::Node {
            node: reference::node(resolver.context, at.key("node"), &file.node, plan)?,
            fault: match file.how {
                schema::NodeFaultKind::Unplug => NodeFault::Unplug,
                schema::NodeFaultKind::Reboot => NodeFault::Reboot,
            },
        },
        schema::Fault::Interface(file) => Fault::Interface(interface(resolver, at.key("interface"), &file.interface)?),
        schema::Fault::Process(file) => Fault::Process {
            process: process(resolver, at.key("process"), &file.process)?,
            fault: match file.how {
                schema::ProcessFault::Kill => ProcessFault::Kill,
                schema::ProcessFault::Terminate => ProcessFault::Terminate,
                schema::ProcessFault::Pause => ProcessFault::Pause,
                schema::ProcessFault::Restart => ProcessFault::Restart,
            },
        },
        schema::Fault::Ledger(file) => ledger(resolver, at, file)?,
        schema::Fault::Client(file) => address(resolver, at, file)?,
        schema::Fault::Clock(file) => Fault::Clock {
            client: reference::client(resolver.context, at.key("clock"), &file.clock, plan)?,
            by: file.by.0,
            back: file.back,
        },
    };
    Some(Action::Fault(fault))
}

fn address<'t>(resolver: &mut Resolver<'_, 't, '_, '_, '_>, at: At<'t>, file: &schema::ClientFault) -> Option<Fault> {
    let plan = resolver.plan;
    let name = reference::client(resolver.context, at.key("client"), &file.client, plan)?;
    let public_ip = file.public_ip.0;
    if plan.clients.get(&name).is_some_and(|client| client.nat.is_some()) {
        let message = format!("`{name}` is behind a translator, and the public address is the translator's");
        resolver.context.error(at.key("client"), message, "");
    }
    if space_of(public_ip.into()) != Some(Space::Public) {
        let help = "addresses such as 9.1.2.3 look public";
        resolver.context.error(at.key("public_ip"), format!("{public_ip} is not public"), help);
    }
    if reference::is_taken(public_ip, plan, resolver.policy) {
        resolver.context.error(at.key("public_ip"), format!("{public_ip} is somebody else's"), "");
    }
    Some(Fault::Address { client: name, public_ip })
}

/// How packets fare; a fault that does not say lets none pass.
fn condition<'t>(resolver: &mut Resolver<'_, 't, '_, '_, '_>, at: At<'t>, file: &schema::Condition) -> Condition {
    if let Some(mtu) = file.mtu {
        check_mtu(resolver.context, at.key("mtu"), mtu);
    }
    let condition = Condition {
        blocked: false,
        delay: file.delay.map(|delay| delay.0),
        jitter: file.jitter.map(|jitter| jitter.0),
        loss_ppm: file.loss.map(|loss| loss.0),
        reorder_ppm: file.reorder.map(|share| share.0),
        duplicate_ppm: file.duplicate.map(|share| share.0),
        rate_bps: file.rate.map(|rate| rate.0),
        mtu: file.mtu,
        black_hole: file.black_hole,
        protocol: None,
    };
    if file.black_hole && file.mtu.is_none() {
        resolver.context.error(
            at.key("black_hole"),
            "a black hole swallows what is larger than `mtu`, which is missing",
            "",
        );
    }
    let protocol = match file.protocol {
        schema::Protocol::Any => None,
        schema::Protocol::Gre => Some(47),
        schema::Protocol::Icmp => Some(1),
        schema::Protocol::Udp => Some(17),
        schema::Protocol::Tcp => Some(6),
    };
    Condition { blocked: condition == Condition::default(), protocol, ..condition }
}

fn ends<'t>(resolver: &mut Resolver<'_, 't, '_, '_, '_>, at: At<'t>, file: &schema::Ends) -> Option<PathEnds> {
    let ends = (file.from.as_str(), file.to.as_str());
    let (from, to) = reference::path_ends(resolver.context, at, ends, file.one_way, (resolver.plan, resolver.policy))?;
    Some(PathEnds { from, to, both_ways: !file.one_way })
}

/// `<device>:<interface>`. Which interfaces a device has is known when it runs.
fn interface<'t>(resolver: &mut Resolver<'_, 't, '_, '_, '_>, at: At<'t>, text: &str) -> Option<InterfaceName> {
    let Some((device, name)) = text.split_once(':').filter(|(_, name)| is_interface(name)) else {
        let message = format!("expected a device and its interface, such as nyc1:Loopback100, got `{text}`");
        let help = text.split_once(':').map(|(_, name)| similar_own_interface(name));
        resolver.context.error(at, message, help.unwrap_or_default());
        return None;
    };
    let device = reference::device(resolver.context, at, device, resolver.plan)?;
    Some(InterfaceName { device, name: name.to_owned() })
}

fn process<'t>(resolver: &mut Resolver<'_, 't, '_, '_, '_>, at: At<'t>, name: &str) -> Option<Process> {
    let known = processes(resolver);
    let found = known.iter().find(|(text, _)| text == name).map(|(_, process)| process.clone());
    if found.is_none() {
        // Of a node that was written but does not fit, nothing more is said.
        let owner = name.split('.').next().unwrap_or(name);
        let names: Vec<&str> = known.iter().map(|(text, _)| text.as_str()).collect();
        let written = name.contains('.') && !names.iter().any(|text| text.split('.').next() == Some(owner));
        if written {
            reference::node(resolver.context, at, owner, resolver.plan);
        } else {
            resolver.context.unknown(at, "process", name, &[], names);
        }
    }
    found
}

/// All processes of the run and how they are written.
fn processes(resolver: &Resolver<'_, '_, '_, '_, '_>) -> Vec<(String, Process)> {
    let (plan, policy) = (resolver.plan, resolver.policy);
    let clients = plan
        .clients
        .keys()
        .flat_map(|name: &ClientName| [Process::Daemon(name.clone()), Process::Gre(Node::Client(name.clone()))]);
    let devices = plan
        .devices
        .keys()
        .flat_map(|code: &DeviceCode| [Process::Agent(code.clone()), Process::Gre(Node::Device(code.clone()))]);
    (1..=policy.activators.max(1))
        .map(Process::Activator)
        .chain([Process::Controller])
        .chain(clients)
        .chain(devices)
        .map(|process| (process.to_string(), process))
        .collect()
}

fn ledger<'t>(
    resolver: &mut Resolver<'_, 't, '_, '_, '_>,
    at: At<'t>,
    file: &schema::LedgerFaultTable,
) -> Option<Fault> {
    use schema::LedgerFault as Kind;
    let slow = file.ledger == Kind::Slow;
    let lost = file.ledger == Kind::LostSlots;
    let shared = !matches!(file.ledger, Kind::Outage | Kind::Slow | Kind::StaleReads | Kind::LostSlots);
    for (key, given, fits) in [
        ("delay", file.delay.is_some(), slow),
        ("share", file.share.is_some(), shared),
        ("slots", file.slots.is_some(), file.ledger == Kind::StaleReads || lost),
        ("on", !file.on.0.is_empty(), !lost),
    ] {
        if given && !fits {
            resolver.context.error(at.key(key), format!("`{key}` does not go with this kind of fault"), "");
        }
    }
    let mut towards = BTreeSet::new();
    for (index, name) in file.on.0.iter().enumerate() {
        let at = at.key("on").item(index);
        let plan = resolver.plan;
        let whom = match plan.clients.get_key_value(name.as_str()) {
            Some((_, Client { hosted: Hosted::Shared, .. })) => {
                let message = format!("`{name}` has no way of its own to the ledger");
                resolver.context.error(at, message, "it is `hosted: shared`; a fault for everybody meets it");
                None
            }
            Some((client, _)) => Some(Process::Daemon(client.clone())),
            None => match plan.devices.get_key_value(name.as_str()) {
                Some((device, _)) => Some(Process::Agent(device.clone())),
                None => process(resolver, at, name),
            },
        };
        towards.extend(whom);
    }
    let slots = file.slots.unwrap_or(1);
    if lost && slots == 0 {
        resolver.context.error(at.key("slots"), "at least one slot is lost", "");
    }
    Some(match ledger_fault(file) {
        Some(fault) => Fault::Ledger { fault, towards },
        None => Fault::LostSlots { slots },
    })
}

/// What is between the ledger and nodes; none is a fault of the ledger itself.
fn ledger_fault(file: &schema::LedgerFaultTable) -> Option<LedgerFault> {
    let share_ppm = file.share.map_or(ALL_PPM, |share| share.0);
    Some(match file.ledger {
        schema::LedgerFault::Outage => LedgerFault::Outage,
        schema::LedgerFault::Slow => {
            LedgerFault::Slow { delay: file.delay.map_or(Duration::from_millis(200), |delay| delay.0) }
        }
        schema::LedgerFault::LostNotifications => LedgerFault::LostNotifications { share_ppm },
        schema::LedgerFault::DuplicatedNotifications => LedgerFault::DuplicatedNotifications { share_ppm },
        schema::LedgerFault::StaleReads => LedgerFault::StaleReads { slots: file.slots.unwrap_or(5) },
        schema::LedgerFault::RefusedSends => LedgerFault::RefusedSends { share_ppm },
        schema::LedgerFault::LostSlots => return None,
    })
}

pub(super) fn heal<'t>(resolver: &mut Resolver<'_, 't, '_, '_, '_>, at: At<'t>, file: &schema::Heal) -> Option<Action> {
    let plan = resolver.plan;
    let healing = match file {
        schema::Heal::All => Healing::All,
        schema::Heal::Link(file) => Healing::Link(reference::link(resolver.context, at.key("link"), &file.link, plan)?),
        schema::Heal::Path(file) => Healing::Path(ends(resolver, at.key("path"), &file.path)?),
        schema::Heal::Node(file) => Healing::Node(reference::node(resolver.context, at.key("node"), &file.node, plan)?),
        schema::Heal::Interface(file) => Healing::Interface(interface(resolver, at.key("interface"), &file.interface)?),
        schema::Heal::Process(file) => Healing::Process(process(resolver, at.key("process"), &file.process)?),
        schema::Heal::Ledger(file) => {
            let table = schema::LedgerFaultTable {
                ledger: file.ledger,
                on: schema::OneOrMany::default(),
                delay: None,
                share: None,
                slots: None,
            };
            let Some(fault) = ledger_fault(&table) else {
                resolver.context.error(at.key("ledger"), "slots that are lost stay lost", "");
                return None;
            };
            Healing::Ledger(fault)
        }
        schema::Heal::Clock(file) => {
            Healing::Clock(reference::client(resolver.context, at.key("clock"), &file.clock, plan)?)
        }
    };
    Some(Action::Heal(healing))
}
