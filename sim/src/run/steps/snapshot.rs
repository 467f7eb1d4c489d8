//! `snapshot`: views compared as a whole with the files under `snapshots/`.
//!
//! The files are insta's: a header between two lines of `---`, then the text, so that `cargo test` and `cargo insta`
//! review what `dzsim run` compares. Every text is also left in the artifacts.

use std::{collections::BTreeSet, fs, io, path::Path};

use dzsim_scenario::plan::{Snapshot, View};
use serde_json::{Map, Value};

use super::{Context, Snapshots, StepError};
use crate::run::{artifacts, controller, diff, roles::device_account, view};

pub(super) async fn run(context: &Context, views: &BTreeSet<Snapshot>, name: &str) -> Result<(), StepError> {
    let snapshots = &context.snapshots;
    let case = Path::new(&snapshots.case);
    let stem = case.file_name().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    for which in views {
        let text = render(context, *which).await?;
        let file = format!("{stem}@{name}.{which}.snap");
        let recorded = context.world.artifacts.join(artifacts::SNAPSHOTS).join(&file);
        write(&recorded, &text)?;
        if let Some(folder) = &snapshots.folder {
            let file = folder.join(case).with_file_name(file);
            compare(&file, &text, snapshots)?;
        }
    }
    Ok(())
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

fn compare(file: &Path, text: &str, snapshots: &Snapshots) -> Result<(), StepError> {
    let old = match fs::read_to_string(file) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(anyhow::Error::from(error).context(format!("reading {}", file.display())).into()),
    };
    let old_text = old.as_deref().map(body);
    if old_text.is_some_and(|old| old.trim_end() == text.trim_end()) {
        return Ok(());
    }
    if snapshots.update {
        let source = format!("---\nsource: sim/tests/suite/scenarios.rs\n---\n{text}");
        return write(file, &source);
    }
    Err(StepError::new(match old_text {
        Some(old) => {
            format!("{} differs; `--update-snapshots` accepts the new text\n{}", file.display(), diff::lines(old, text))
        }
        None => format!("{} does not exist; `--update-snapshots` writes it", file.display()),
    }))
}

/// What follows the header.
fn body(snapshot: &str) -> &str {
    snapshot.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).map_or(snapshot, |(_, body)| body)
}

fn write(file: &Path, text: &str) -> Result<(), StepError> {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, text));
    written.map_err(|error| anyhow::Error::from(error).context(format!("writing {}", file.display())).into())
}
