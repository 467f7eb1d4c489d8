//! `run`: the real command line in a node, its exit code and what it says.

use std::{path::Path, time::Duration};

use dz_client::cli::exit::Exit;
use dzsim_scenario::plan::{Arg, ExitCode, Output as Expected, Program, Run, TextMatch};
use serde_json::Value;
use tokio::time::Instant;

use super::{Context, StepError, round_trips};
use crate::run::{
    error::rounded,
    keys::Owner,
    matching,
    view::References,
    world::backend::{Call, Output},
};

/// Deadline of a command, by its own option.
const TIMEOUT: &str = "--timeout";
/// How much sooner than at the step's deadline a command gives up.
const MARGIN: Duration = Duration::from_millis(500);

pub(super) async fn run(context: &Context, run: &Run, deadline: Duration) -> Result<(), StepError> {
    let world = &context.world;
    let refs = References::of_args(world, &run.argv).await?;
    let args = run
        .argv
        .iter()
        .skip(1)
        .map(|arg| match arg {
            Arg::Text(text) => Ok(text.clone()),
            Arg::Ref(reference) => refs.text(reference),
        })
        .collect::<Result<Vec<_>, StepError>>();
    let mut args = match args {
        // What is not there cannot be typed; of a command whose end does not matter that is an end like any other.
        Err(error) if run.exit == ExitCode::Any => {
            let fields = serde_json::json!({"why": error.message});
            return Ok(world
                .events
                .record(run.on.as_str(), "command left out", fields)
                .map_err(anyhow::Error::from)?);
        }
        args => args?,
    };
    let _turn = world.backend.turn().await;
    round_trips::wait(context, run, deadline).await?;
    // A command that gives up in time can say what it waited for, which one that is killed cannot.
    let own = matches!(run.program, Program::DoubleZero) && !args.iter().any(|arg| arg == TIMEOUT);
    if own {
        let patience = deadline.saturating_sub(MARGIN.min(deadline / 10));
        args.splice(0..0, [TIMEOUT.to_owned(), format!("{}ms", patience.as_millis().max(1))]);
    }
    let owner = match &run.identity {
        Some(identity) => Owner::from(identity),
        None => Owner::at(&run.on, &world.plan)?,
    };
    let program = match &run.program {
        Program::DoubleZero => None,
        Program::Own(path) => Some(context.snapshots.file.parent().unwrap_or(Path::new("")).join(path)),
    };
    let call = Call { node: &run.on, owner, program: program.as_deref(), args: &args };
    let began = Instant::now();
    let output = world.backend.command(call, deadline).await?;
    let took = rounded(began.elapsed());
    world
        .events
        .record(
            run.on.as_str(),
            "command",
            serde_json::json!({"args": args, "exit": output.code, "stdout": output.stdout, "stderr": output.stderr}),
        )
        .map_err(anyhow::Error::from)?;
    let late = own && output.code == Exit::TimedOut as i32 && run.exit != ExitCode::Code(Exit::TimedOut as u8);
    let checked = if late {
        Err(StepError {
            message: format!("the command gave up after {took:?}"),
            actual: Some(said(&output)),
            ..StepError::default()
        })
    } else {
        check(run, &output, &refs)
    };
    context.last().output = Some(output);
    checked
}

fn check(run: &Run, output: &Output, refs: &References) -> Result<(), StepError> {
    let holds = match run.exit {
        ExitCode::Code(code) => output.code == i32::from(code),
        ExitCode::Failure => output.code != 0,
        ExitCode::Any => true,
    };
    if !holds {
        let wanted = match run.exit {
            ExitCode::Code(code) => format!("exit code {code}"),
            ExitCode::Failure => "any exit code but 0".to_owned(),
            ExitCode::Any => "any exit code".to_owned(),
        };
        return Err(StepError {
            message: format!("the command ended with exit code {}", output.code),
            expected: Some(wanted),
            actual: Some(said(output)),
            ..StepError::default()
        });
    }
    text("standard output", &run.stdout, &output.stdout, output)?;
    text("standard error", &run.stderr, &output.stderr, output)?;
    if let Expected::Json(expected) = &run.json {
        let value: Value = serde_json::from_str(&output.stdout).map_err(|error| StepError {
            message: format!("standard output is not JSON: {error}"),
            expected: None,
            actual: Some(said(output)),
            ..StepError::default()
        })?;
        matching::check(expected, &value, refs).map_err(|mismatch| StepError {
            message: mismatch.to_string(),
            expected: Some(matching::describe(expected, refs)),
            actual: Some(said(output)),
            ..StepError::default()
        })?;
    }
    Ok(())
}

fn text(which: &str, wanted: &TextMatch, text: &str, output: &Output) -> Result<(), StepError> {
    let lacking = wanted.contains.iter().find(|part| !text.contains(*part)).map(|part| format!("to contain {part:?}"));
    let surplus = wanted.lacks.iter().find(|part| text.contains(*part)).map(|part| format!("not to contain {part:?}"));
    let unmatched = wanted
        .matches
        .iter()
        .find(|pattern| !pattern.is_match(text))
        .map(|pattern| format!("to match /{}/", pattern.as_str()));
    match lacking.or(surplus).or(unmatched) {
        None => Ok(()),
        Some(expected) => Err(StepError {
            message: format!("{which} is not as expected"),
            expected: Some(format!("{which} {expected}")),
            actual: Some(said(output)),
            ..StepError::default()
        }),
    }
}

fn said(output: &Output) -> String {
    let mut said = format!("exit code {}", output.code);
    for (name, text) in [("standard output", &output.stdout), ("standard error", &output.stderr)] {
        if !text.trim().is_empty() {
            said.push_str(&format!("\n{name}:\n{}", text.trim_end()));
        }
    }
    said
}
