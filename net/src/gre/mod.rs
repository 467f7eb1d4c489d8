//! GRE tunnels (RFC 2784) over IPv4, carrying IPv4.
//!
//! [`Tunnels`] is the one interface, with two implementations that behave alike: [`kernel`] makes `gre` links over
//! rtnetlink; [`userspace`] asks a [`helper`] process that holds a TUN device per tunnel and one raw GRE socket.
//! [`open`] picks. Either way a tunnel is an interface of the namespace that outlives the process that made it, and
//!
//! - two tunnels cannot share their (local, remote) pair, as nothing else distinguishes their packets:
//!   [`TunnelError::Exists`];
//! - an interface that someone deletes by hand is no longer listed;
//! - the outer header has the DF bit set. What is larger than the tunnel's MTU is the kernel's to fragment or to refuse
//!   on the way into the interface, before encapsulation (RFC 7588 section 3.1), so a packet with the DF bit is
//!   answered with "fragmentation needed" and one without is fragmented first and reassembled by its receiver;
//! - when the path reports that an outer packet was too big, the tunnel's MTU is lowered to what fits (RFC 7588 section
//!   3.2): by the kernel through its route cache, by the helper on the interface, until ten minutes later;
//! - ECN goes through as RFC 6040 says; the rest of the outer TOS is zero.

mod control;
mod defaults;
pub mod encapsulation;
mod error;
#[allow(clippy::disallowed_methods, reason = "a process of the real world")]
pub mod helper;
pub mod kernel;
pub mod mtu;
#[allow(clippy::disallowed_methods, reason = "starts the helper, a process of the real world")]
pub mod userspace;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use self::defaults::{CLIENT_TTL, DEFAULT_MTU, DEVICE_TTL};
pub use self::error::{Taken, TunnelError, Unsupported};
pub use self::userspace::{EmptyCommand, HelperCommand};
use crate::kernel::LinkCounters;
use crate::netns::NetNs;
use crate::wire::gre::{DecodeError, OVERHEAD};

/// What distinguishes tunnels on the wire: local and remote address.
pub type Pair = (Ipv4Addr, Ipv4Addr);

/// What a tunnel is to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TunnelSpec {
    /// Interface name, at most 15 bytes.
    pub name: String,
    /// Outer source.
    pub local: Ipv4Addr,
    /// Outer destination.
    pub remote: Ipv4Addr,
    /// Outer TTL, from 1.
    pub ttl: u8,
    /// Largest packet it takes, in bytes.
    pub mtu: u32,
}

/// A tunnel as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// What it was made as, under the name it has now. The MTU is that of the interface.
    pub spec: TunnelSpec,
    /// The kernel's number for its interface.
    pub ifindex: u32,
    /// What went through it; bytes without outer headers.
    pub counters: LinkCounters,
}

/// Why the receiver or the sender of GRE packets threw one away.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Discard {
    /// Received: too short for its headers.
    Truncated,
    /// Received: GRE version other than 0.
    Version,
    /// Received: reserved GRE bits set.
    ReservedBits,
    /// Received: with a GRE key.
    Key,
    /// Received: with a GRE sequence number.
    Sequence,
    /// Received: a payload that is not IPv4.
    Protocol,
    /// Received: wrong GRE checksum.
    Checksum,
    /// Received: no tunnel has these outer addresses.
    NoTunnel,
    /// Received: the payload is no whole IPv4 packet.
    InnerMalformed,
    /// Received: marked as congested for a sender that cannot know (RFC 6040 section 4.2).
    Ecn,
    /// Received: the interface is down or its queue is full.
    InterfaceDown,
    /// To be sent: not an IPv4 packet.
    NotIpv4,
    /// To be sent: an outer packet of the same tunnel, which a route has led back into it.
    Recursion,
    /// To be sent: no route, a full queue, or another refusal of the kernel.
    Unsendable,
    /// Sent: reported by the path as too big.
    PathMtu,
}

impl From<DecodeError> for Discard {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Truncated { .. } => Self::Truncated,
            DecodeError::Version(_) => Self::Version,
            DecodeError::Reserved(_) => Self::ReservedBits,
            DecodeError::Key(_) => Self::Key,
            DecodeError::Sequence(_) => Self::Sequence,
            DecodeError::Protocol(_) => Self::Protocol,
            DecodeError::Checksum(_) => Self::Checksum,
        }
    }
}

impl TunnelSpec {
    /// Refuses what no backend can make.
    ///
    /// # Errors
    /// [`TunnelError::Invalid`]: a name, address, TTL or MTU that no tunnel can have.
    pub fn check(&self) -> Result<(), TunnelError> {
        let invalid = |reason: String| Err(TunnelError::Invalid { name: self.name.clone(), reason });
        let host = |a: Ipv4Addr| !(a.is_unspecified() || a.is_multicast() || a.is_broadcast());
        if self.name.is_empty() || self.name.len() > 15 || self.name.contains(['/', '%', '\0', ' ']) {
            return invalid(format!(
                "expected a name of 1 to 15 bytes without `/`, `%` and spaces, got `{}`",
                self.name
            ));
        }
        if !host(self.local) {
            return invalid(format!("expected the address of a host as local, got {}", self.local));
        }
        if !host(self.remote) {
            return invalid(format!("expected the address of a host as remote, got {}", self.remote));
        }
        if self.ttl == 0 {
            return invalid("expected a ttl from 1, got 0".to_owned());
        }
        // 68 is the least an IPv4 link must carry (RFC 791).
        let most = 65_535 - OVERHEAD as u32;
        if !(68..=most).contains(&self.mtu) {
            return invalid(format!("expected an mtu from 68 to {most}, got {}", self.mtu));
        }
        Ok(())
    }
}

/// The tunnels of one network namespace.
#[async_trait]
pub trait Tunnels: Send + Sync {
    /// Which implementation this is: never [`Dataplane::Auto`].
    fn dataplane(&self) -> Dataplane;

    /// Makes a tunnel and sets its interface up.
    async fn create(&self, spec: &TunnelSpec) -> Result<Tunnel, TunnelError>;

    /// Removes a tunnel and its interface.
    async fn delete(&self, name: &str) -> Result<(), TunnelError>;

    /// All tunnels in the namespace, by name.
    async fn list(&self) -> Result<Vec<Tunnel>, TunnelError>;

    /// What went through one tunnel.
    async fn counters(&self, name: &str) -> Result<LinkCounters, TunnelError> {
        let tunnel = self.list().await?.into_iter().find(|tunnel| tunnel.spec.name == name);
        tunnel.map(|tunnel| tunnel.counters).ok_or_else(|| TunnelError::NotFound { name: name.to_owned() })
    }

    /// What was thrown away in the namespace and why, without the kinds that never happened. Empty from the kernel
    /// backend: the kernel counts per interface only, see [`LinkCounters`].
    async fn discards(&self) -> Result<BTreeMap<Discard, u64>, TunnelError>;
}

/// Which implementation makes the tunnels.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::VariantNames,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Dataplane {
    /// The kernel where it can, else userspace.
    #[default]
    Auto,
    /// `gre` links of the kernel.
    Kernel,
    /// TUN devices and the helper process.
    Userspace,
}

/// Opens the tunnels of the calling thread's namespace; `helper` is how the helper is started if it is needed. What the
/// kernel can do is found by trying.
///
/// # Errors
/// [`TunnelError`].
pub async fn open(dataplane: Dataplane, helper: HelperCommand) -> Result<Box<dyn Tunnels>, TunnelError> {
    Ok(match opened(dataplane, helper, None).await? {
        Opened::Kernel(kernel) => Box::new(kernel),
        Opened::Userspace(userspace) => Box::new(userspace),
    })
}

/// The implementation that [`open`] would pick. What the kernel lacks it lacks in every namespace, so that who has many need
/// not try in each.
///
/// # Errors
/// [`TunnelError`]: the kernel could not be tried.
pub async fn picked(dataplane: Dataplane) -> Result<Dataplane, TunnelError> {
    if dataplane != Dataplane::Auto {
        return Ok(dataplane);
    }
    match kernel::Kernel::open().await {
        Ok(_) => Ok(Dataplane::Kernel),
        Err(TunnelError::Unsupported(_)) => Ok(Dataplane::Userspace),
        Err(error) => Err(error),
    }
}

/// The tunnels of one namespace, one way or the other.
#[derive(Clone, Debug)]
pub(crate) enum Opened {
    Kernel(kernel::Kernel),
    Userspace(userspace::Userspace),
}

/// Opens the tunnels of `ns`, or of the calling thread's namespace if none is given.
pub(crate) async fn opened(
    dataplane: Dataplane,
    helper: HelperCommand,
    ns: Option<&NetNs>,
) -> Result<Opened, TunnelError> {
    let userspace = match ns {
        Some(ns) => userspace::Userspace::open_in(ns.clone(), helper),
        None => userspace::Userspace::open(helper),
    };
    if dataplane == Dataplane::Userspace {
        return Ok(Opened::Userspace(userspace?));
    }
    let kernel = match ns {
        Some(ns) => kernel::Kernel::open_in(ns).await,
        None => kernel::Kernel::open().await,
    };
    match kernel {
        Err(TunnelError::Unsupported(missing)) if dataplane == Dataplane::Auto => {
            tracing::debug!(%missing, "tunnels are made in userspace");
            Ok(Opened::Userspace(userspace?))
        }
        kernel => Ok(Opened::Kernel(kernel?)),
    }
}
