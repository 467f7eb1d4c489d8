//! The environment of a process: nothing of the lab's own but what is named here, so that a run does not depend on who
//! runs it.

use std::ffi::OsString;
use std::path::Path;

use super::Spawn;

/// Variables of the lab itself that its processes get too: how much to log, and where a coverage build writes.
const PASSED_ON: [&str; 2] = ["RUST_LOG", "LLVM_PROFILE_FILE"];
/// What is the same for every process.
const FIXED: [(&str, &str); 2] = [("LANG", "C.UTF-8"), ("TZ", "UTC")];

/// The variables of a process whose files are in `folder`.
pub(super) fn environment(spawn: &Spawn, folder: &Path, notify: Option<&Path>) -> Vec<(OsString, OsString)> {
    let mut env = spawn.env.clone();
    let mut default = |name: &str, value: OsString| {
        env.entry(name.into()).or_insert(value);
    };
    default("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()));
    default("HOME", folder.into());
    default("TMPDIR", folder.into());
    for (name, value) in FIXED {
        default(name, value.into());
    }
    for name in PASSED_ON {
        if let Some(value) = std::env::var_os(name) {
            default(name, value);
        }
    }
    if let Some(path) = notify {
        env.insert("NOTIFY_SOCKET".into(), path.into());
    }
    env.into_iter().collect()
}
