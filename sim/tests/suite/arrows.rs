//! The arrows of docs/architecture.md: which package may use which.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Left may use right; anything else of ours is forbidden.
const ALLOWED: &[(&str, &[&str])] = &[
    ("dz-serviceability", &[]),
    ("dz-sdk", &["dz-service", "dz-serviceability"]),
    ("dz-net", &[]),
    ("dz-policy", &[]),
    ("dz-service", &[]),
    ("dz-activator", &["dz-policy", "dz-sdk", "dz-service", "dz-serviceability"]),
    ("dz-controller", &["dz-sdk", "dz-service", "dz-serviceability", "dz-net"]),
    ("dz-client", &["dz-policy", "dz-sdk", "dz-service", "dz-serviceability", "dz-net"]),
    ("dzsim-fabric", &["dz-net"]),
    ("dzsim-host", &["dz-net", "dzsim-fabric"]),
    ("dzsim-lab", &["dz-net"]),
    ("dzsim-ledger", &["dz-serviceability"]),
    ("dzsim-macros", &[]),
    ("dzsim-scenario", &["dz-policy"]),
    ("dzsim-testbed", &["dz-net", "dzsim-fabric"]),
    // A development dependency only: nothing that ships may use it.
    ("dz-testing", &[]),
    (
        "dzsim",
        &[
            "dz-activator",
            "dz-client",
            "dz-controller",
            "dz-net",
            "dz-policy",
            "dz-sdk",
            "dz-service",
            "dz-serviceability",
            "dzsim-fabric",
            "dzsim-host",
            "dzsim-lab",
            "dzsim-ledger",
            "dzsim-macros",
            "dzsim-scenario",
            "dzsim-testbed",
        ],
    ),
];

#[test]
fn every_package_uses_only_what_it_may() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline", "--manifest-path"])
        .arg(manifest)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let mut seen = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let may = allowed.get(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            let ours = allowed.contains_key(other);
            // Tests may look at anything; what ships may not.
            if ours && dependency["kind"].is_null() {
                assert!(may.contains(&other), "{name} uses {other}, which docs/architecture.md does not allow");
            }
        }
        seen.push(name.to_owned());
    }
    seen.sort();
    let mut known: Vec<_> = allowed.keys().map(ToString::to_string).collect();
    known.sort();
    assert_eq!(seen, known);
}

/// The folders of the products and of what they use.
const PRODUCTS: [&str; 8] =
    ["activator", "client", "controller", "net", "policy", "programs/sdk", "programs/serviceability", "service"];

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The Rust sources below a folder.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The lines below these folders that hold one of these words, as `path:number: line`.
fn lines_with(folders: impl IntoIterator<Item = PathBuf>, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for path in folders.into_iter().flat_map(|folder| sources(&folder)) {
        let text = fs::read_to_string(&path).unwrap();
        // What is only a test may look at anything.
        if text.contains("\n#![cfg(test)]\n") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn no_product_looks_whether_it_runs_in_the_simulator() {
    let products = PRODUCTS.map(|folder| workspace().join(folder).join("src"));
    assert_eq!(lines_with(products, &["dzsim", "\"node\""]), Vec::<String>::new());
}

/// A binary knows how it was started; what it calls is given arguments.
#[test]
fn only_binaries_read_their_arguments() {
    let products = PRODUCTS.map(|folder| workspace().join(folder).join("src"));
    let mut found = lines_with(products, &["env::args"]);
    found.retain(|line| !line.contains("/src/bin/") && !line.contains("/src/main.rs"));
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_daemon_does_not_import_the_command_line() {
    let daemon = workspace().join("client/src/daemon");
    assert_eq!(lines_with([daemon], &["cli::", "crate::cli", "super::cli"]), Vec::<String>::new());
}

/// What both worlds run takes clocks, sockets, threads and randomness as values: clippy.toml lists what it must not touch.
#[test]
fn what_both_worlds_run_is_held_to_the_seams() {
    const BOTH: [&str; 7] = ["activator", "client", "controller", "net", "programs/sdk", "service", "sim/host"];
    for folder in BOTH {
        let library = fs::read_to_string(workspace().join(folder).join("src/lib.rs")).unwrap();
        let denied = "#![cfg_attr(not(test), deny(clippy::disallowed_methods))]";
        assert!(library.contains(denied), "{folder}/src/lib.rs lacks {denied}");
    }
}

/// A slim image has no `kill`, `ps` or `ip`: what is called by its name is in Debian's minbase.
#[test]
fn programs_that_are_called_are_on_every_machine() {
    let there = ["true", "sh", "/bin/sh", "/bin/true", "readlink"];
    let folders = ["activator", "client", "controller", "net", "programs", "service", "sim", "testing"];
    let files = folders.iter().flat_map(|folder| sources(&workspace().join(folder)));
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        // There a `Command` is a verb.
        if text.contains("clap::") || text.contains("Args::augment_args") {
            continue;
        }
        for (at, mark) in text.match_indices("Command::new(\"") {
            if text[..at].ends_with(char::is_alphanumeric) {
                continue;
            }
            let program = text[at + mark.len()..].split('"').next().unwrap_or_default();
            seen += 1;
            if !there.contains(&program) {
                wrong.push(format!("{}: {program}", file.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(seen >= there.len(), "only {seen} calls were found");
}
