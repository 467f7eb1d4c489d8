//! Capabilities of this machine, their use, and the fix for each that is missing.
//!
//! Each capability is tried, in a process that is forked for it and leaves nothing behind; settings are read only to
//! say why something was refused. So a new way of refusing is still noticed, only its remedy is not known.

mod fact;
mod fix;
mod probe;
mod report;
mod trial;

pub use fact::Facts;
pub use probe::{Need, Probe};
pub use report::{Capability, KERNEL_GRE, Report, State};

/// Tries everything. The calling process stays as it is; call it before threads are started if that is possible, as
/// the probes run in a fork of it.
pub fn check() -> Report {
    Report::of(&trial::run(), &Facts::read())
}
