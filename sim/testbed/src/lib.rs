//! Hosts with a real kernel on a fabric, and what is measured between them: for the fabric's tests and benches and for
//! `dzsim bench`.
//!
//! Needed are a user and a network namespace that the process has entered before it started a thread, and a program that
//! is the tunnel helper when it is given [`dz_net::gre::HelperCommand::ARGUMENT`].

mod host;
mod pinger;
pub mod round_trips;
mod sample;
pub mod throughput;
mod tunnel;

pub use host::{Host, Offload};
pub use pinger::{Answer, Pinger};
pub use sample::Sample;

/// How long anything that happens at once on an idle machine may take.
pub const DEADLINE: std::time::Duration = std::time::Duration::from_secs(20);
