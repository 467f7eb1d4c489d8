//! Writing a capsule.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use tar::{Builder, EntryType, Header};

use super::{MANIFEST, Manifest, RUN, SCENARIO, SNAPSHOTS, place, unpack::MAX_FILE_BYTES};
use crate::run::artifacts;

/// How hard to compress: a capsule is written once for each failure, while its run waits.
const LEVEL: i32 = 3;

/// Writes the capsule of a run into the folder of its artifacts. `snapshots` is the folder that the run compared with. A file
/// beyond the size that can be unpacked is left out, as the capture of a long run may be.
///
/// # Errors
/// Something cannot be read or written.
pub fn write(
    artifacts: &Path,
    manifest: &Manifest,
    scenario: &str,
    snapshots: Option<&Path>,
) -> anyhow::Result<PathBuf> {
    let path = artifacts.join(artifacts::CAPSULE);
    let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    let mut archive = Builder::new(zstd::Encoder::new(file, LEVEL)?);
    let text = serde_json::to_string_pretty(manifest)?;
    bytes(&mut archive, Path::new(MANIFEST), text.as_bytes())?;
    bytes(&mut archive, &Path::new(SCENARIO).join(place(&manifest.file, &manifest.case)), scenario.as_bytes())?;
    if let Some(folder) = snapshots {
        let case = artifacts::relative(&manifest.case);
        let stem = case.file_name().map(|stem| format!("{}@", stem.to_string_lossy())).unwrap_or_default();
        let topic = case.parent().unwrap_or(Path::new(""));
        for path in files(&folder.join(topic))? {
            let own = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&stem));
            if own && path.extension().is_some_and(|extension| extension == "snap") {
                let name = path.strip_prefix(folder).unwrap_or(&path);
                copy(&mut archive, &Path::new(SNAPSHOTS).join(name), &path)?;
            }
        }
    }
    for from in files(artifacts)?.into_iter().filter(|from| *from != path) {
        let name = from.strip_prefix(artifacts).unwrap_or(&from);
        copy(&mut archive, &Path::new(RUN).join(name), &from)?;
    }
    archive.into_inner()?.finish()?.flush()?;
    Ok(path)
}

/// The files below a folder, in the order of their names; none if there is no such folder.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            found.extend(files(&entry.path())?);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// A header without a time or an owner: the same contents are the same bytes.
fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(size);
    header
}

fn bytes(archive: &mut Builder<impl Write>, name: &Path, content: &[u8]) -> anyhow::Result<()> {
    archive.append_data(&mut header(content.len() as u64), name, content)?;
    Ok(())
}

fn copy(archive: &mut Builder<impl Write>, name: &Path, from: &Path) -> anyhow::Result<()> {
    let file = File::open(from).with_context(|| format!("opening {}", from.display()))?;
    let size = file.metadata()?.len();
    if size <= MAX_FILE_BYTES {
        archive
            .append_data(&mut header(size), name, file.take(size))
            .with_context(|| format!("packing {}", from.display()))?;
    }
    Ok(())
}
