//! The real world: namespaces, kernels and processes.

pub mod relay;
pub mod tunnels;
