//! The error of an emulated round trip: what ping(8) would measure beyond the delay asked for, with the kernel's time
//! of receipt as it uses it.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use dzsim_fabric::{Fabric, FabricConfig, PathProfile};

use crate::{Answer, Host, Offload, Sample, throughput};

/// Enough for the 99th percentile.
pub const PINGS: usize = 400;

const B: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const D: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

/// What else passes through the fabric meanwhile.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// Nothing.
    Idle,
    /// Small datagrams, this many per second.
    Datagrams(u32),
    /// One TCP connection at full speed.
    Tcp,
}

/// The errors of this many pings in microseconds: measured minus twice the one-way delay.
///
/// # Errors
/// The kernel refuses a host, or a ping has no reply.
pub fn errors_us(delay: Duration, load: Load, pings: usize) -> Result<Sample> {
    let fabric = Fabric::start(FabricConfig::default())?;
    let a = Host::attached(&fabric, "a", "192.0.2.1/32".parse()?, Offload::On)?;
    let _b = Host::attached(&fabric, "b", "198.51.100.1/32".parse()?, Offload::On)?;
    let c = Host::attached(&fabric, "c", "192.0.2.2/32".parse()?, Offload::On)?;
    let d = Host::attached(&fabric, "d", "198.51.100.2/32".parse()?, Offload::On)?;
    fabric.set_default_path(PathProfile::with_delay(delay))?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let loader = scope.spawn(|| run_load(load, &c, &d, &done));
        let errors = ping(&a, delay, pings);
        done.store(true, Ordering::Relaxed);
        loader.join().expect("the load does not panic")?;
        Ok(Sample::new(errors?))
    })
}

fn ping(a: &Host, delay: Duration, pings: usize) -> Result<Vec<f64>> {
    let mut pinger = a.pinger()?;
    // The first packet creates the path.
    pinger.ping(B, 56)?;
    let mut errors = Vec::with_capacity(pings);
    for _ in 0..pings {
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
            throughput::stream(c, d, D, |_| done.load(Ordering::Relaxed))?;
        }
    }
    Ok(())
}
