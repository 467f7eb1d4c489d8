//! Whether the daemon may hold tunnels, on disk, so that it is so after a restart.
//!
//! A fresh install may not: the first connect allows it.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

const FILE: &str = "state.json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    reconciler_enabled: bool,
}

/// The wish, in memory and on disk; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Enabled {
    folder: Arc<Path>,
    value: watch::Sender<bool>,
}

/// Why what is on disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum StateError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It says something else than the daemon writes.
    #[error("{path}: {source}; remove it to start anew")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Enabled {
    /// Reads what a folder says. A folder without our file belongs to a fresh install.
    pub(super) fn load(folder: &Path) -> Result<Self, StateError> {
        let path = folder.join(FILE);
        let enabled = match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice::<State>(&bytes)
                    .map_err(|source| StateError::Malformed { path, source })?
                    .reconciler_enabled
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(source) => return Err(StateError::Unreadable { path, source }),
        };
        Ok(Self { folder: folder.into(), value: watch::Sender::new(enabled) })
    }

    /// Sets it, on disk first: who has been told of it finds it so after any crash.
    pub(super) fn set(&self, enabled: bool) -> io::Result<()> {
        if *self.value.borrow() == enabled {
            return Ok(());
        }
        write(&self.folder, enabled)?;
        self.value.send_replace(enabled);
        Ok(())
    }

    /// Tells each change, and the value now.
    pub(super) fn subscribe(&self) -> watch::Receiver<bool> {
        self.value.subscribe()
    }
}

/// Replaces the file as a whole: after a crash it is the old one or the new one.
fn write(folder: &Path, enabled: bool) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let (path, next) = (folder.join(FILE), folder.join(format!("{FILE}.next")));
    let mut file = File::create(&next)?;
    serde_json::to_writer(&file, &State { reconciler_enabled: enabled })?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&next, &path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_install_holds_no_tunnels_and_a_restart_remembers() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("state");
        let first = Enabled::load(&folder).unwrap();
        assert!(!*first.subscribe().borrow());
        first.set(true).unwrap();
        assert!(*Enabled::load(&folder).unwrap().subscribe().borrow());
        assert_eq!(fs::read_to_string(folder.join(FILE)).unwrap(), "{\"reconciler_enabled\":true}\n");
        first.set(false).unwrap();
        assert!(!*Enabled::load(&folder).unwrap().subscribe().borrow());
    }

    #[test]
    fn what_cannot_be_written_is_not_so() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("file");
        fs::write(&blocked, "").unwrap();
        let enabled = Enabled { folder: blocked.as_path().into(), value: watch::Sender::new(false) };
        enabled.set(true).unwrap_err();
        assert!(!*enabled.subscribe().borrow());
    }

    #[test]
    fn what_the_daemon_did_not_write_is_not_guessed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "{\"reconciler_enabled\":1}").unwrap();
        let error = Enabled::load(folder.path()).unwrap_err();
        let expected = format!(
            "{}: invalid type: integer `1`, expected a boolean at line 1 column 23; remove it to start anew",
            folder.path().join(FILE).display()
        );
        assert_eq!(error.to_string(), expected);
    }
}
