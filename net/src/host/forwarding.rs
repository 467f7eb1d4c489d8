//! The kernel's group forwarding, kept going by somebody who outlives the agent where there is one.
//!
//! The kernel forwards group traffic only while some process holds the routing daemon's socket. Where a helper makes the
//! tunnels it holds that socket too, so both go on without who asked; where the kernel makes them [`Groups`] has it
//! itself, and group traffic rests when it is dropped.

use super::Forwarding;
use crate::gre::userspace::Userspace;
use crate::mroute::{MulticastError, MulticastRouter};
use crate::netns::NetNs;

/// Group forwarding of one namespace.
#[derive(Debug, Default)]
pub(super) struct Groups {
    router: Option<MulticastRouter>,
}

impl Groups {
    /// Has somebody hold the socket if group traffic is wanted, and opens the kernel's entries.
    pub(super) async fn forward(
        &mut self,
        ns: Option<&NetNs>,
        helper: Option<&Userspace>,
        wanted: bool,
    ) -> Result<Forwarding, MulticastError> {
        let mut forwarding = Forwarding::WithHost(None);
        if let Some(helper) = helper {
            // One that was opened while nobody held the socket holds it, and the helper could not have it. A helper may
            // also be another than the last time, so it is asked each time.
            self.router = None;
            forwarding = match wanted {
                true => helper
                    .hold_multicast(true)
                    .await
                    .map_or_else(|e| Forwarding::WithHost(Some(e)), |()| Forwarding::Lasting),
                false => Forwarding::Lasting,
            };
        }
        self.router(ns)?;
        Ok(forwarding)
    }

    /// The kernel's entries.
    pub(super) fn router(&mut self, ns: Option<&NetNs>) -> Result<&mut MulticastRouter, MulticastError> {
        match &mut self.router {
            Some(router) => Ok(router),
            none => Ok(none.insert(match ns {
                Some(ns) => MulticastRouter::open_in(ns)?,
                None => MulticastRouter::open()?,
            })),
        }
    }
}
