//! Membership of a multicast group on an interface.

use std::io;
use std::net::Ipv4Addr;

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

/// Why a group could not be joined.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// The address is not one of a group.
    #[error("group {0}: expected a multicast address")]
    NotAGroup(Ipv4Addr),
    /// The kernel refused.
    #[error("group {group} on link {index}: cannot join: {source}")]
    Refused {
        /// The group.
        group: Ipv4Addr,
        /// The link's index.
        index: u32,
        /// Why.
        source: io::Error,
    },
}

/// A group joined on an interface, as long as this value lives. It receives nothing itself: any socket of the namespace
/// that is bound to the group's port does.
#[derive(Debug)]
#[must_use = "the group is left when this is dropped"]
pub struct Membership {
    group: Ipv4Addr,
    index: u32,
    /// The kernel leaves the group when the socket is closed. Each membership has its own, as the kernel limits the
    /// memberships of one (`igmp_max_memberships`).
    _socket: Socket,
}

impl Membership {
    /// Joins `group` on the link of that index, in the namespace of the calling thread.
    ///
    /// # Errors
    /// The kernel refuses the membership.
    pub fn join(group: Ipv4Addr, index: u32) -> Result<Self, MembershipError> {
        tracing::trace!(%group, index, "join group");
        if !group.is_multicast() {
            return Err(MembershipError::NotAGroup(group));
        }
        let refused = |source| MembershipError::Refused { group, index, source };
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).map_err(refused)?;
        socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index)).map_err(refused)?;
        Ok(Self { group, index, _socket: socket })
    }

    /// The group.
    pub fn group(&self) -> Ipv4Addr {
        self.group
    }

    /// The link's index.
    pub fn index(&self) -> u32 {
        self.index
    }
}
