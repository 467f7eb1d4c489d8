//! The tunnels of a virtual host as the products see them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use dz_net::gre::{Dataplane, Discard, Tunnel, TunnelError, TunnelSpec, Tunnels};
use dz_net::kernel::NetlinkError;

use crate::access::Access;
use crate::machine::Machine;

#[derive(Debug)]
pub(crate) struct VirtualTunnels {
    access: Access,
    dataplane: Dataplane,
}

impl VirtualTunnels {
    pub(crate) fn new(access: Access, dataplane: Dataplane) -> Self {
        Self { access, dataplane }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Machine) -> Result<T, TunnelError>) -> Result<T, TunnelError> {
        let gone = |errno| NetlinkError::refused(|| "tunnels".to_owned(), errno as i32);
        self.access.with(|machine, _| f(machine)).map_err(gone)?
    }
}

#[async_trait]
impl Tunnels for VirtualTunnels {
    fn dataplane(&self) -> Dataplane {
        self.dataplane
    }

    async fn create(&self, spec: &TunnelSpec) -> Result<Tunnel, TunnelError> {
        self.with(|machine| machine.create_tunnel(spec))
    }

    async fn delete(&self, name: &str) -> Result<(), TunnelError> {
        self.with(|machine| machine.delete_tunnel(name))
    }

    async fn list(&self) -> Result<Vec<Tunnel>, TunnelError> {
        self.with(|machine| Ok(machine.tunnels()))
    }

    async fn discards(&self) -> Result<BTreeMap<Discard, u64>, TunnelError> {
        self.with(|machine| Ok(machine.discards.clone()))
    }
}
