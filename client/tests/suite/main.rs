//! The client against a real program and real packets: a bank behind JSON-RPC, hosts in network namespaces, the daemon
//! in a process of its own.

mod changes;
mod commands;
mod daemon;
mod killed;
mod operator;
mod select;
mod transcript;
mod tunnels;
mod world;
