//! Brings the kernel to a config: read, diff, apply, and read again until nothing is left to do.

use super::{
    diff::{Change, diff},
    kernel::{Kernel, KernelError},
};
use crate::{
    config::DeviceConfig,
    serve::api::{Report, Revision},
};

/// How often changes are made before what is left counts as failed. One round suffices; a second meets what happened
/// during the first, such as a helper that died or a change by hand.
const ROUNDS: usize = 3;

/// What came of bringing the kernel to a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// For the controller.
    pub(super) report: Report,
    /// How many changes were made.
    pub(super) changes: usize,
}

/// Brings the kernel to the config as far as it goes. An error means that it could not be read.
pub(super) async fn reconcile(
    kernel: &mut Kernel,
    config: &DeviceConfig,
    revision: Revision,
) -> Result<Outcome, KernelError> {
    let mut refused = Vec::new();
    let mut made = 0;
    for round in 0.. {
        let (desired, actual) = kernel.read(config).await?;
        let left = diff(&desired.state, &actual);
        if left.is_empty() || round == ROUNDS {
            let failures = desired.lacking.into_iter().chain(left.iter().map(|change| reason(change, &refused)));
            let report =
                Report { running: Some(revision), failures: failures.collect(), failed_links: desired.failed_links };
            return Ok(Outcome { report, changes: made });
        }
        refused = apply(kernel, &left).await;
        made += left.len() - refused.len();
    }
    unreachable!("the loop returns in its last round")
}

/// Makes the changes in order and returns those that were refused, with the reason.
async fn apply(kernel: &mut Kernel, changes: &[Change]) -> Vec<(Change, String)> {
    let mut refused = Vec::new();
    for change in changes {
        match kernel.apply(change).await {
            Ok(()) => tracing::debug!(%change, "applied"),
            Err(error) => {
                tracing::warn!(%change, %error, "not applied");
                refused.push((change.clone(), error.to_string()));
            }
        }
    }
    refused
}

fn reason(change: &Change, refused: &[(Change, String)]) -> String {
    match refused.iter().find(|(known, _)| known == change) {
        Some((_, error)) => format!("{change}: {error}"),
        None => format!("{change}: made and undone by another"),
    }
}
