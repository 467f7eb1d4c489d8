//! `doublezero latency`: how far each endpoint is.

use std::{
    io::Write,
    time::{Duration, SystemTime},
};

use super::{
    daemon::Daemon,
    error::CommandError,
    output::{self, Format, Row},
};
use crate::api::EndpointLatency;

impl Row for EndpointLatency {
    const COLUMNS: &'static [&'static str] =
        &["Pubkey", "Code", "IP", "Interface", "Min", "Median", "Max", "Loss", "Reachable", "Last Seen"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.device_pk.clone(),
            self.device_code.clone(),
            self.device_ip.to_string(),
            self.interface_name.clone(),
            output::millis(self.min_latency_ns),
            output::millis(self.median_latency_ns),
            output::millis(self.max_latency_ns),
            format!("{}%", self.loss_percentage),
            self.reachable.to_string(),
            self.last_seen.map_or_else(
                || "-".to_owned(),
                |seconds| {
                    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
                },
            ),
        ]
    }
}

/// Prints the newest result of each endpoint.
pub async fn run(daemon: &Daemon, format: Format, out: &mut dyn Write) -> Result<(), CommandError> {
    let latency = daemon.latency(None).await?;
    match format {
        Format::Json => output::json(out, &latency),
        Format::Table => output::rows(out, format, &latency.results),
    }
    .map_err(anyhow::Error::from)?;
    Ok(())
}
