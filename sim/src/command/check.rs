//! `dzsim check` and `dzsim schema`.

use crate::{
    cli::{CheckArgs, CheckFormat},
    exit::{Error, Exit, answer},
    report::annotation,
    scenario_files::{self, FileError},
};

/// Validates the files, with what the suite asks of them, and counts the cases they hold.
pub(super) fn run(args: &CheckArgs) -> Result<Exit, Error> {
    let found = scenario_files::find(&args.files.paths).and_then(|files| {
        let cases = scenario_files::load(&files, &[])?;
        scenario_files::review(&files)?;
        Ok((files.len(), cases))
    });
    match (args.format, found) {
        (CheckFormat::Json, Ok(_)) => answer("[]")?,
        (_, Ok((files, cases))) => answer(format!("{files} files, {} cases: all valid", cases.len()))?,
        (CheckFormat::Human, Err(error)) => return Err(error.into()),
        (CheckFormat::Json, Err(error)) => {
            answer(format!("{:#}", serde_json::Value::from_iter(error.diagnostics())))?;
            return Ok(Exit::BadInput);
        }
        (CheckFormat::Github, Err(error)) => {
            let FileError::Wrong(wrong) = &error else { return Err(error.into()) };
            for found in wrong.iter().flat_map(|diagnostics| diagnostics.iter()) {
                let file = found.file.to_string_lossy();
                let help = if found.help.is_empty() { String::new() } else { format!("\nhelp: {}", found.help) };
                let text = format!("{}{help}", found.message);
                answer(annotation("error", &file, found.line, Some(found.column), "scenario", &text))?;
            }
            return Ok(Exit::BadInput);
        }
    }
    Ok(Exit::Passed)
}

/// Prints the JSON Schema.
pub(super) fn schema() -> Result<Exit, Error> {
    answer(format!("{:#}", dzsim_scenario::json_schema()))?;
    Ok(Exit::Passed)
}
