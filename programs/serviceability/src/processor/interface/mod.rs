//! Interfaces of devices.

pub(super) mod activate;
pub(super) mod close;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod update;
