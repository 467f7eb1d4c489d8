//! Throughput of the fabric, beside a plain veth pair in the same run.

use std::time::{Duration, Instant};

use anyhow::Result;
use dzsim_fabric::{BitRate, CaptureConfig, FabricConfig, Loss, PathProfile, Probability, TrafficFilter};
use dzsim_testbed::Offload;
use dzsim_testbed::throughput::{Case, Pair, ROUNDS, RUN, compare};

pub(crate) fn tcp() -> Result<()> {
    let per_packet = PathProfile {
        delay: Duration::from_micros(100),
        loss: Loss::Random { probability: Probability::new(1e-9)? },
        ..PathProfile::default()
    };
    let limited = |gbit: u64| PathProfile {
        rate: BitRate::from_bits_per_second(gbit * 1_000_000_000),
        ..PathProfile::with_delay(Duration::from_micros(100))
    };
    let delay = PathProfile::with_delay(Duration::from_micros(100));
    show(&[
        ("veth, no offloads", &|| Pair::veth(Offload::Off)),
        ("veth, offloads", &|| Pair::veth(Offload::On)),
        ("fabric, no offloads", &|| through_fabric(Offload::Off, PathProfile::default())),
        ("fabric, offloads", &|| through_fabric(Offload::On, PathProfile::default())),
        ("fabric, offloads, 0.1 ms", &|| through_fabric(Offload::On, delay.clone())),
        ("fabric, offloads, captured", &|| captured()),
        ("fabric, offloads, per-packet rules", &|| through_fabric(Offload::On, per_packet.clone())),
        ("fabric, offloads, 1 Gbit/s", &|| through_fabric(Offload::On, limited(1))),
        ("fabric, offloads, 100 Gbit/s", &|| through_fabric(Offload::On, limited(100))),
    ])
}

/// Through a userspace tunnel, whose outer packets the fabric carries.
pub(crate) fn tunnels() -> Result<()> {
    show(&[
        ("veth, no offloads", &|| Pair::veth(Offload::Off)),
        ("tunnel over veth, no offloads", &|| Pair::veth(Offload::Off)?.with_tunnel()),
        ("tunnel over fabric, no offloads", &|| through_fabric(Offload::Off, PathProfile::default())?.with_tunnel()),
        ("tunnel over fabric, offloads", &|| through_fabric(Offload::On, PathProfile::default())?.with_tunnel()),
    ])
}

/// Shows the cases, the first of which is the measure of all.
fn show(cases: &[Case<'_>]) -> Result<()> {
    println!("TCP, one connection, Gbit/s: median of {ROUNDS} runs of {RUN:?}, in turns");
    let rates = compare(cases, ROUNDS)?;
    for ((name, _), rate) in cases.iter().zip(&rates) {
        let (gbit, share) = (rate.gbit_per_s, rate.gbit_per_s / rates[0].gbit_per_s);
        println!("{name:>36} {gbit:>8.2} {share:>6.2} of {}, {} dropped", cases[0].0, rate.dropped);
    }
    Ok(())
}

pub(crate) fn packets() -> Result<()> {
    println!("UDP datagrams of 100 bytes, thousands per second delivered in {RUN:?}");
    for offload in [Offload::Off, Offload::On] {
        let Pair { a, b, to, fabric, .. } = through_fabric(offload, PathProfile::default())?;
        let (socket, _sink) = (a.udp(9)?, b.udp(9)?);
        let start = Instant::now();
        while start.elapsed() < RUN {
            for _ in 0..64 {
                // The device's queue is full at times, which is what is measured.
                let _ = socket.send_to(&[0; 100], (to, 9));
            }
        }
        let fabric = fabric.expect("the hosts are on a fabric");
        let delivered = fabric.traffic(&TrafficFilter { destination: Some(to), ..TrafficFilter::default() }).delivered;
        println!(
            "{:>36} {:>8.0}",
            format!("fabric, offloads {offload:?}"),
            delivered.packets as f64 / RUN.as_secs_f64() / 1e3
        );
    }
    Ok(())
}

/// With everything recorded: the disk's part is left out.
fn captured() -> Result<Pair> {
    let capture = CaptureConfig { path: "/dev/null".into(), snaplen: None, ring: None };
    let config = FabricConfig { capture: Some(capture), ..FabricConfig::default() };
    Pair::on_fabric(config, Offload::On, PathProfile::default())
}

fn through_fabric(offload: Offload, profile: PathProfile) -> Result<Pair> {
    Pair::on_fabric(FabricConfig::default(), offload, profile)
}
