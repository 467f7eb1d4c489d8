//! What a node costs the fabric: time to attach it, and memory, before and after it talked to others.

use std::net::Ipv4Addr;
use std::time::Instant;

use anyhow::{Context, Result};
use dz_net::tun::{Tun, TunSpec};
use dzsim_fabric::{Fabric, FabricConfig, NodeSpec, PathProfile};
use ipnet::Ipv4Net;

const NODES: u32 = 1000;

pub(crate) fn bench() -> Result<()> {
    raise_file_limit()?;
    let tuns = (0..NODES).map(|i| Tun::create(&TunSpec::new(format!("tun{i}")))).collect::<Result<Vec<_>, _>>()?;
    let before = resident_bytes()?;
    let fabric = Fabric::start(FabricConfig::default())?;
    let start = Instant::now();
    for (i, tun) in (0..NODES).zip(tuns) {
        let prefix = Ipv4Net::new(Ipv4Addr::from_bits(0x2d00_0000 + i * 8), 29)?;
        fabric.attach(NodeSpec {
            name: format!("node{i}"),
            tun: tun.into_fd(),
            vnet_hdr: false,
            prefixes: vec![prefix],
        })?;
    }
    let attached = start.elapsed();
    let memory = resident_bytes()?.saturating_sub(before);
    println!("{NODES} nodes attached in {attached:.1?}, {} bytes of memory each", memory / u64::from(NODES));
    let start = Instant::now();
    for i in 0..NODES {
        for j in 1..=20 {
            let to = (i + j) % NODES;
            fabric.set_path(&format!("node{i}"), &format!("node{to}"), PathProfile::default())?;
        }
    }
    println!("{} path profiles set in {:.1?}", NODES * 20, start.elapsed());
    Ok(())
}

fn raise_file_limit() -> Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

fn resident_bytes() -> Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).context("statm has a second field")?.parse()?;
    Ok(pages * 4096)
}
