//! doublezerod: probes endpoints, holds the client's tunnels as the chain says, serves both over its socket.

mod args;
pub mod changes;
mod client_ip;
pub mod desired;
mod enabled;
mod kernel;
mod latencies;
mod outer_source;
pub mod peers;
mod published;
mod reconciler;
mod routes;
mod schedule;
mod server;
mod service;
mod session;
mod sessions;
mod store;
pub mod targets;
pub mod tunnel_names;

pub use args::{Args, ProbeArgs};
pub use server::bind;
pub use service::{Deps, run, serve};
pub use store::{FileStore, MemoryStore, Store};
