//! Packets, kernel configuration and GRE tunnels: all that the products and the simulator share of the network.
//!
//! - [`netns`]: network namespaces held by a file descriptor, and running code inside them;
//! - [`kernel`]: rtnetlink, one verb per method (links, addresses, routes, rules), sysctls;
//! - [`tun`]: TUN devices;
//! - [`gre`]: GRE tunnels behind one trait, made by the kernel or by a helper process;
//! - [`filter`]: who may send what into an interface;
//! - [`membership`]: joining multicast groups;
//! - [`mroute`]: multicast forwarding by the kernel;
//! - [`probe`]: ICMP echo probing of many targets;
//! - [`host`]: all of the above as one trait, of which this machine's kernel is one implementation;
//! - [`wire`]: pure packet codecs;
//! - [`sandbox`]: test support, a process of its own in namespaces of its own for a test body.
//!
//! The network is IPv4 throughout, as the live one is: addresses are [`std::net::Ipv4Addr`] and prefixes
//! [`ipnet::Ipv4Net`].
//!
//! ```
//! use dz_net::wire::ipv4::{Header, packet};
//!
//! let bytes = packet([192, 0, 2, 1].into(), [192, 0, 2, 2].into(), 17, b"hello").expect("a short payload");
//! let header = Header::decode(&bytes)?;
//! assert_eq!((header.protocol, header.ttl, header.total_length), (17, 64, 25));
//! # Ok::<(), dz_net::wire::ipv4::DecodeError>(())
//! ```

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod filter;
pub mod gre;
pub mod host;
pub mod kernel;
pub mod membership;
pub mod mroute;
#[allow(clippy::disallowed_methods, reason = "threads enter the namespaces of the real world")]
pub mod netns;
pub mod probe;
#[allow(clippy::disallowed_methods, reason = "test support, in processes of the real world")]
pub mod sandbox;
pub mod tun;
pub mod wire;

mod raw_netlink;
mod syscalls;
