//! Requests of clients.

use std::io;
use std::os::fd::AsFd;

use nix::sys::epoll::{EpollEvent, EpollFlags};

use super::server::Helper;
use super::table::{self, Carrier};
use crate::gre::control::{Refusal, Request, Response};
use crate::gre::{Tunnel, TunnelError, TunnelSpec};
use crate::tun::{Offload, Tun, TunError, TunSpec};
use crate::{kernel, mroute, syscalls};

impl Helper {
    /// Does what a request asks for.
    pub(super) fn answer(&mut self, request: Request) -> Response {
        tracing::debug!(?request, "request");
        let response = match request {
            Request::Create(spec) => self.create(spec).map(Response::Created),
            Request::Delete { name } => self.delete(&name).map(|()| Response::Deleted),
            Request::List => {
                self.drop_deleted();
                Ok(Response::Tunnels(self.table.list()))
            }
            Request::Discards => Ok(Response::Discards(self.discards.clone())),
            Request::HoldMulticast(hold) => self.hold_multicast(hold).map(|()| Response::MulticastHeld(hold)),
        };
        response.unwrap_or_else(|refusal| {
            tracing::info!(reason = %TunnelError::from(refusal.clone()), "refused");
            Response::Refused(refusal)
        })
    }

    fn create(&mut self, spec: TunnelSpec) -> Result<Tunnel, Refusal> {
        spec.check().map_err(|e| Refusal::Invalid { name: spec.name.clone(), reason: e.to_string() })?;
        self.drop_deleted();
        self.table.check_free(&spec)?;
        let failed =
            |error: &dyn std::fmt::Display| Refusal::Failed { name: spec.name.clone(), reason: error.to_string() };
        let tun =
            Tun::create(&TunSpec { vnet_hdr: true, ..TunSpec::new(&spec.name) }).map_err(|error| match error {
                TunError::Exists { .. } => table::name_taken(&spec),
                error => failed(&error),
            })?;
        // A kernel that does not let us do its segmentation does it itself.
        let _ = tun.set_offload(Offload { checksum: true, tso4: true, uso4: false });
        // Only IPv4 is carried; without this the kernel sends IPv6 solicitations into the tunnel. A kernel without
        // IPv6 has nothing to switch off.
        let _ = kernel::sysctl::write(&format!("net/ipv6/conf/{}/disable_ipv6", spec.name), "1");
        let ifindex = syscalls::index_of(&spec.name)
            .and_then(|index| syscalls::set_mtu(&spec.name, spec.mtu).map(|()| index))
            .and_then(|index| syscalls::set_up(&spec.name).map(|()| index))
            .map_err(|e| failed(&e))?;
        let id = self.next_id();
        self.epoll.add(&tun, EpollEvent::new(EpollFlags::EPOLLIN, id)).map_err(|e| failed(&e))?;
        tracing::info!(name = spec.name, local = %spec.local, remote = %spec.remote, "tunnel created");
        Ok(self.table.insert(id, Carrier::new(spec, ifindex, tun)))
    }

    fn delete(&mut self, name: &str) -> Result<(), Refusal> {
        self.drop_deleted();
        let id = self.table.find(name).ok_or_else(|| Refusal::NotFound { name: name.to_owned() })?;
        self.drop_tunnel(id);
        Ok(())
    }

    fn hold_multicast(&mut self, hold: bool) -> Result<(), Refusal> {
        if !hold {
            self.multicast = None;
        } else if self.multicast.is_none() {
            let failed = |e: io::Error| Refusal::Failed { name: "multicast".to_owned(), reason: e.to_string() };
            let socket = mroute::daemon_socket().map_err(failed)?;
            // Reports to the daemon are not read here; they need not take memory either.
            let _ = socket.set_recv_buffer_size(0);
            self.multicast = Some(socket);
        }
        Ok(())
    }

    /// Forgets the tunnels whose interface someone deleted, and learns the names of those that were renamed.
    fn drop_deleted(&mut self) {
        for id in self.table.refresh_names() {
            self.drop_tunnel(id);
        }
    }

    pub(super) fn drop_tunnel(&mut self, id: u64) {
        if let Some(carrier) = self.table.remove(id) {
            // The descriptor is closed next, which takes it out of the set in any case.
            let _ = self.epoll.delete(carrier.tun.as_fd());
            tracing::info!(name = carrier.spec.name, "tunnel gone");
        }
    }
}
