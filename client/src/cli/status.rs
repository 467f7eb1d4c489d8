//! `doublezero status`: the tunnels of this host.

use std::io::{self, Write};

use serde::Serialize;

use super::{
    deadline::Waiting,
    error::CommandError,
    output::{self, Format, Row},
};
use crate::api::{Daemon, Service, Status};

/// A tunnel with what is true of all of the daemon's.
#[derive(Debug, Serialize)]
pub(super) struct TunnelRow<'a> {
    /// None where there is no tunnel.
    #[serde(flatten)]
    service: Option<&'a Service>,
    reconciler_enabled: bool,
    network: &'a str,
}

impl<'a> TunnelRow<'a> {
    /// A tunnel of a daemon, or that it has none.
    pub(super) fn new(status: &'a Status, service: Option<&'a Service>) -> Self {
        Self { service, reconciler_enabled: status.reconciler_enabled, network: &status.network }
    }
}

impl Row for TunnelRow<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "Tunnel Status",
        "Last Session Update",
        "Tunnel Name",
        "Tunnel Src",
        "Tunnel Dst",
        "Doublezero IP",
        "User Type",
        "Reconciler",
        "Tenant",
        "Current Device",
        "Lowest Latency Device",
        "Metro",
        "Network",
        "Multicast Groups",
    ];

    fn cells(&self) -> Vec<String> {
        let service = self.service;
        let text = |field: fn(&Service) -> String| output::or_dash(service.map(field));
        vec![
            service.map_or_else(|| "disconnected".to_owned(), |it| it.doublezero_status.session_status.to_string()),
            output::or_dash(service.and_then(|it| it.doublezero_status.last_session_update)),
            text(|it| it.tunnel_name.clone()),
            text(|it| it.tunnel_src.to_string()),
            text(|it| it.tunnel_dst.to_string()),
            text(|it| it.doublezero_ip.to_string()),
            text(|it| it.user_type.clone()),
            self.reconciler_enabled.to_string(),
            output::or_dash(service.and_then(|it| it.tenant.as_ref())),
            text(|it| it.current_device.clone()),
            output::or_dash(service.and_then(|it| it.lowest_latency_device.as_ref())),
            text(|it| it.metro.clone()),
            self.network.to_owned(),
            text(groups),
        ]
    }
}

/// The roles in groups as users know them: `P:code` publishes, `S:code` subscribes.
fn groups(service: &Service) -> String {
    let groups = &service.multicast_groups;
    let published = groups.publisher.iter().map(|code| format!("P:{code}"));
    let subscribed = groups.subscriber.iter().map(|code| format!("S:{code}"));
    output::list(&published.chain(subscribed).collect::<Vec<_>>())
}

/// Prints the daemon's tunnels.
///
/// # Errors
/// The daemon does not answer, or nothing can be printed.
pub async fn run(
    daemon: &Daemon,
    waiting: &Waiting<'_>,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let status = waiting.for_status(daemon).await?;
    print(&status, format, out).map_err(anyhow::Error::from)?;
    Ok(())
}

fn print(status: &Status, format: Format, out: &mut dyn Write) -> io::Result<()> {
    if format == Format::Json {
        return output::json(out, status);
    }
    let mut rows: Vec<_> = status.services.iter().map(|service| TunnelRow::new(status, Some(service))).collect();
    if rows.is_empty() {
        rows.push(TunnelRow::new(status, None));
    }
    output::rows(out, format, &rows)?;
    status.services.iter().try_for_each(|service| match &service.error {
        Some(error) => writeln!(out, "{}: {error}", service.tunnel_name),
        None => Ok(()),
    })
}
