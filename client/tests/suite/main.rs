//! The client against a real program and real packets: the chain in memory, hosts in network namespaces.

mod changes;
mod commands;
mod cut;
mod daemon;
mod operator;
mod select;
mod transcript;
mod tunnels;
mod world;
