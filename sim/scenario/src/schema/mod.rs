//! The file as it is written: types that mirror it and touch nothing.
//!
//! Field comments here are what a user reads: they become the JSON Schema and the reference page.

mod any;
mod fault;
mod file;
mod network;
mod policy;
mod scalar;
mod step;
mod timeouts;
mod traffic;

pub(crate) use dz_policy::Duration;

pub(crate) use any::Any;
pub(crate) use fault::{
    Allowed, ClientFault, Condition, Ends, Fault, FaultStep, Heal, HealStep, LedgerFault, LedgerFaultTable,
    NodeFaultKind, ProcessFault,
};
pub(crate) use file::{File, OnlyIn, World};
pub(crate) use network::{
    Client, Device, DeviceKind, Exchange, Group, Link, Names, Nat, NatFilter, Network, Pass, Path, Tenant,
};
pub(crate) use policy::{Blocks, Policy};
pub(crate) use scalar::{Address, Bound, DurationBound, Net, OneOrMany, Percent, Range, Rate, comparison};
pub(crate) use step::{
    Branch, Exit, ExpectStep, LAST_EPOCH, MeasureStep, RunStep, Snapshot, SnapshotStep, Step, TextMatch,
};
pub(crate) use timeouts::Timeouts;
pub(crate) use traffic::{Forged, JoinStep, LeaveStep, Packets, PingStep, Protocol, SendStep, Since, TrafficStep};
