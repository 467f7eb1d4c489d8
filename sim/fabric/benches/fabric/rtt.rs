//! The error of an emulated round trip: what ping(8) would measure beyond the delay asked for, with the kernel's time
//! of receipt as it uses it.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use dzsim_fabric::{Fabric, FabricConfig, PathProfile};

use crate::support::{Answer, Host, Offload};

const PINGS: usize = 400;
const B: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const D: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

/// What else passes through the fabric meanwhile.
#[derive(Clone, Copy)]
enum Load {
    Idle,
    /// Small datagrams, this many per second.
    Datagrams(u32),
    /// One TCP connection at full speed.
    Tcp,
}

pub(crate) fn bench() -> Result<()> {
    println!("RTT error in µs of {PINGS} pings: measured minus twice the one-way delay");
    println!("{:>10} {:>16} {:>9} {:>9} {:>9} {:>9}", "one way", "load", "median", "p90", "p99", "max");
    for (name, load) in [
        ("idle", Load::Idle),
        ("2,000 packets/s", Load::Datagrams(2_000)),
        ("20,000 packets/s", Load::Datagrams(20_000)),
        ("one TCP stream", Load::Tcp),
    ] {
        report("1ms", "bare sleep", sleeps());
        for delay in [0, 1_000, 10_000, 40_000].map(Duration::from_micros) {
            report(&format!("{delay:?}"), name, errors(delay, load)?);
        }
    }
    Ok(())
}

fn report(delay: &str, load: &str, mut errors: Vec<f64>) {
    errors.sort_by(f64::total_cmp);
    let at = |quantile: f64| errors[((errors.len() - 1) as f64 * quantile).round() as usize];
    println!("{delay:>10} {load:>16} {:>9.1} {:>9.1} {:>9.1} {:>9.1}", at(0.5), at(0.9), at(0.99), at(1.0));
}

/// How late the machine wakes a thread that sleeps for a millisecond: what nothing on it can do better than, twice per
/// round trip, without staying awake.
fn sleeps() -> Vec<f64> {
    let _ = nix::sys::prctl::set_timerslack(1);
    let millisecond = Duration::from_millis(1);
    let late = |_| {
        let start = Instant::now();
        std::thread::sleep(millisecond);
        (start.elapsed() - millisecond).as_secs_f64() * 1e6
    };
    (0..PINGS).map(late).collect()
}

fn errors(delay: Duration, load: Load) -> Result<Vec<f64>> {
    let fabric = Fabric::start(FabricConfig::default())?;
    let a = Host::attached(&fabric, "a", "192.0.2.1/32".parse()?, Offload::On)?;
    let _b = Host::attached(&fabric, "b", "198.51.100.1/32".parse()?, Offload::On)?;
    let c = Host::attached(&fabric, "c", "192.0.2.2/32".parse()?, Offload::On)?;
    let d = Host::attached(&fabric, "d", "198.51.100.2/32".parse()?, Offload::On)?;
    fabric.set_default_path(PathProfile::with_delay(delay))?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let loader = scope.spawn(|| run_load(load, &c, &d, &done));
        let errors = pings(&a, delay);
        done.store(true, Ordering::Relaxed);
        loader.join().expect("the load does not panic")?;
        errors
    })
}

fn pings(a: &Host, delay: Duration) -> Result<Vec<f64>> {
    let mut pinger = a.pinger()?;
    // The first packet creates the path.
    pinger.ping(B, 56)?;
    let mut errors = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let Answer::Reply { rtt, .. } = pinger.ping(B, 56)? else { bail!("an error came back") };
        errors.push((rtt.as_secs_f64() - 2.0 * delay.as_secs_f64()) * 1e6);
        // A pause, as between real probes, lets the machine idle.
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(errors)
}

fn run_load(load: Load, c: &Host, d: &Host, done: &AtomicBool) -> Result<()> {
    match load {
        Load::Idle => {}
        Load::Datagrams(per_second) => {
            let (socket, _sink) = (c.udp(9)?, d.udp(9)?);
            let (start, mut sent) = (Instant::now(), 0u32);
            while !done.load(Ordering::Relaxed) {
                while f64::from(sent) < start.elapsed().as_secs_f64() * f64::from(per_second) {
                    socket.send_to(&[0; 100], (D, 9))?;
                    sent += 1;
                }
                std::thread::sleep(Duration::from_micros(500));
            }
        }
        Load::Tcp => {
            crate::throughput::stream(c, d, D, || done.load(Ordering::Relaxed))?;
        }
    }
    Ok(())
}
