//! The network of this crate in real namespaces, each test in a sandbox of its own.

mod gre;
mod hosts;
mod kernel;
mod netns;
mod probe;
mod tun;
