//! Running scenarios: the parent that starts one process a case, and what happens in that process.

pub mod artifacts;
pub mod events;
pub mod parent;
pub mod progress;
