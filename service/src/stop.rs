//! Stop requests from outside.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// From the moment of this call on, SIGTERM and SIGINT complete the future instead of ending the process.
///
/// # Errors
/// The signals cannot be caught.
pub fn stop_signal() -> io::Result<impl Future<Output = ()> + Send + use<>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            biased;
            _ = terminate.recv() => tracing::info!("terminated"),
            _ = interrupt.recv() => tracing::info!("interrupted"),
        }
    })
}
