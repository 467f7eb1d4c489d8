//! Links: the interfaces of a namespace.

use std::net::Ipv4Addr;

use futures_util::TryStreamExt;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoGre, InfoKind, LinkAttribute, LinkFlags, LinkInfo as Info,
    LinkMessage,
};
use rtnetlink::{LinkBridge, LinkDummy, LinkGre, LinkMessageBuilder, LinkUnspec, LinkVeth};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, AsRawFd};

use super::Netlink;
use super::error::{Added, Deleted, NetlinkError, added, deleted};
use crate::netns::NetNs;

/// What a new link is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkSpec {
    /// Interface name, at most 15 bytes.
    pub name: String,
    /// The kind and what belongs to it.
    pub kind: LinkKind,
    /// In bytes; the kind's default if none.
    pub mtu: Option<u32>,
}

/// The kinds of link that can be added. TUN devices are not made through rtnetlink: see [`crate::tun`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkKind {
    /// A bridge without ports.
    Bridge,
    /// A `dummy` device.
    Dummy,
    /// What holds a loopback address: `dummy` where the kernel has that module, else a portless bridge.
    Loopback,
    /// A pair of devices; the peer is made in the same namespace and can be moved.
    Veth {
        /// The other end's name.
        peer: String,
    },
    /// An IPv4 GRE tunnel without key, with path MTU discovery (DF set on the outer header).
    Gre(GreInfo),
}

/// The parameters of a GRE link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GreInfo {
    /// Outer source.
    pub local: Ipv4Addr,
    /// Outer destination.
    pub remote: Ipv4Addr,
    /// Outer TTL; 0 copies the inner one.
    pub ttl: u8,
}

/// A link as the kernel reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkInfo {
    /// The kernel's number for it.
    pub index: u32,
    /// Interface name.
    pub name: String,
    /// `bridge`, `dummy`, `gre`, `tun`, `veth`, ...; none for the loopback and for hardware.
    pub kind: Option<String>,
    /// Set up by the administrator.
    pub up: bool,
    /// Up and with a carrier.
    pub running: bool,
    /// In bytes.
    pub mtu: u32,
    /// The bridge it is a port of.
    pub master: Option<u32>,
    /// The free text an administrator may attach.
    pub alias: Option<String>,
    /// For a GRE link.
    pub gre: Option<GreInfo>,
    /// Not serialised, as they differ in each run.
    #[serde(skip)]
    pub counters: LinkCounters,
}

/// What went through a link since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCounters {
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Received and not usable.
    pub rx_errors: u64,
    /// Received and dropped.
    pub rx_dropped: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Not sendable.
    pub tx_errors: u64,
    /// Dropped instead of being sent.
    pub tx_dropped: u64,
}

impl Netlink {
    /// All links of the namespace, by index.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn links(&self) -> Result<Vec<LinkInfo>, NetlinkError> {
        let read = |answer| match answer {
            RouteNetlinkMessage::NewLink(message) => Some(LinkInfo::from(message)),
            _ => None,
        };
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let mut links = self.dump("list links", request, read).await?;
        links.sort_by_key(|link| link.index);
        Ok(links)
    }

    /// The link of that name, if there is one.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn link(&self, name: &str) -> Result<Option<LinkInfo>, NetlinkError> {
        tracing::trace!(name, "get link");
        let request = self.handle.link().get().match_name(name);
        match std::pin::pin!(request.execute()).try_next().await {
            Ok(message) => Ok(message.map(LinkInfo::from)),
            Err(error) => match NetlinkError::new(|| format!("link {name}: get"), error) {
                NetlinkError::NotFound { .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    /// The index of the link of that name, which must exist.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn link_index(&self, name: &str) -> Result<u32, NetlinkError> {
        let link = self.link(name).await?;
        link.map(|link| link.index).ok_or_else(|| NetlinkError::NotFound { what: format!("link {name}") })
    }

    /// Adds a link, down. For a GRE link [`Added::Existed`] may also mean that another has the same addresses.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn add_link(&self, spec: &LinkSpec) -> Result<Added, NetlinkError> {
        tracing::trace!(?spec, "add link");
        let name = spec.name.as_str();
        let message = match &spec.kind {
            LinkKind::Bridge => finish(LinkBridge::new(name), spec.mtu),
            LinkKind::Dummy => finish(LinkDummy::new(name), spec.mtu),
            LinkKind::Loopback => return self.add_loopback(spec).await,
            LinkKind::Veth { peer } => finish(LinkVeth::new(name, peer), spec.mtu),
            LinkKind::Gre(gre) => {
                finish(LinkGre::new(name).local(gre.local).remote(gre.remote).ttl(gre.ttl).pmtudisc(true), spec.mtu)
            }
        };
        let result = self.handle.link().add(message).execute().await;
        added(result.map_err(|e| NetlinkError::new(|| format!("link {name}: add"), e)))
    }

    async fn add_loopback(&self, spec: &LinkSpec) -> Result<Added, NetlinkError> {
        let of_kind = |kind| LinkSpec { kind, ..spec.clone() };
        match Box::pin(self.add_link(&of_kind(LinkKind::Dummy))).await {
            Err(NetlinkError::Unsupported { .. }) => Box::pin(self.add_link(&of_kind(LinkKind::Bridge))).await,
            result => result,
        }
    }

    /// Deletes a link, and with it its addresses and routes.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn delete_link(&self, index: u32) -> Result<Deleted, NetlinkError> {
        tracing::trace!(index, "delete link");
        let result = self.handle.link().del(index).execute().await;
        deleted(result.map_err(|e| NetlinkError::new(|| format!("link {index}: delete"), e)))
    }

    /// Sets a link up or down.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn set_link_up(&self, index: u32, up: bool) -> Result<(), NetlinkError> {
        tracing::trace!(index, up, "set link state");
        let message = LinkUnspec::new_with_index(index);
        let message = if up { message.up() } else { message.down() };
        self.change(index, message, if up { "set up" } else { "set down" }).await
    }

    /// Sets a link's MTU, in bytes.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn set_link_mtu(&self, index: u32, mtu: u32) -> Result<(), NetlinkError> {
        tracing::trace!(index, mtu, "set link mtu");
        self.change(index, LinkUnspec::new_with_index(index).mtu(mtu), "set mtu").await
    }

    /// Sets how many packets may wait to leave by a link. What a TUN device's reader does not take in time is dropped
    /// beyond it, without holding back the sender: 500 is little for a tunnel of many streams.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn set_link_queue(&self, index: u32, packets: u32) -> Result<(), NetlinkError> {
        tracing::trace!(index, packets, "set link queue");
        self.change(index, LinkUnspec::new_with_index(index).txqueuelen(packets), "set queue").await
    }

    /// Gives a link another name.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn rename_link(&self, index: u32, name: &str) -> Result<(), NetlinkError> {
        tracing::trace!(index, name, "rename link");
        self.change(index, LinkUnspec::new_with_index(index).name(name), "rename").await
    }

    /// Attaches a text to a link that says what it is for.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn set_link_alias(&self, index: u32, alias: &str) -> Result<(), NetlinkError> {
        tracing::trace!(index, alias, "set link alias");
        self.change(index, LinkUnspec::new_with_index(index).alias(alias), "set alias").await
    }

    /// Has the kernel give a link no IPv6 address of its own, so that it sends no solicitations by it. False where the
    /// kernel has no IPv6 in the first place.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn silence_ipv6(&self, index: u32) -> Result<bool, NetlinkError> {
        tracing::trace!(index, "silence ipv6");
        let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        let attribute = LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![mode])]);
        let message = LinkUnspec::new_with_index(index).append_extra_attribute(attribute);
        match self.change(index, message, "silence ipv6").await {
            Ok(()) => Ok(true),
            Err(NetlinkError::Unsupported { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes a link a port of the bridge `master`.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn set_link_master(&self, index: u32, master: u32) -> Result<(), NetlinkError> {
        tracing::trace!(index, master, "set link master");
        self.change(index, LinkUnspec::new_with_index(index).controller(master), "set master").await
    }

    /// Moves a link into another namespace, where it is down and without addresses.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn move_link(&self, index: u32, ns: &NetNs) -> Result<(), NetlinkError> {
        tracing::trace!(index, "move link");
        let message = LinkUnspec::new_with_index(index).setns_by_fd(ns.as_fd().as_raw_fd());
        self.change(index, message, "move").await
    }

    async fn change(
        &self,
        index: u32,
        message: LinkMessageBuilder<LinkUnspec>,
        verb: &str,
    ) -> Result<(), NetlinkError> {
        let result = self.handle.link().change(message.build()).execute().await;
        result.map_err(|e| NetlinkError::new(|| format!("link {index}: {verb}"), e))
    }
}

fn finish<T>(message: LinkMessageBuilder<T>, mtu: Option<u32>) -> LinkMessage {
    // The builders of the named kinds ask for a link that is up.
    let message = message.down();
    match mtu {
        Some(mtu) => message.mtu(mtu).build(),
        None => message.build(),
    }
}

impl From<LinkMessage> for LinkInfo {
    fn from(message: LinkMessage) -> Self {
        let flags = message.header.flags;
        let mut link = LinkInfo {
            index: message.header.index,
            name: String::new(),
            kind: None,
            up: flags.contains(LinkFlags::Up),
            running: flags.contains(LinkFlags::Running),
            mtu: 0,
            master: None,
            alias: None,
            gre: None,
            counters: LinkCounters::default(),
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Controller(master) => link.master = Some(master),
                LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
                LinkAttribute::LinkInfo(infos) => link.read_infos(infos),
                LinkAttribute::Stats64(stats) => {
                    link.counters = LinkCounters {
                        rx_packets: stats.rx_packets,
                        rx_bytes: stats.rx_bytes,
                        rx_errors: stats.rx_errors,
                        rx_dropped: stats.rx_dropped,
                        tx_packets: stats.tx_packets,
                        tx_bytes: stats.tx_bytes,
                        tx_errors: stats.tx_errors,
                        tx_dropped: stats.tx_dropped,
                    }
                }
                _ => {}
            }
        }
        link
    }
}

impl LinkInfo {
    fn read_infos(&mut self, infos: Vec<Info>) {
        for info in infos {
            match info {
                Info::Kind(kind) => self.kind = Some(kind_name(&kind)),
                Info::Data(InfoData::GreTun(attributes)) => {
                    let mut gre = GreInfo { local: Ipv4Addr::UNSPECIFIED, remote: Ipv4Addr::UNSPECIFIED, ttl: 0 };
                    for attribute in attributes {
                        match attribute {
                            InfoGre::Local(local) => gre.local = local,
                            InfoGre::Remote(remote) => gre.remote = remote,
                            InfoGre::Ttl(ttl) => gre.ttl = ttl,
                            _ => {}
                        }
                    }
                    self.gre = Some(gre);
                }
                _ => {}
            }
        }
    }
}

fn kind_name(kind: &InfoKind) -> String {
    kind.to_string()
}
