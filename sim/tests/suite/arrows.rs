//! The arrows of docs/architecture.md: which package may use which.

use std::{collections::BTreeMap, path::Path, process::Command};

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
    ("dzsim-scenario", &["dz-policy"]),
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
            "dzsim-scenario",
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
