//! Decides every allocation: a pure plan from the chain, and its application.
//!
//! [`plan`] says what to do about a view of the chain and why; [`reconciler`] does it, looks again, and starts over.
//! Nothing is kept between the two that the chain does not hold, so it can be killed anywhere and run twice.

pub mod backoff;
pub mod batch;
mod instruction;
pub mod metrics;
pub mod plan;
pub mod policy;
pub mod reconciler;
pub mod refusal;
mod sender;
pub mod status;
pub mod strategy;

pub use instruction::instruction;
pub use plan::{Plan, plan};
pub use policy::{Policy, WhenFull};
