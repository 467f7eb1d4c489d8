//! Benchmarks of the fabric: accuracy of delays, throughput beside plain veth in the same run, cost of a node.
//!
//! `cargo bench -p dzsim-fabric -- [rtt] [tcp] [tunnel] [pps] [nodes]` runs all or the named parts, as any user, on an
//! otherwise idle machine. Numbers are for reading: nothing here fails for being slow.

mod nodes;
mod rtt;
mod throughput;

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, unshare};

fn main() -> Result<()> {
    if dz_net::gre::helper::is_wanted(std::env::args_os()) {
        return Ok(dz_net::gre::helper::serve()?);
    }
    let parts: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|name| name == part);
    enter_namespaces().context("this machine gives no user and network namespace")?;
    if wanted("rtt") {
        rtt::bench()?;
    }
    if wanted("tcp") {
        throughput::tcp()?;
    }
    if wanted("tunnel") {
        throughput::tunnels()?;
    }
    if wanted("pps") {
        throughput::packets()?;
    }
    if wanted("nodes") {
        nodes::bench()?;
    }
    Ok(())
}

/// Before any thread runs: root in namespaces of its own.
fn enter_namespaces() -> Result<()> {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    Ok(())
}
