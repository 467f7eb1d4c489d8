//! `doublezero status`: the tunnels of this host.

use std::io::Write;

use super::{
    daemon::Daemon,
    error::CommandError,
    output::{self, Format, Row},
};
use crate::api::Service;

impl Row for Service {
    const COLUMNS: &'static [&'static str] = &[
        "Tunnel Status",
        "Tunnel Name",
        "Tunnel Src",
        "Tunnel Dst",
        "Doublezero IP",
        "User Type",
        "Tenant",
        "Current Device",
        "Lowest Latency Device",
        "Metro",
        "Multicast Groups",
    ];

    fn cells(&self) -> Vec<String> {
        let roles = |role: char, codes: &[String]| -> Vec<String> {
            codes.iter().map(|code| format!("{role}:{code}")).collect()
        };
        let groups = [roles('P', &self.publisher), roles('S', &self.subscriber)].concat();
        vec![
            self.session.to_string(),
            self.tunnel_name.clone(),
            self.tunnel_src.to_string(),
            self.tunnel_dst.to_string(),
            self.doublezero_ip.to_string(),
            self.user_type.clone(),
            self.tenant.clone().unwrap_or_else(|| "-".to_owned()),
            self.current_device.clone(),
            self.lowest_latency_device.clone().unwrap_or_else(|| "-".to_owned()),
            self.metro.clone(),
            output::list(&groups),
        ]
    }
}

/// Prints the daemon's tunnels.
pub async fn run(daemon: &Daemon, format: Format, out: &mut dyn Write) -> Result<(), CommandError> {
    let status = daemon.status(None).await?;
    match format {
        Format::Json => output::json(out, &status),
        Format::Table if status.services.is_empty() => writeln!(out, "disconnected"),
        Format::Table => output::rows(out, format, &status.services),
    }
    .map_err(anyhow::Error::from)?;
    Ok(())
}
