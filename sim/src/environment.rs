//! The caller's environment, which decides nothing about a run.

use std::{ffi::OsString, process::Command};

use nix::sys::stat::{Mode, umask};

/// What a scenario's process gets of it: where programs are, what to log, and where a coverage build writes.
const KEPT: [&str; 3] = ["PATH", "RUST_LOG", "LLVM_PROFILE_FILE"];

/// Variables that programs of the stack, its libraries or the simulator's would otherwise obey.
fn is_ignored(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let exact = ["LANG", "LANGUAGE", "TZ", "RUST_BACKTRACE", "RUST_LIB_BACKTRACE", "SBF_OUT_DIR", "BPF_OUT_DIR"];
    exact.contains(&name) || name.starts_with("DZ_") || name.starts_with("LC_") || lower.ends_with("_proxy")
}

/// Leaves a command only what a run may depend on.
pub fn clean(command: &mut Command) {
    command.env_clear().envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.envs([("LANG", "C.UTF-8"), ("TZ", "UTC")]);
}

/// Makes new files readable for all and writable for their owner, whatever the caller's mask. For a process that makes
/// files of a run, before it makes any.
pub fn fix_umask() {
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
}

/// The variables of a shell or command in a node: the caller's, since it is the caller's terminal, without those that
/// would lead the node's programs elsewhere.
pub fn of_caller() -> Vec<(OsString, OsString)> {
    std::env::vars_os()
        .filter(|(name, _)| {
            let name = name.to_string_lossy();
            !name.starts_with("DZ_") && !name.to_ascii_lowercase().ends_with("_proxy")
        })
        .collect()
}

/// What is set in the caller's environment and ignored by runs, for `doctor`.
pub fn ignored() -> Vec<String> {
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    let mut ignored: Vec<String> = names.filter(|name| is_ignored(name)).collect();
    ignored.sort();
    // The mask can only be read by setting it.
    let mask = umask(Mode::S_IWGRP | Mode::S_IWOTH);
    umask(mask);
    if mask != Mode::S_IWGRP | Mode::S_IWOTH {
        ignored.push(format!("umask {:04o}", mask.bits()));
    }
    ignored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenarios_process_gets_nothing_that_it_could_obey() {
        let mut command = Command::new("true");
        command.env("http_proxy", "http://127.0.0.1:1").env("DZ_RPC_URL", "http://127.0.0.1:1");
        clean(&mut command);
        let names: Vec<_> = command.get_envs().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        assert!(names.iter().all(|name| KEPT.contains(&name.as_str()) || name == "LANG" || name == "TZ"), "{names:?}");
    }

    #[test]
    fn what_is_ignored_is_known_by_name() {
        for name in ["http_proxy", "HTTPS_PROXY", "ALL_PROXY", "DZ_RPC_URL", "LC_ALL", "LANG", "TZ", "RUST_BACKTRACE"] {
            assert!(is_ignored(name), "{name}");
        }
        for name in ["PATH", "HOME", "RUST_LOG", "TERM"] {
            assert!(!is_ignored(name), "{name}");
        }
    }
}
