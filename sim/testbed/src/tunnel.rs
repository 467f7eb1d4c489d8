//! The products' userspace tunnels, as what a host sends through.

use std::net::Ipv4Addr;

use anyhow::Result;
use dz_net::gre::userspace::Userspace;
use dz_net::gre::{DEFAULT_MTU, HelperCommand, TunnelSpec, Tunnels};
use dz_net::netns::NetNs;
use ipnet::Ipv4Net;

use crate::Host;

const NAME: &str = "doublezero0";

/// One end of a tunnel. The helper behind it would outlive this program, so the tunnel goes with the value.
pub(crate) struct TunnelEnd {
    ns: NetNs,
}

impl TunnelEnd {
    /// Makes an end at `host` between two outer addresses, with an address of its own.
    pub(crate) fn make(host: &Host, (local, remote): (Ipv4Addr, Ipv4Addr), overlay: Ipv4Net) -> Result<Self> {
        let spec = TunnelSpec { name: NAME.to_owned(), local, remote, ttl: 64, mtu: DEFAULT_MTU };
        on(&host.ns, async move |tunnels| tunnels.create(&spec).await.map(drop))?;
        let end = Self { ns: host.ns.clone() };
        host.configure(NAME, Some(overlay))?;
        Ok(end)
    }
}

impl Drop for TunnelEnd {
    fn drop(&mut self) {
        if let Err(error) = on(&self.ns, async |tunnels| tunnels.delete(NAME).await) {
            eprintln!("a tunnel is left behind: {error}");
        }
    }
}

fn on<F>(ns: &NetNs, act: F) -> Result<()>
where
    F: AsyncFnOnce(Userspace) -> Result<(), dz_net::gre::TunnelError> + Send + 'static,
{
    let tunnels = Userspace::open(HelperCommand::or_this_program(None)?)?;
    Ok(ns.spawn("tunnel", move || async move { act(tunnels).await })?.join()??)
}
