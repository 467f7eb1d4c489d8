//! Reading a capsule, which may come from anybody: nothing but plain files, none outside the folder it is unpacked to, and no more
//! than a run can leave.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Component, Path, PathBuf},
};

use tar::{Archive, EntryType};

use super::{FORM, MANIFEST, Manifest};

/// The most bytes of a file in it.
pub(super) const MAX_FILE_BYTES: u64 = 256 << 20;
/// The most bytes of all of them.
const MAX_BYTES: u64 = 1 << 30;
/// The most files: a log for each process of a great network.
const MAX_FILES: usize = 20_000;
/// The most bytes of a path in it (`PATH_MAX`).
const MAX_NAME_BYTES: u64 = 4096;
/// The largest window that the decoder may be asked to keep, as a power of two: 8 MiB.
const MAX_WINDOW_LOG: u32 = 23;

/// Why a file is no capsule that can be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It cannot be read as an archive.
    #[error("expected a capsule (tar, compressed by zstd): {0}")]
    Archive(#[source] io::Error),
    /// A path leads out of the folder, or is none.
    #[error("the path `{0}` in the capsule leads out of it")]
    Path(String),
    /// Something other than a plain file, such as a link.
    #[error("`{0}` in the capsule is no plain file")]
    Kind(String),
    /// The same path again.
    #[error("`{0}` is in the capsule twice")]
    Twice(String),
    /// It holds more than a run leaves.
    #[error("the capsule is too large: expected at most {0}")]
    Size(String),
    /// There is no manifest in it, or one that says something else.
    #[error("capsule.json in the capsule: {0}")]
    Manifest(String),
}

/// Unpacks a capsule into an empty folder and returns how its run was made.
///
/// # Errors
/// It is no capsule, or one that must not be trusted.
pub fn unpack(capsule: &Path, folder: &Path) -> Result<Manifest, UnpackError> {
    unpack_within(capsule, folder, MAX_BYTES)
}

pub(super) fn unpack_within(capsule: &Path, folder: &Path, most: u64) -> Result<Manifest, UnpackError> {
    let file = File::open(capsule).map_err(UnpackError::Archive)?;
    let mut decoder = zstd::Decoder::new(BufReader::new(file)).map_err(UnpackError::Archive)?;
    decoder.window_log_max(MAX_WINDOW_LOG).map_err(UnpackError::Archive)?;
    // Headers and padding count, too: what is bounded is what has to be read.
    let mut archive = Archive::new(decoder.take(most));
    let (mut files, mut bytes) = (0, 0);
    // A name that does not fit into a header comes as the content of an entry before it. Read here, its length is bounded.
    let mut long_name = None;
    for entry in archive.entries().map_err(UnpackError::Archive)?.raw(true) {
        let mut entry = entry.map_err(UnpackError::Archive)?;
        if entry.header().entry_type() == EntryType::GNULongName {
            let mut name = Vec::new();
            entry.by_ref().take(MAX_NAME_BYTES).read_to_end(&mut name).map_err(UnpackError::Archive)?;
            name.retain(|byte| *byte != 0);
            long_name = Some(PathBuf::from(String::from_utf8_lossy(&name).into_owned()));
            continue;
        }
        let name = match long_name.take() {
            Some(name) => name,
            None => entry.path().map_err(UnpackError::Archive)?.into_owned(),
        };
        let shown = || name.display().to_string();
        let path = folder.join(inside(&name).ok_or_else(|| UnpackError::Path(shown()))?);
        if entry.header().entry_type() != EntryType::Regular {
            return Err(UnpackError::Kind(shown()));
        }
        files += 1;
        bytes += entry.size();
        if files > MAX_FILES {
            return Err(UnpackError::Size(format!("{MAX_FILES} files")));
        }
        if entry.size() > MAX_FILE_BYTES || bytes > most {
            return Err(UnpackError::Size(format!("{MAX_FILE_BYTES} bytes of a file and {most} of all")));
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(UnpackError::Archive)?;
        }
        let mut out = File::create_new(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => UnpackError::Twice(shown()),
            _ => UnpackError::Archive(error),
        })?;
        io::copy(&mut entry, &mut out).map_err(UnpackError::Archive)?;
    }
    manifest(&folder.join(MANIFEST))
}

/// The path if each of its parts is a plain name.
fn inside(path: &Path) -> Option<PathBuf> {
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && path.components().next().is_some()).then(|| path.to_owned())
}

fn manifest(path: &Path) -> Result<Manifest, UnpackError> {
    let refused = |why: String| UnpackError::Manifest(why);
    let text = fs::read(path).map_err(|error| refused(error.to_string()))?;
    // The form comes first: another one may have other fields.
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(|error| refused(error.to_string()))?;
    if value["form"] != FORM {
        return Err(refused(format!("expected form {FORM}, got {}", value["form"])));
    }
    serde_json::from_value(value).map_err(|error| refused(error.to_string()))
}
