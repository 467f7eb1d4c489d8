//! The network of this crate in real namespaces, each test in a sandbox of its own.

mod filter;
mod gre;
mod host;
mod hosts;
mod kernel;
mod mroute;
mod netns;
mod probe;
mod tun;
mod watch;
