//! Renders each device's whole configuration from the chain; the agent applies it.
//!
//! - [`config`]: what one device is to be;
//! - [`render`]: from the network view to a config, a pure function;
//! - [`serve`]: the controller, which renders on every change and answers devices;
//! - [`agent`]: the device's side, which fetches its config and keeps the kernel like it.
//!
//! ```
//! use dz_controller::{config::IfName, render::{RenderError, render}};
//! use dz_sdk::{NetworkView, program};
//!
//! assert_eq!(IfName::of_interface("Ethernet1/1").unwrap().as_str(), "Ethernet1-1");
//! let view = NetworkView::new(program::ID);
//! assert!(render(&view, &program::pda::device(&program::ID, "nyc1").0).is_err());
//! ```

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod agent;
pub mod config;
pub mod render;
pub mod serve;
