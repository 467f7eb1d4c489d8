//! Cost of nodes in the fabric: time to attach them and to set their paths, and memory, before and after they talked.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dz_net::tun::{Tun, TunSpec};
use dzsim_fabric::{DropReason, Fabric, FabricConfig, NodeSpec, PathProfile};
use ipnet::Ipv4Net;

use dzsim_testbed::{Host, Offload};

const NODES: u32 = 1000;
const PEERS: u32 = 20;

pub(crate) fn bench() -> Result<()> {
    raise_file_limit()?;
    let tuns = (0..NODES).map(|i| Tun::create(&TunSpec::new(format!("tun{i}")))).collect::<Result<Vec<_>, _>>()?;
    let before = resident_bytes()?;
    let fabric = Fabric::start(FabricConfig::default())?;
    let start = Instant::now();
    for (i, tun) in (0..NODES).zip(tuns) {
        let prefix = Ipv4Net::new(address_of(i), 29)?;
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
    talk(&fabric)?;
    let start = Instant::now();
    for i in 0..NODES {
        for j in 1..=PEERS {
            let to = (i + j) % NODES;
            fabric.set_path(&format!("node{i}"), &format!("node{to}"), PathProfile::default())?;
        }
    }
    println!("{} profiles of pairs set in {:.1?}", NODES * PEERS, start.elapsed());
    Ok(())
}

/// A few hosts send to every node, whose devices are down: what a pair that talked costs.
fn talk(fabric: &Fabric) -> Result<()> {
    let senders = (1..=PEERS)
        .map(|i| {
            let address = Ipv4Net::new(Ipv4Addr::new(192, 0, 2, i as u8), 32)?;
            Host::attached(fabric, &format!("sender{i}"), address, Offload::On)
        })
        .collect::<Result<Vec<_>>>()?;
    let sockets = senders.iter().map(|sender| sender.udp(0)).collect::<Result<Vec<_>>>()?;
    let before = resident_bytes()?;
    for i in 0..NODES {
        for socket in &sockets {
            socket.send_to(b"hello", (address_of(i), 9))?;
        }
        // No more at once than the senders' devices hold.
        while i % 50 == 49 && fabric.counters().dropped(DropReason::Refused).packets < u64::from((i + 1) * PEERS) {
            let seen = fabric.version();
            fabric.wait_traffic(seen, Duration::from_millis(1));
        }
    }
    let memory = resident_bytes()?.saturating_sub(before);
    let pairs = u64::from(NODES * PEERS);
    println!("{pairs} pairs talked, {} bytes of memory each", memory / pairs);
    Ok(())
}

fn address_of(node: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x2d00_0000 + node * 8)
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
