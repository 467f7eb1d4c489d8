//! The folder that a run of a case leaves behind.
//!
//! | file | content |
//! |---|---|
//! | `summary.json` | how it ended: [`CaseSummary`](super::protocol::CaseSummary) |
//! | `events.jsonl` | every step, decision and transition, on one clock |
//! | `capture.pcapng` | every underlay packet, one interface a node |
//! | `chain.json` | all accounts at the end |
//! | `snapshots/` | the text of every `snapshot` step |
//! | `logs/<node>.<role>.log` | what each process said |

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The summary's name.
pub const SUMMARY: &str = "summary.json";
/// The event log's name.
pub const EVENTS: &str = "events.jsonl";
/// The capture's name.
pub const CAPTURE: &str = "capture.pcapng";
/// The final chain's name.
pub const CHAIN: &str = "chain.json";
/// The folder of the texts of snapshots.
pub const SNAPSHOTS: &str = "snapshots";
/// The folder of the processes' logs.
pub const LOGS: &str = "logs";

/// Where a case leaves its artifacts.
pub fn folder(root: &Path, case: &str) -> PathBuf {
    root.join(case)
}

/// Makes the folder, empty. What an earlier run left is removed, or with `keep` put aside under a number.
pub fn make_room(folder: &Path, keep: bool) -> anyhow::Result<()> {
    if folder.exists() {
        if keep {
            let aside = (1u32..)
                .map(|number| folder.with_extension(number.to_string()))
                .find(|path| !path.exists())
                .context("no free number for the earlier artifacts")?;
            fs::rename(folder, &aside).with_context(|| format!("putting {} aside", folder.display()))?;
        } else {
            // Only what an earlier run wrote is removed: a folder of somebody's own stays, and is named.
            let own = [SUMMARY, EVENTS, CAPTURE].iter().any(|name| folder.join(name).exists());
            let empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
            anyhow::ensure!(own || empty, "{} exists and no run of dzsim has made it", folder.display());
            fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
        }
    }
    fs::create_dir_all(folder.join(LOGS)).with_context(|| format!("creating {}", folder.display()))
}

/// The last lines of every log that has any, by its name.
pub fn last_lines(folder: &Path, count: usize) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut logs = BTreeMap::new();
    for entry in fs::read_dir(folder.join(LOGS))? {
        let entry = entry?;
        let text = String::from_utf8_lossy(&fs::read(entry.path())?).into_owned();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        if !lines.is_empty() {
            let from = lines.len().saturating_sub(count);
            logs.insert(entry.file_name().to_string_lossy().into_owned(), lines[from..].to_vec());
        }
    }
    Ok(logs)
}
