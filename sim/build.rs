//! Link options of the program.

use std::env;

/// A scenario starts this program some dozens of times: each role, each command and each tunnel's helper is a process of it.
/// Linked to fixed addresses it needs none of the 100,000 relocations that a position-independent program makes at each start
/// (docs/decisions/0156). The code is the same.
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |key: &str| env::var(key).unwrap_or_default();
    if target("CARGO_CFG_TARGET_OS") == "linux" && target("CARGO_CFG_TARGET_ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
