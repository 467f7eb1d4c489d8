//! The client against a real program and real packets: the chain in memory, hosts in network namespaces.

mod changes;
mod daemon;
mod select;
mod tunnels;
mod world;
