//! Renders each device's whole configuration from the chain; the agent applies it.
//!
//! - [`config`]: what one device is to be;
//! - [`render`]: from the network view to a config, a pure function;
//! - [`serve`]: the controller, which renders on every change and answers devices;
//! - [`agent`]: the device's side, which fetches its config and keeps the kernel like it.

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod agent;
pub mod config;
pub mod render;
pub mod serve;
