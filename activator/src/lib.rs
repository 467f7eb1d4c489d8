//! Decides every allocation: a pure plan from the chain, and its application.

pub mod plan;
pub mod policy;
pub mod strategy;

pub use plan::{Plan, plan};
pub use policy::{Policy, WhenFull};
