//! Capsules of failed runs, to be run again elsewhere: one file, `capsule.tar.zst`, with the scenario, how it was run, and
//! everything that the run left.
//!
//! | in it | what |
//! |---|---|
//! | `capsule.json` | how it was run: [`Manifest`] |
//! | `scenario/<topic>/<name>.yaml` | the scenario's text |
//! | `snapshots/<topic>/` | the snapshots it was compared with |
//! | `run/` | the artifacts |

mod pack;
mod unpack;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use pack::write;
pub use unpack::{UnpackError, unpack};

/// The manifest's name.
const MANIFEST: &str = "capsule.json";
/// The folder of the scenario.
const SCENARIO: &str = "scenario";
/// The folder of the snapshots it was compared with.
const SNAPSHOTS: &str = "snapshots";
/// The folder of the artifacts.
const RUN: &str = "run";

/// The form of a capsule that this program writes and reads.
const FORM: u32 = 1;

/// How the run was made, and how it failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of the capsule.
    pub form: u32,
    /// The version of dzsim that made it.
    pub version: String,
    /// The scenario file, as its user named it.
    pub file: PathBuf,
    /// The case in it.
    pub case: String,
    /// The seed of all randomness.
    pub seed: u64,
    /// The world it ran in.
    pub world: String,
    /// Where tunnels were to be made.
    pub dataplane: String,
    /// Changes to the file, as `--set` takes them.
    pub changes: Vec<String>,
    /// The step that was left out, as `--without` takes it.
    pub without: Option<String>,
    /// The step that failed, from 1; none if the network did not come up.
    pub step: Option<usize>,
    /// Why, in a line.
    pub message: String,
}

impl Manifest {
    /// Of a capsule that this program writes.
    pub const FORM: u32 = FORM;

    /// Where the scenario is in the folder that the capsule was unpacked to. A case is called after its folder and its file.
    pub fn scenario(&self, folder: &Path) -> PathBuf {
        folder.join(SCENARIO).join(place(&self.file, &self.case))
    }
}

/// Where the snapshots are in the folder that a capsule was unpacked to.
pub fn snapshots(folder: &Path) -> PathBuf {
    folder.join(SNAPSHOTS)
}

/// Where the artifacts are in the folder that a capsule was unpacked to.
pub fn run(folder: &Path) -> PathBuf {
    folder.join(RUN)
}

/// Where a scenario is in a capsule: in a folder of its case's topic, which the path that was given need not name.
fn place(file: &Path, case: &str) -> PathBuf {
    let topic = case.split('[').next().and_then(|name| name.rsplit_once('/')).map_or("", |(topic, _)| topic);
    let names = [Path::new(topic).file_name(), file.file_name()];
    names.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
