//! Tenants and their VRF ids.

pub(super) mod activate;
pub(super) mod close;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod update;
