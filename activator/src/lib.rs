//! Decides every allocation: a pure plan from the chain, and its application.
//!
//! [`plan()`] says what to do about a view of the chain and why; [`reconciler`] does it, looks again, and starts over.
//! Nothing is kept between the two that the chain does not hold, so it can be killed anywhere and run twice.
//!
//! ```
//! use dz_activator::plan;
//! use dz_sdk::{NetworkView, program};
//!
//! // Without a config there is nothing to allocate from: a condition, not an action.
//! let plan = plan(&NetworkView::new(program::ID), &Default::default());
//! assert!(plan.actions.is_empty() && plan.conditions.len() == 1);
//! ```

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod args;
mod batch;
mod http;
mod instruction;
pub mod metrics;
pub mod plan;
pub mod reconciler;
pub mod refusal;
mod sender;
mod service;
pub mod status;
pub mod strategy;

pub use args::Args;
pub use dz_service::LogFormat;
pub use instruction::instruction;
pub use plan::{Plan, plan};
pub use service::{Deps, run, serve};
