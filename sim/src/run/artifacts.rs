//! The folder that a run of a case leaves behind. docs/artifacts.md is its reference.
//!
//! | file | content |
//! |---|---|
//! | `summary.json` | how it ended: [`CaseSummary`](super::protocol::CaseSummary) |
//! | `events.jsonl` | every step, decision and transition, on one clock |
//! | `capture.pcapng` | every underlay packet, where it was sent |
//! | `network.json` | metros, devices, clients and links: [`Network`](super::network::Network) |
//! | `chain.json` | all accounts at the end |
//! | `snapshots/` | the text of every `snapshot` step |
//! | `logs/<node>.<role>.log` | what each process wrote |

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};
use serde::Serialize;

/// The summary's name.
pub const SUMMARY: &str = "summary.json";
/// The event log's name.
pub const EVENTS: &str = "events.jsonl";
/// The capture's name.
pub const CAPTURE: &str = "capture.pcapng";
/// The name of the network that the run was made from.
pub const NETWORK: &str = "network.json";
/// The final chain's name.
pub const CHAIN: &str = "chain.json";
/// The file that a failed run leaves to be replayed.
pub const CAPSULE: &str = "capsule.tar.zst";
/// The folder of the texts of snapshots.
pub const SNAPSHOTS: &str = "snapshots";
/// The folder of the processes' logs.
pub const LOGS: &str = "logs";

/// The longest name that a file may have, less what is put behind it.
const MAX_NAME_BYTES: usize = 180;

/// What was being done when a file could not be written.
pub fn writing(path: &Path) -> String {
    format!("writing {}", path.display())
}

/// Writes a value for people to read, too.
///
/// # Errors
/// The file cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let write = || -> io::Result<()> { Ok(serde_json::to_writer_pretty(File::create(path)?, value)?) };
    write().with_context(|| writing(path))
}

/// Where a case leaves its artifacts.
pub fn folder(root: &Path, case: &str) -> PathBuf {
    root.join(relative(case))
}

/// The name of a case as a path: its folder and, as one name, the rest with the values of its matrix.
pub fn relative(case: &str) -> PathBuf {
    let (name, label) = case.split_at(case.find('[').unwrap_or(case.len()));
    let (folder, stem) = name.rsplit_once('/').map_or((None, name), |(folder, stem)| (Some(folder), stem));
    let mut last = format!("{stem}{}", label.replace('/', "%2F"));
    if last.len() > MAX_NAME_BYTES {
        // The whole name stays in the summary; here it only has to be one that no other case has.
        let digest = last
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        last.truncate(last.floor_char_boundary(MAX_NAME_BYTES - 18));
        last.push_str(&format!("~{digest:016x}"));
    }
    folder.map_or_else(|| PathBuf::from(&last), |folder| Path::new(folder).join(&last))
}

/// The right to write a folder of artifacts. It ends when the process ends, however that comes about.
#[derive(Debug)]
#[must_use]
pub struct Claim {
    _lock: Flock<File>,
}

/// Claims the folder for this process and empties it. With `keep`, what an earlier run left is put aside under a number.
///
/// # Errors
/// Another run or a held network writes to it, no run has made it, or it cannot be written.
pub fn claim(folder: &Path, keep: bool) -> anyhow::Result<Claim> {
    loop {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let open = File::open(folder).with_context(|| format!("opening {}", folder.display()))?;
        let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let lock = match Flock::lock(open, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, Errno::EWOULDBLOCK)) => anyhow::bail!(
                "{} is in use by another run or a held network: wait for it, end it with `dzsim down`, or choose another \
                 folder with --artifacts",
                folder.display()
            ),
            Err((_, errno)) => return Err(errno).with_context(|| format!("locking {}", folder.display())),
        };
        // Between opening and locking, another run may have put the folder aside.
        if fs::metadata(folder).map(id).ok() != lock.metadata().map(id).ok() {
            continue;
        }
        if is_empty(folder)? {
            fs::create_dir(folder.join(LOGS)).with_context(|| format!("creating {}", folder.join(LOGS).display()))?;
            return Ok(Claim { _lock: lock });
        }
        // Only what an earlier run wrote is removed: a folder of somebody's own stays, and is named.
        let own = [SUMMARY, EVENTS, CAPTURE, LOGS].iter().any(|name| folder.join(name).exists());
        anyhow::ensure!(
            own,
            "{} exists and no run of dzsim has made it: remove it, or name another folder with --artifacts",
            folder.display()
        );
        if keep {
            let aside = (1u32..).map(|number| numbered(folder, number)).find(|path| !path.exists());
            let aside = aside.context("no free number for the earlier artifacts")?;
            fs::rename(folder, aside).with_context(|| format!("putting {} aside", folder.display()))?;
        } else {
            empty(folder).with_context(|| format!("emptying {}", folder.display()))?;
        }
    }
}

/// The folder with a number behind its name.
fn numbered(folder: &Path, number: u32) -> PathBuf {
    let mut name = folder.file_name().map_or_else(OsString::new, OsString::from);
    name.push(format!(".{number}"));
    folder.with_file_name(name)
}

fn is_empty(folder: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(folder)?.next().is_none())
}

/// Removes what is in the folder and leaves the folder, which is locked.
fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Makes the root of artifacts and tries whether it can be written.
///
/// # Errors
/// It cannot.
pub fn try_root(root: &Path) -> anyhow::Result<()> {
    let tried = fs::create_dir_all(root).and_then(|()| tempfile::tempfile_in(root)).map(drop);
    tried.with_context(|| format!("the folder of artifacts {} cannot be written", root.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(folder: &Path) -> Claim {
        let claim = claim(folder, false).unwrap();
        fs::write(folder.join(EVENTS), "{}\n").unwrap();
        claim
    }

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path(), "topic/case");
        let first = used(&folder);
        let refused = claim(&folder, false).unwrap_err().to_string();
        assert!(refused.contains("is in use by another run"), "{refused}");
        assert!(claim(&folder, true).is_err(), "nor is it put aside");
        assert!(folder.join(EVENTS).exists(), "what the owner wrote is still there");
        drop(first);
        let _second = claim(&folder, false).unwrap();
        assert!(!folder.join(EVENTS).exists() && folder.join(LOGS).exists());
    }

    #[test]
    fn earlier_artifacts_are_kept_under_a_number_behind_the_whole_name() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path(), "topic/case[tolerance=0.5ms]");
        for _ in 0..2 {
            drop(used(&folder));
            drop(claim(&folder, true).unwrap());
            fs::write(folder.join(SUMMARY), "{}").unwrap();
            drop(claim(&folder, true).unwrap());
        }
        for number in 1..=2 {
            assert!(root.path().join(format!("topic/case[tolerance=0.5ms].{number}")).is_dir(), "{number}");
        }
    }

    #[test]
    fn a_folder_that_no_run_made_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.tex"), "years of work").unwrap();
        assert!(claim(root.path(), false).unwrap_err().to_string().contains("no run of dzsim has made it"));
        assert!(root.path().join("thesis.tex").exists());
    }

    #[test]
    fn no_case_is_in_the_folder_of_another_or_too_long_for_a_file_system() {
        assert_eq!(relative("topic/case"), Path::new("topic/case"));
        assert_eq!(relative("topic/case[prefix=10.0.0.0/29]"), Path::new("topic/case[prefix=10.0.0.0%2F29]"));
        assert_eq!(relative("case"), Path::new("case"));
        let long = |end: &str| relative(&format!("topic/case[{}{end}]", "ä".repeat(400)));
        assert!(long("a").file_name().unwrap().len() <= MAX_NAME_BYTES);
        assert_ne!(long("a"), long("b"));
    }
}
