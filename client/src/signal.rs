//! The wish of the outside that the process ends.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

/// Returns at SIGTERM or SIGINT.
pub(crate) async fn terminate() -> anyhow::Result<()> {
    let mut term = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
    let mut int = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
    tokio::select! {
        _ = term.recv() => tracing::info!("terminated"),
        _ = int.recv() => tracing::info!("interrupted"),
    }
    Ok(())
}
