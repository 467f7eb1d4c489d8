//! The switch that turns tunnels on and off, kept in a [`Store`] over restarts.
//!
//! After a fresh installation they are off; the first connect turns them on.

use std::{io, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::store::Store;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    reconciler_enabled: bool,
}

/// The wish, in memory and stored; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Enabled {
    store: Arc<dyn Store>,
    value: watch::Sender<bool>,
}

/// Why what is stored cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum StateError {
    /// It cannot be read.
    #[error("{place}: {source}")]
    Unreadable {
        /// Where it is.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// It says something else than the daemon writes.
    #[error("{place}: {source}; remove it to start over")]
    Malformed {
        /// Where it is.
        place: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Enabled {
    /// Reads what is stored. Nothing is in a fresh install.
    pub(super) fn load(store: Arc<dyn Store>) -> Result<Self, StateError> {
        let bytes = store.read().map_err(|source| StateError::Unreadable { place: store.to_string(), source })?;
        let state = bytes.map(|bytes| serde_json::from_slice::<State>(&bytes)).transpose();
        let state = state.map_err(|source| StateError::Malformed { place: store.to_string(), source })?;
        let enabled = state.is_some_and(|state| state.reconciler_enabled);
        Ok(Self { store, value: watch::Sender::new(enabled) })
    }

    /// Sets it, in the store first: what was acknowledged survives a crash.
    pub(super) fn set(&self, enabled: bool) -> io::Result<()> {
        if *self.value.borrow() == enabled {
            return Ok(());
        }
        let mut bytes = serde_json::to_vec(&State { reconciler_enabled: enabled })?;
        bytes.push(b'\n');
        self.store.write(&bytes)?;
        self.value.send_replace(enabled);
        Ok(())
    }

    /// Each change, and the value now.
    pub(super) fn subscribe(&self) -> watch::Receiver<bool> {
        self.value.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::daemon::store::FileStore;

    fn load(folder: &Path) -> Result<Enabled, StateError> {
        Enabled::load(Arc::new(FileStore::new(folder)))
    }

    #[test]
    fn a_fresh_install_holds_no_tunnels_and_a_restart_remembers() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("state");
        let first = load(&folder).unwrap();
        assert!(!*first.subscribe().borrow());
        first.set(true).unwrap();
        assert!(*load(&folder).unwrap().subscribe().borrow());
        assert_eq!(fs::read_to_string(folder.join("state.json")).unwrap(), "{\"reconciler_enabled\":true}\n");
        first.set(false).unwrap();
        assert!(!*load(&folder).unwrap().subscribe().borrow());
    }

    #[test]
    fn what_cannot_be_written_is_not_so() {
        let folder = tempfile::tempdir().unwrap();
        let enabled = load(&folder.path().join("file")).unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        enabled.set(true).unwrap_err();
        assert!(!*enabled.subscribe().borrow());
    }

    #[test]
    fn what_the_daemon_did_not_write_is_not_guessed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.json");
        fs::write(&file, "{\"reconciler_enabled\":1}").unwrap();
        let error = load(folder.path()).unwrap_err();
        let expected = format!(
            "{}: invalid type: integer `1`, expected a boolean at line 1 column 23; remove it to start over",
            file.display()
        );
        assert_eq!(error.to_string(), expected);
    }
}
