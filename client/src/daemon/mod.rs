//! doublezerod: probes endpoints, holds the client's tunnels as the chain says, tells both over its socket.

pub mod changes;
pub mod desired;
pub mod hub;
pub mod kernel;
pub mod names;
pub mod server;
