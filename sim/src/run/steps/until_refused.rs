//! `until_refused`: steps until one of their commands is refused, and how many were not.

use dzsim_scenario::plan::{Action, Step};
use tokio::time::Instant;

use super::{Context, StepError};
use crate::run::measure::{Measure, Unit};

/// Runs the steps in order. What fails that is no command, or a command that expected to fail, fails this step, too.
pub(super) async fn run(context: &Context, measure: &str, steps: &[Step], end: Instant) -> Result<(), StepError> {
    let mut done = 0u32;
    for step in steps {
        let is_command = matches!(step.action, Action::Run(_));
        if is_command {
            context.last().output = None;
        }
        let ended = context.sequence(std::slice::from_ref(step), end).await;
        let refusal = context.last().output.as_ref().filter(|output| is_command && output.code != 0).map(reason);
        match (ended, refusal) {
            (Err(_), Some(refusal)) => {
                context.record(measure, Measure::number(Unit::Count, f64::from(done)));
                context.record(&format!("{measure} refused by"), Measure::text(refusal));
                return Ok(());
            }
            (Err(error), None) => return Err(error),
            (Ok(()), _) => done += u32::from(is_command),
        }
    }
    Err(StepError {
        message: format!("none of {done} commands was refused"),
        expected: Some("a command that is refused".to_owned()),
        actual: Some(format!("{done} commands that succeeded")),
        ..StepError::default()
    })
}

/// The first line of what a command printed, without the word that says it is an error.
fn reason(output: &crate::run::world::backend::Output) -> String {
    let line = output.stderr.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
