//! What the controller says, in its own wire types.

use std::net::SocketAddr;

use dz_controller::{
    config::DeviceConfig,
    serve::api::{ConfigAnswer, DevicesAnswer},
};
use solana_pubkey::Pubkey;

use super::{http, roles::CONTROLLER_PORT};

fn address() -> SocketAddr {
    ([127, 0, 0, 1], CONTROLLER_PORT).into()
}

/// All devices, with what they are to run and what they run.
pub async fn devices() -> anyhow::Result<DevicesAnswer> {
    http::get_json(address(), "/v1/devices").await
}

/// The configuration of a device.
pub async fn config(account: &Pubkey) -> anyhow::Result<DeviceConfig> {
    let answer: ConfigAnswer = http::get_json(address(), &format!("/v1/devices/{account}/config")).await?;
    Ok(answer.config)
}
