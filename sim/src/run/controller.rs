//! Answers of the controller, in its own wire types.

use dz_controller::{
    config::DeviceConfig,
    serve::api::{ConfigAnswer, DevicesAnswer},
};
use dzsim_scenario::plan::Process;
use serde::de::DeserializeOwned;
use solana_pubkey::Pubkey;

use super::{http, world::World};

async fn ask<T: DeserializeOwned>(world: &World, path: &str) -> anyhow::Result<T> {
    http::get_json(world.backend.server(&Process::Controller)?.as_ref(), path).await
}

/// All devices, with what they are to run and what they run.
///
/// # Errors
/// The controller does not answer.
pub async fn devices(world: &World) -> anyhow::Result<DevicesAnswer> {
    ask(world, "/v1/devices").await
}

/// The configuration of a device.
///
/// # Errors
/// The controller does not answer, or does not know the device.
pub async fn config(world: &World, account: &Pubkey) -> anyhow::Result<DeviceConfig> {
    let answer: ConfigAnswer = ask(world, &format!("/v1/devices/{account}/config")).await?;
    Ok(answer.config)
}
