//! The client against a real program and real packets: the chain in memory, hosts in network namespaces.

mod select;
mod tunnels;
mod world;
