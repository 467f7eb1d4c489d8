//! The JSON of the controller's HTTP interface.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use super::catalog::Revision;
use crate::config::{ConfigHash, DeviceConfig};

/// Answer to `GET /v1/devices/<pubkey>/config`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigAnswer {
    /// The slot of the view that first gave this content.
    pub revision: u64,
    /// Names the content.
    pub hash: ConfigHash,
    /// The config.
    pub config: DeviceConfig,
}

/// Body of `POST /v1/devices/<pubkey>/report`: what the device runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The config that the device last applied; none if it has not got one since it started.
    pub running: Option<Revision>,
    /// What of it could not be applied; empty when the kernel is exactly as the config says.
    #[serde(default)]
    pub failures: Vec<String>,
    /// Codes of the links that end here and whose port is down.
    #[serde(default)]
    pub failed_links: BTreeSet<String>,
}

/// Answer to `GET /v1/devices`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicesAnswer {
    /// The slot of the view that the controller renders.
    pub slot: u64,
    /// All devices, by code.
    pub devices: Vec<DeviceAnswer>,
}

/// One device in [`DevicesAnswer`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAnswer {
    /// Its account's address.
    pub pubkey: String,
    /// Its code.
    pub code: String,
    /// What it is to run.
    pub rendered: Option<Revision>,
    /// Why the current view gives no config for it; it then keeps `rendered`.
    pub error: Option<String>,
    /// What it last said; none since the controller started.
    pub report: Option<Report>,
}

/// Body of every answer that is not 2xx or 304.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// What is wrong, for a person.
    pub error: String,
}
