//! The error of an emulated round trip, under several loads.

use std::time::{Duration, Instant};

use anyhow::Result;
use dzsim_testbed::Sample;
use dzsim_testbed::round_trips::{Load, PINGS, errors_us};

pub(crate) fn bench() -> Result<()> {
    println!("RTT error in µs of {PINGS} pings: measured minus twice the one-way delay");
    println!("{:>10} {:>16} {:>9} {:>9} {:>9} {:>9}", "one way", "load", "median", "p90", "p99", "max");
    for (name, load) in [
        ("idle", Load::Idle),
        ("2,000 packets/s", Load::Datagrams(2_000)),
        ("20,000 packets/s", Load::Datagrams(20_000)),
        ("one TCP stream", Load::Tcp),
    ] {
        report("1ms", "bare sleep", &sleeps());
        for delay in [0, 1_000, 10_000, 40_000].map(Duration::from_micros) {
            report(&format!("{delay:?}"), name, &errors_us(delay, load, PINGS)?);
        }
    }
    Ok(())
}

fn report(delay: &str, load: &str, errors: &Sample) {
    let [median, p90, p99, max] = [0.5, 0.9, 0.99, 1.0].map(|share| errors.quantile(share));
    println!("{delay:>10} {load:>16} {median:>9.1} {p90:>9.1} {p99:>9.1} {max:>9.1}");
}

/// How late the machine wakes a thread that sleeps for a millisecond: what nothing on it can do better than, twice per
/// round trip, without staying awake.
fn sleeps() -> Sample {
    let _ = nix::sys::prctl::set_timerslack(1);
    let millisecond = Duration::from_millis(1);
    let late = |_| {
        let start = Instant::now();
        std::thread::sleep(millisecond);
        (start.elapsed() - millisecond).as_secs_f64() * 1e6
    };
    Sample::new((0..PINGS).map(late).collect())
}
