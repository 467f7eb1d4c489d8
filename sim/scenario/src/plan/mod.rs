//! The plan of a run: every default taken, every name known, every unit in a type.

mod display;
mod fault;
mod names;
mod network;
mod omission;
mod policy;
mod shape;
mod step;
mod timeouts;
mod view;
mod world;

pub use fault::{Fault, Healing, InterfaceName, LedgerFault, NodeFault, PathEnds, Process, ProcessFault};
pub use names::{ClientName, ContributorCode, DeviceCode, ExchangeCode, GroupCode, LinkCode, Node, TenantCode};
pub use network::{
    AccessPass, Bootstrap, Client, Condition, Contributor, Delay, Device, DeviceCaps, DeviceType, Exchange, Group,
    Hosted, LatLng, Link, Nat, NatFilter, OwnEndpoint, PathEnd, PathRule, Tenant,
};
pub use omission::{StepPlace, acting, leave_out};
pub use policy::{Blocks, LoopbackRange, Policy, Probes};
pub use shape::Shape;
pub use step::{
    Action, Arg, ExitCode, Expectation, Forged, Identity, Output, Ping, Program, Protocol, Run, Send, Since, Snapshot,
    Step, Target, TextMatch, Traffic, TrafficEnd, Via,
};
pub use timeouts::Timeouts;
pub use view::{Bound, Comparison, Match, Pattern, Ref, Segment, View, ViewPath};
pub(crate) use view::{CHAIN_VIEWS, CLIENT_VIEWS, DEVICE_VIEWS, RUN_VIEWS};
pub use world::{OnlyIn, World};

use std::collections::BTreeMap;

use serde::Serialize;

/// One case, resolved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Metros in use, and those the file lists.
    pub exchanges: BTreeMap<ExchangeCode, Exchange>,
    /// At least one.
    pub contributors: BTreeMap<ContributorCode, Contributor>,
    /// Devices.
    pub devices: BTreeMap<DeviceCode, Device>,
    /// Users' hosts.
    pub clients: BTreeMap<ClientName, Client>,
    /// Tenants.
    pub tenants: BTreeMap<TenantCode, Tenant>,
    /// Multicast groups.
    pub groups: BTreeMap<GroupCode, Group>,
    /// Backbone links.
    pub links: BTreeMap<LinkCode, Link>,
    /// Exceptions to the geography of public paths; a later one wins over an earlier one, key by key.
    pub paths: Vec<PathRule>,
    /// Deadlines.
    pub timeouts: Timeouts,
    /// What happens, in order; `for_each` is unrolled.
    pub steps: Vec<Step>,
}
