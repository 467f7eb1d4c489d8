//! Figures of the fabric, between hosts with a real kernel.

use std::time::Duration;

use anyhow::Context;
use dzsim_fabric::{FabricConfig, PathProfile};
use dzsim_testbed::{
    Offload,
    round_trips::{Load, errors_us},
    throughput::{Pair, compare},
};
use serde::{Deserialize, Serialize};

/// The delay at which round trips are measured.
const ONE_WAY: Duration = Duration::from_millis(40);

/// What the process in namespaces of its own writes to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FabricFigures {
    /// Error of an emulated round trip: half of them are not above it.
    pub rtt_error_median_ms: f64,
    /// And 99 of 100 are not above this.
    pub rtt_error_p99_ms: f64,
    /// TCP through a userspace tunnel, of plain veth without offloads.
    pub tunnel_ratio: f64,
}

/// Measures in the namespaces of this process, which is alone in them.
///
/// # Errors
/// The kernel refuses a host, or a packet does not arrive.
pub fn measure(pings: usize, rounds: usize) -> anyhow::Result<FabricFigures> {
    let errors = errors_us(ONE_WAY, Load::Idle, pings).context("round trips")?;
    // As a node's uplink is.
    let on_fabric = || Pair::on_fabric(FabricConfig::default(), Offload::On, PathProfile::default())?.with_tunnel();
    let rates = compare(&[("veth", &|| Pair::veth(Offload::Off)), ("tunnel", &on_fabric)], rounds);
    let [veth, tunnel] = rates.context("throughput")?[..] else { anyhow::bail!("not a rate for each case") };
    Ok(FabricFigures {
        rtt_error_median_ms: errors.median() / 1e3,
        rtt_error_p99_ms: errors.quantile(0.99) / 1e3,
        tunnel_ratio: tunnel.gbit_per_s / veth.gbit_per_s,
    })
}
