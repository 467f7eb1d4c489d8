//! Ctrl-C and SIGTERM.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;

/// Calls `each` for every SIGINT and SIGTERM from now on, from a thread of its own, with the exit code it asks for.
///
/// # Errors
/// The handlers cannot be installed.
pub fn watch(mut each: impl FnMut(Exit) + Send + 'static) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("watching for SIGTERM")?;
    drop(guard);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async move {
            loop {
                each(tokio::select! {
                    biased;
                    _ = interrupt.recv() => Exit::Interrupted,
                    _ = terminate.recv() => Exit::Terminated,
                });
            }
        });
    })?;
    Ok(())
}
