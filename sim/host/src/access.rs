//! Access of a program's parts to its host, and what they undo when they end.

use std::sync::Arc;

use nix::errno::Errno;

use crate::machine::Machine;
use crate::network::Network;

/// How to get at a host.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    network: Network,
    name: Arc<str>,
    /// None means whatever the host is now; else only until its next reboot.
    generation: Option<u64>,
}

impl Access {
    /// A host by its name, whatever it is at the time.
    pub(crate) fn new(network: Network, name: &str) -> Self {
        Self { network, name: name.into(), generation: None }
    }

    /// The name of the host.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Asks or changes the host.
    ///
    /// # Errors
    /// `EBADF`: the host has been rebooted since.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut Machine, std::time::Instant) -> T) -> Result<T, Errno> {
        self.network.with(&self.name, self.generation, f).ok_or(Errno::EBADF)
    }

    /// The same until the next reboot.
    fn pinned(&self) -> Self {
        Self { generation: self.network.generation(&self.name), ..self.clone() }
    }
}

/// Undoes something when it is dropped, unless the host has been rebooted since.
#[derive(Debug)]
pub(crate) struct Guard {
    access: Access,
    id: u64,
    undo: fn(&mut Machine, u64),
}

impl Guard {
    pub(crate) fn new(access: &Access, id: u64, undo: fn(&mut Machine, u64)) -> Self {
        Self { access: access.pinned(), id, undo }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The host until its next reboot.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A host that is gone has nothing to undo.
        let _ = self.access.with(|machine, _| (self.undo)(machine, self.id));
    }
}
