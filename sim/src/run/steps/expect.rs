//! `expect`: views that hold what is expected, waited for up to a deadline.

use std::time::Duration;

use dzsim_scenario::plan::Expectation;
use tokio::time::Instant;

use super::{Context, StepError};
use crate::run::{
    error::eventually,
    matching,
    view::{self, References},
};

pub(super) async fn run(
    context: &Context,
    expectations: &[Expectation],
    stays: Duration,
    deadline: Duration,
) -> Result<(), StepError> {
    eventually(deadline, || check(context, expectations)).await?;
    let end = Instant::now() + stays;
    while Instant::now() < end {
        check(context, expectations)
            .await
            .map_err(|error| StepError { message: format!("it did not stay so: {}", error.message), ..error })?;
        // "It stays so" is a statement about a span of time, so time has to pass between two looks.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

async fn check(context: &Context, expectations: &[Expectation]) -> Result<(), StepError> {
    let refs = References::of_expectations(&context.world, expectations).await?;
    for Expectation { path, expected } in expectations {
        let whole = view::look(&context.world, &path.view).await?;
        if let Some(misfit) = path.view.shape().misfit(&whole) {
            return Err(StepError::new(format!("{}: the scenario language knows another view: {misfit}", path.text)));
        }
        let value = view::follow(&whole, &path.rest);
        matching::check(expected, &value, &refs).map_err(|mismatch| StepError {
            message: format!("{}: {mismatch}", path.text),
            expected: Some(matching::describe(expected, &refs)),
            actual: Some(serde_json::to_string_pretty(&value).unwrap_or_default()),
            ..StepError::default()
        })?;
    }
    Ok(())
}
