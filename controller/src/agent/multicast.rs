//! The kernel's multicast forwarding, kept going by somebody who outlives the agent.
//!
//! The kernel forwards group traffic only while some process holds the routing daemon's socket. Where a helper makes the
//! tunnels it holds that socket too, so both go on without the agent; where the kernel makes them the agent has it
//! itself, and group traffic rests while no agent runs.

use dz_net::{
    gre::{Dataplane, HelperCommand, TunnelError, userspace::Userspace},
    mroute::{MulticastError, MulticastRoute, MulticastRouter},
};

/// Multicast forwarding of the agent's namespace.
pub(super) struct Multicast {
    helper: Option<Userspace>,
    router: Option<MulticastRouter>,
}

impl Multicast {
    pub(super) fn new(dataplane: Dataplane, helper: HelperCommand) -> Result<Self, TunnelError> {
        let helper = match dataplane {
            Dataplane::Userspace => Some(Userspace::open(helper)?),
            Dataplane::Kernel | Dataplane::Auto => None,
        };
        Ok(Self { helper, router: None })
    }

    /// Sees to it that somebody holds the socket if group traffic is wanted, and opens the kernel's entries. The inner
    /// error says that the helper does not hold it, and the agent has it if it is free.
    ///
    /// When nothing has changed since the last call this changes nothing: the kernel announces each time the socket is
    /// taken or closed, and what the agent does before each reading must not be what its watch reports.
    pub(super) async fn open(&mut self, wanted: bool) -> Result<Result<(), TunnelError>, MulticastError> {
        if self.router.is_none() {
            self.router = Some(MulticastRouter::attach()?);
        }
        let Some(router) = &mut self.router else { return Ok(Ok(())) };
        let Some(helper) = &self.helper else {
            router.start()?;
            return Ok(Ok(()));
        };
        if !wanted {
            return Ok(Ok(()));
        }
        // A helper may be another than the last time, so it is asked each time.
        let mut held = helper.hold_multicast(true).await;
        if router.holds() && matches!(held, Err(TunnelError::Refused { .. })) {
            // The agent took it while the helper could not, and the helper can now.
            router.stop();
            held = helper.hold_multicast(true).await;
        }
        if held.is_err() {
            router.start()?;
        }
        Ok(held)
    }

    /// All entries; none before [`Multicast::open`].
    pub(super) fn routes(&mut self) -> Result<Vec<MulticastRoute>, MulticastError> {
        let Some(router) = &mut self.router else { return Ok(Vec::new()) };
        Ok(router.routes()?.into_iter().map(|(route, _)| route).collect())
    }

    /// Makes these all entries.
    pub(super) fn apply(&mut self, routes: Vec<MulticastRoute>) -> Result<(), MulticastError> {
        if let Some(router) = &mut self.router {
            router.apply(routes)?;
        }
        Ok(())
    }
}
