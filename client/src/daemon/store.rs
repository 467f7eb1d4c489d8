//! Persistent state of the daemon.

use std::{
    fmt::{Debug, Display, Formatter, Result as FmtResult},
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// One document that outlives the daemon; its text says where it is.
pub trait Store: Debug + Display + Send + Sync {
    /// Reads it; none if nothing was ever written.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&self) -> io::Result<Option<Vec<u8>>>;

    /// Replaces it as a whole: after a crash it is the old one or the new one.
    ///
    /// # Errors
    /// It cannot be written, and is the old one.
    fn write(&self, bytes: &[u8]) -> io::Result<()>;
}

/// A file in a folder of the daemon's own, which is made if need be.
#[derive(Clone, Debug)]
pub struct FileStore {
    folder: PathBuf,
}

impl FileStore {
    const FILE: &str = "state.json";

    /// The file of this folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(Self::FILE)
    }
}

impl Display for FileStore {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        Display::fmt(&self.path().display(), f)
    }
}

impl Store for FileStore {
    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path()) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let next = self.folder.join(format!("{}.next", Self::FILE));
        let mut file = File::create(&next)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&next, self.path())?;
        File::open(&self.folder)?.sync_all()
    }
}

/// A document in memory; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Option<Vec<u8>>>>);

impl Display for MemoryStore {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("memory")
    }
}

impl Store for MemoryStore {
    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembers(store: &dyn Store) {
        assert_eq!(store.read().unwrap(), None);
        store.write(b"one").unwrap();
        store.write(b"two").unwrap();
        assert_eq!(store.read().unwrap(), Some(b"two".to_vec()));
    }

    #[test]
    fn what_was_written_last_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("state");
        remembers(&FileStore::new(&folder));
        remembers(&MemoryStore::default());
        assert_eq!(fs::read_to_string(folder.join("state.json")).unwrap(), "two");
    }
}
