//! `snapshot`: views compared as a whole with the files under `snapshots/`.
//!
//! The files are insta's: a header between two lines of `---`, then the text, so that `cargo test` and `cargo insta`
//! review what `dzsim run` compares. Every text is also left in the artifacts.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use dzsim_scenario::plan::{Snapshot, View};
use serde_json::{Map, Value};

use super::{Context, Snapshots, StepError};
use crate::{
    run::{
        artifacts, controller,
        diff::{self, Difference},
        roles::device_account,
        view,
    },
    shell_word::quoted,
};

pub(super) async fn run(context: &Context, views: &BTreeSet<Snapshot>, name: &str) -> Result<(), StepError> {
    let snapshots = &context.snapshots;
    let case = artifacts::relative(&snapshots.case);
    let stem = case.file_name().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let mut wrong = Vec::new();
    for which in views {
        let text = render(context, *which).await?;
        let file = format!("{stem}@{name}.{which}.snap");
        let recorded = context.world.artifacts.join(artifacts::SNAPSHOTS).join(&file);
        write(&recorded, &text)?;
        if let Some(folder) = &snapshots.folder {
            let file = folder.join(&case).with_file_name(file);
            wrong.extend(compare(&file, &text, snapshots)?.map(|finding| (*which, finding)));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(refusal(wrong, snapshots)) }
}

/// All that differs, and the command that accepts it.
fn refusal(wrong: Vec<(Snapshot, Finding)>, snapshots: &Snapshots) -> StepError {
    let mut message = Vec::new();
    let mut differences = Vec::new();
    for (which, Finding { file, lines }) in wrong {
        let file = file.display();
        match lines {
            Some(lines) => {
                message.push(format!("the {which} differs from its snapshot"));
                differences.push(Difference { of: file.to_string(), lines });
            }
            None => {
                message.push(format!("there is no snapshot of the {which}"));
                differences.push(Difference { of: format!("{file} does not exist"), lines: String::new() });
            }
        }
    }
    let accept =
        format!("dzsim run {} --filter {}", quoted(&snapshots.file.to_string_lossy()), quoted(&snapshots.case));
    let command = format!("`{accept} --update-snapshots` writes what is there now");
    StepError { message: format!("{}\n{command}", message.join("; ")), differences, ..StepError::default() }
}

async fn render(context: &Context, which: Snapshot) -> Result<String, StepError> {
    let world = &context.world;
    let mut table = Map::new();
    match which {
        Snapshot::Chain => {
            let view = world.view().ok_or_else(|| StepError::new("the chain has not been read yet"))?;
            return Ok(pretty(&view::accounts::all(&view)));
        }
        Snapshot::Output => {
            let last = context.last().output.clone();
            let output = last.ok_or_else(|| StepError::new("no command has been run yet"))?;
            return Ok(format!("exit code {}\n{}{}", output.code, output.stdout, output.stderr));
        }
        Snapshot::Config => {
            let mut texts = String::new();
            for code in world.plan.devices.keys() {
                texts.push_str(&controller::config(world, &device_account(code)).await?.to_string());
            }
            return Ok(texts);
        }
        Snapshot::Status => {
            for client in world.plan.clients.keys() {
                let value = view::look(world, &View::ClientTunnels(client.clone())).await?;
                table.insert(client.as_str().to_owned(), value);
            }
        }
        Snapshot::Kernel => {
            for code in world.plan.devices.keys() {
                let value = view::look(world, &View::DeviceKernel(code.clone())).await?;
                table.insert(code.as_str().to_owned(), value);
            }
            for client in world.plan.clients.keys() {
                let value = view::look(world, &View::ClientKernel(client.clone())).await?;
                table.insert(client.as_str().to_owned(), value);
            }
        }
    }
    Ok(pretty(&Value::Object(table)))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// A snapshot that does not hold.
struct Finding {
    file: PathBuf,
    /// What differs; none if there is no such file.
    lines: Option<String>,
}

fn compare(file: &Path, text: &str, snapshots: &Snapshots) -> Result<Option<Finding>, StepError> {
    let old = match fs::read_to_string(file) {
        // Some editors and checkouts change the line ends of a text, which changes nothing of what it says.
        Ok(old) => Some(old.replace("\r\n", "\n")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(anyhow::Error::from(error).context(format!("reading {}", file.display())).into()),
    };
    let old_text = old.as_deref().map(body);
    if old_text.is_some_and(|old| old.trim_end() == text.trim_end()) {
        return Ok(None);
    }
    if snapshots.update {
        let source = format!("---\nsource: sim/tests/scenarios.rs\n---\n{text}");
        write(file, &source)?;
        return Ok(None);
    }
    Ok(Some(Finding { file: file.to_owned(), lines: old_text.map(|old| diff::lines(old, text)) }))
}

/// What follows the header.
fn body(snapshot: &str) -> &str {
    snapshot.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).map_or(snapshot, |(_, body)| body)
}

fn write(file: &Path, text: &str) -> Result<(), StepError> {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, text));
    written.map_err(|error| anyhow::Error::from(error).context(format!("writing {}", file.display())).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(stored: Option<&str>, text: &str, update: bool) -> (Option<Option<String>>, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("case@name.chain.snap");
        if let Some(stored) = stored {
            fs::write(&file, stored).unwrap();
        }
        let snapshots = Snapshots { folder: None, file: "case.yaml".into(), case: "topic/case".to_owned(), update };
        let found = compare(&file, text, &snapshots).unwrap();
        (found.map(|finding| finding.lines), fs::read_to_string(&file).ok())
    }

    #[test]
    fn line_ends_of_another_system_make_no_difference() {
        let stored = "---\r\nsource: x\r\n---\r\none\r\ntwo\r\n";
        assert_eq!(finding(Some(stored), "one\ntwo\n", false).0, None);
        assert_eq!(finding(Some(stored), "one\n2\n", false).0, Some(Some(" one\n-two\n+2\n".to_owned())));
    }

    #[test]
    fn a_missing_snapshot_is_named_as_such_with_the_command_that_makes_it() {
        assert_eq!(finding(None, "one\n", false), (Some(None), None));
        let snapshots =
            Snapshots { folder: None, file: "a b.yaml".into(), case: "topic/case".to_owned(), update: false };
        let missing = |which| (which, Finding { file: "x.snap".into(), lines: None });
        let differs = |which| (which, Finding { file: "y.snap".into(), lines: Some("-1\n+2\n".to_owned()) });
        let error =
            refusal(vec![missing(Snapshot::Chain), differs(Snapshot::Config), differs(Snapshot::Status)], &snapshots);
        assert_eq!(
            error.message,
            "there is no snapshot of the chain; the config differs from its snapshot; the status \
             differs from its snapshot\n\
             `dzsim run 'a b.yaml' --filter topic/case --update-snapshots` writes what is there now"
        );
        let of: Vec<_> = error.differences.iter().map(|difference| difference.of.as_str()).collect();
        assert_eq!(of, ["x.snap does not exist", "y.snap", "y.snap"]);
    }

    #[test]
    fn an_update_writes_what_is_there() {
        let (found, file) = finding(Some("---\nsource: x\n---\none\n"), "two\n", true);
        assert_eq!((found, file.as_deref()), (None, Some("---\nsource: sim/tests/scenarios.rs\n---\ntwo\n")));
    }
}
