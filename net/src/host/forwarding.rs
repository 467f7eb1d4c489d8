//! Keeps the kernel's group forwarding running while the agent restarts, where a helper can hold the socket.
//!
//! The kernel forwards group traffic only while some process holds the routing daemon's socket. Where a helper makes the
//! tunnels it holds that socket too, so both go on without who asked; where the kernel makes them [`Groups`] has it
//! itself, and group traffic rests when it is dropped.

use super::Forwarding;
use crate::gre::TunnelError;
use crate::gre::userspace::Userspace;
use crate::mroute::{MulticastError, MulticastRouter};
use crate::netns::NetNs;

/// Group forwarding of one namespace.
#[derive(Debug, Default)]
pub(super) struct Groups {
    router: Option<MulticastRouter>,
}

impl Groups {
    /// Makes the helper hold the socket if group traffic is wanted, and opens the kernel's entries.
    ///
    /// When nothing has changed since the last call this changes nothing: the kernel announces each time the socket is
    /// taken or closed, and who calls this before each reading must not be woken by it.
    pub(super) async fn forward(
        &mut self,
        ns: Option<&NetNs>,
        helper: Option<&Userspace>,
        wanted: bool,
    ) -> Result<Forwarding, MulticastError> {
        let router = self.router(ns)?;
        let Some(helper) = helper else {
            start(router, ns)?;
            return Ok(Forwarding::WithHost(None));
        };
        if !wanted {
            return Ok(Forwarding::Lasting);
        }
        // A helper may be another than the last time, so it is asked each time.
        let mut held = helper.hold_multicast(true).await;
        if router.holds() && matches!(held, Err(TunnelError::Refused { .. })) {
            // It was taken here while the helper could not, and the helper can now.
            router.stop();
            held = helper.hold_multicast(true).await;
        }
        match held {
            Ok(()) => Ok(Forwarding::Lasting),
            Err(error) => {
                start(router, ns)?;
                Ok(Forwarding::WithHost(Some(error)))
            }
        }
    }

    /// The kernel's entries.
    pub(super) fn router(&mut self, ns: Option<&NetNs>) -> Result<&mut MulticastRouter, MulticastError> {
        match &mut self.router {
            Some(router) => Ok(router),
            none => Ok(none.insert(inside(ns, MulticastRouter::attach)?)),
        }
    }
}

fn start(router: &mut MulticastRouter, ns: Option<&NetNs>) -> Result<(), MulticastError> {
    if router.holds() { Ok(()) } else { inside(ns, || router.start()) }
}

/// Runs it in the namespace; in that of the calling thread if there is none.
fn inside<T: Send>(
    ns: Option<&NetNs>,
    run: impl FnOnce() -> Result<T, MulticastError> + Send,
) -> Result<T, MulticastError> {
    match ns {
        Some(ns) => ns.run(run).map_err(MulticastError::namespace)?,
        None => run(),
    }
}
