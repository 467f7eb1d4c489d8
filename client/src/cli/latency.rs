//! `doublezero latency`: round-trip time of each endpoint.

use std::io::Write;

use super::{
    deadline::Waiting,
    error::CommandError,
    output::{self, Format, Row},
};
use crate::api::{Daemon, EndpointLatency};

impl Row for EndpointLatency {
    /// The first seven are those that the live network's users know.
    const COLUMNS: &'static [&'static str] =
        &["Pubkey", "Code", "IP", "Min", "Max", "Avg", "Reachable", "Median", "Loss", "Interface", "Last Seen"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.device_pk.clone(),
            self.device_code.clone(),
            self.device_ip.to_string(),
            output::millis(self.min_latency_ns),
            output::millis(self.max_latency_ns),
            output::millis(self.avg_latency_ns),
            self.reachable.to_string(),
            output::millis(self.median_latency_ns),
            format!("{}%", self.loss_percentage),
            self.interface_name.clone(),
            output::or_dash(self.last_seen),
        ]
    }
}

/// Prints the newest result of each endpoint.
///
/// # Errors
/// The daemon does not answer, or nothing can be printed.
pub async fn run(
    daemon: &Daemon,
    waiting: &Waiting<'_>,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let latency = waiting.for_latencies(daemon).await?;
    match format {
        Format::Json => output::json(out, &latency),
        Format::Table => output::rows(out, format, &latency.results),
    }
    .map_err(anyhow::Error::from)?;
    Ok(())
}
