//! Errors of steps and of waits.

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

/// The time in whole milliseconds, as people read it: what is left of a deadline is a little less than it was.
pub fn rounded(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from((time + Duration::from_micros(500)).as_millis()).unwrap_or(u64::MAX))
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
    let mut last = StepError::new("there was no answer");
    loop {
        // What gives no answer keeps the last one from being shown no longer than anything else.
        match tokio::time::timeout_at(end, probe()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(error)) => last = error,
            Err(_) => pause = Duration::MAX,
        }
        if end.saturating_duration_since(tokio::time::Instant::now()) <= pause {
            return Err(StepError { message: format!("{} (after {:?})", last.message, rounded(deadline)), ..last });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_deadline_is_read_as_the_deadline() {
        assert_eq!(rounded(Duration::from_nanos(14_999_985_549)), Duration::from_secs(15));
        assert_eq!(rounded(Duration::from_micros(1_499)), Duration::from_millis(1));
    }
}
