//! Why a step, or the wait for a state, failed.

use std::time::Duration;

use super::diff::Difference;

/// Why a step did not hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepError {
    /// In one line.
    pub message: String,
    /// What was expected, if there is a value to compare.
    pub expected: Option<String>,
    /// What was there.
    pub actual: Option<String>,
    /// Texts that differ, line by line.
    pub differences: Vec<Difference>,
}

impl StepError {
    /// An error that is all message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }
}

impl From<anyhow::Error> for StepError {
    fn from(error: anyhow::Error) -> Self {
        Self::new(format!("{error:#}"))
    }
}

/// Asks `probe` until it holds or the deadline passes, then returns the last refusal. What it asks for has no
/// notification of its own, so it is asked again after a pause that grows from a millisecond to fifty.
///
/// # Errors
/// The probe's last error, with the deadline in its message.
pub async fn eventually<T, F>(deadline: Duration, mut probe: impl FnMut() -> F) -> Result<T, StepError>
where
    F: Future<Output = Result<T, StepError>>,
{
    let end = tokio::time::Instant::now() + deadline;
    let mut pause = Duration::from_millis(1);
    loop {
        match probe().await {
            Ok(found) => return Ok(found),
            Err(error) if tokio::time::Instant::now() + pause >= end => {
                return Err(StepError { message: format!("{} (after {deadline:?})", error.message), ..error });
            }
            Err(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
