//! `doublezero routes`: what is reached through the tunnels of this host.

use std::io::Write;

use super::{
    deadline::Waiting,
    error::CommandError,
    output::{self, Format, Row},
};
use crate::api::{Daemon, Route};

impl Row for Route {
    const COLUMNS: &'static [&'static str] = &["Tunnel Name", "Network", "Local IP", "Peer IP", "Kernel State"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.tunnel_name.clone(),
            self.network.to_string(),
            self.local_ip.to_string(),
            self.peer_ip.to_string(),
            self.kernel_state.to_string(),
        ]
    }
}

/// Prints the routes through the tunnels of this host.
///
/// # Errors
/// The daemon does not answer, or the output cannot be written.
pub async fn run(
    daemon: &Daemon,
    waiting: &Waiting<'_>,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let routes = waiting.for_routes(daemon).await?;
    Ok(output::rows(out, format, &routes).map_err(anyhow::Error::from)?)
}
