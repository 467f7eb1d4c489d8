//! The kernel's interface: `linux/mroute.h`, and multicast forwarding in rtnetlink.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;

use super::RouteCounters;
use crate::raw_netlink::{DUMP, Message, RawLink, attribute, attributes};

/// Socket options of `linux/mroute.h`.
pub(super) const MRT_INIT: libc::c_int = 200;
pub(super) const MRT_ADD_VIF: libc::c_int = 202;
pub(super) const MRT_DEL_VIF: libc::c_int = 203;
pub(super) const MRT_ADD_MFC: libc::c_int = 204;
pub(super) const MRT_DEL_MFC: libc::c_int = 205;
pub(super) const MRT_ASSERT: libc::c_int = 207;

/// The address family under which rtnetlink lists multicast forwarding.
const RTNL_FAMILY_IPMR: u8 = 128;
/// The table that is there without policy rules.
const TABLE_DEFAULT: u32 = 253;

/// What the kernel has of multicast forwarding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Interface index by vif number.
    pub vifs: BTreeMap<u16, u32>,
    /// Entries, those whose incoming interface is gone included.
    pub entries: BTreeMap<(Ipv4Addr, Ipv4Addr), Entry>,
}

/// An entry as the kernel lists it: without the interfaces that are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The interface that it takes packets from, if that is still there.
    pub incoming: Option<u32>,
    /// The interfaces that it sends them to.
    pub outgoing: BTreeSet<u32>,
    /// What it did.
    pub counters: RouteCounters,
}

impl State {
    /// Asks the kernel.
    pub(super) fn read(link: &mut RawLink) -> io::Result<Self> {
        const RTM_GETLINK: u16 = 18;
        const RTM_GETROUTE: u16 = 26;
        // Both requests start with a structure of which only the family matters: ifinfomsg, rtmsg.
        let mut body = [0; 16];
        body[0] = RTNL_FAMILY_IPMR;
        let links = link.dump(&Message::new(RTM_GETLINK, DUMP, &body))?;
        let routes = link.dump(&Message::new(RTM_GETROUTE, DUMP, &body[..12]))?;
        Ok(Self {
            vifs: links.iter().flat_map(|payload| read_vifs(payload)).collect(),
            entries: routes.iter().filter_map(|payload| read_entry(payload)).collect(),
        })
    }
}

/// `struct vifctl`: number, flags, threshold, rate limit, interface index, remote address.
pub(super) fn vifctl(number: u16, index: u32) -> [u8; 16] {
    const VIFF_USE_IFINDEX: u8 = 0x8;
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_ne_bytes());
    bytes[2] = VIFF_USE_IFINDEX;
    bytes[3] = 1;
    bytes[8..12].copy_from_slice(&index.to_ne_bytes());
    bytes
}

/// `struct mfcctl`: source, group, incoming vif, for each vif the TTL a packet must exceed to leave by it (0: it does
/// not), and counters that only the kernel writes.
pub(super) fn mfcctl(source: Ipv4Addr, group: Ipv4Addr, incoming: u16, outgoing: &BTreeSet<u16>) -> [u8; 60] {
    let mut bytes = [0; 60];
    bytes[..4].copy_from_slice(&source.octets());
    bytes[4..8].copy_from_slice(&group.octets());
    bytes[8..10].copy_from_slice(&incoming.to_ne_bytes());
    for number in outgoing {
        bytes[10 + usize::from(*number)] = 1;
    }
    bytes
}

/// The vifs of the default table in a listed `ifinfomsg`.
fn read_vifs(payload: &[u8]) -> Vec<(u16, u32)> {
    const IFLA_AF_SPEC: u16 = 26;
    const TABLE_ID: u16 = 1;
    const TABLE_VIFS: u16 = 6;
    const VIF_INDEX: u16 = 1;
    const VIF_NUMBER: u16 = 2;
    let read = || {
        let table = attribute(payload.get(16..)?, IFLA_AF_SPEC)?;
        (u32_of(attribute(table, TABLE_ID)?)? == TABLE_DEFAULT).then_some(())?;
        let vifs = attributes(attribute(table, TABLE_VIFS)?).filter_map(|(_, vif)| {
            let number = u32_of(attribute(vif, VIF_NUMBER)?)?;
            Some((u16::try_from(number).ok()?, u32_of(attribute(vif, VIF_INDEX)?)?))
        });
        Some(vifs.collect())
    };
    read().unwrap_or_default()
}

/// The entry of the default table in a listed `rtmsg`, by group and source. A packet that waits for one is listed too
/// (`RTNH_F_UNRESOLVED`), and is none that could be deleted.
fn read_entry(payload: &[u8]) -> Option<((Ipv4Addr, Ipv4Addr), Entry)> {
    const RTA_DST: u16 = 1;
    const RTA_SRC: u16 = 2;
    const RTA_IIF: u16 = 3;
    const RTA_MULTIPATH: u16 = 9;
    const RTA_TABLE: u16 = 15;
    const RTA_MFC_STATS: u16 = 17;
    const RTNH_F_UNRESOLVED: u32 = 32;
    (u32_of(payload.get(8..12)?)? & RTNH_F_UNRESOLVED == 0).then_some(())?;
    let listed = payload.get(12..)?;
    (u32_of(attribute(listed, RTA_TABLE)?)? == TABLE_DEFAULT).then_some(())?;
    let address = |kind| Some(Ipv4Addr::from(u32::from_be_bytes(attribute(listed, kind)?.try_into().ok()?)));
    // An entry for any source has none.
    let source = address(RTA_SRC).unwrap_or(Ipv4Addr::UNSPECIFIED);
    let mut outgoing = BTreeSet::new();
    let mut hops = attribute(listed, RTA_MULTIPATH).unwrap_or_default();
    // `struct rtnexthop`: length, flags, TTL, interface index.
    while let Some(hop) = hops.first_chunk::<8>() {
        outgoing.insert(u32_of(&hop[4..])?);
        hops = hops.get(usize::from(u16::from_ne_bytes([hop[0], hop[1]])).max(8).next_multiple_of(4)..)?;
    }
    let stats = attribute(listed, RTA_MFC_STATS).unwrap_or_default();
    let count = |at: usize| stats.get(at..at + 8).map_or(0, |b| b.try_into().map_or(0, u64::from_ne_bytes));
    let entry = Entry {
        incoming: attribute(listed, RTA_IIF).and_then(u32_of),
        outgoing,
        counters: RouteCounters { packets: count(0), bytes: count(8), wrong_interface: count(16) },
    };
    Some(((address(RTA_DST)?, source), entry))
}

fn u32_of(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_listing_is_read_or_left_out(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_vifs(&bytes);
            let _ = read_entry(&bytes);
        }
    }
}
