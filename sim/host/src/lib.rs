//! The virtual world's hosts: a small model of what the products and scenarios use of Linux networking.
//!
//! A host is a value (`machine`) that takes configuration and packets and gives packets; packets are bytes, read and
//! written by [`dz_net::wire`]. One file a concept, named after it:
//!
//! | file | what it knows |
//! |---|---|
//! | `link`, `address`, `route`, `rule`, `parameter` | configuration, and what the kernel makes and takes along with it |
//! | `lookup` | policy rules, tables, the source of what is sent |
//! | `receive`, `send`, `fragments`, `icmp`, `path_mtu` | the way of a packet in, through and out |
//! | `tunnel`, `filter`, `groups`, `membership` | GRE, the source filter, group forwarding |
//! | `socket`, `udp`, `raw` | what programs send and hear by |
//! | `watch` | notices of changes |
//!
//! [`Network`] connects hosts by the fabric's core and lets time pass; [`VirtualHost`] is one of its hosts as the
//! products see it ([`dz_net::host::Host`]). What the model leaves out is in `docs/decisions/0115-the-virtual-host.md`.
//!
//! ```
//! use dzsim_host::{HostSpec, Modules, Network, NetworkConfig, PortSpec};
//! use dzsim_fabric::FabricConfig;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! let config = NetworkConfig { fabric: FabricConfig::default(), epoch: std::time::Duration::ZERO };
//! let network = Network::new(&config).expect("no capture is written");
//! let uplink = PortSpec::uplink("eth0", [198, 51, 100, 1].into());
//! let modules = Modules { dummy: true, gre: false };
//! let host = network.add_host(HostSpec { name: "val1".to_owned(), router: false, modules, uplink }).expect("a free name");
//! assert_eq!(host.name(), "val1");
//! # });
//! ```

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod access;
mod address;
#[cfg(test)]
mod differential;
mod echo;
mod filter;
mod fragments;
mod groups;
mod host;
mod icmp;
mod link;
mod lookup;
mod machine;
mod membership;
mod network;
mod parameter;
mod path_mtu;
mod raw;
mod receive;
mod route;
mod rule;
mod send;
mod socket;
mod sockets;
mod tunnel;
mod tunnels;
mod udp;
mod watch;

pub use host::VirtualHost;
pub use machine::Modules;
pub use network::{HostSpec, LinkEnd, Network, NetworkConfig, NetworkError, PortSpec, VirtualLink};
