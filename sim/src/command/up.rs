//! `dzsim up`: a network that is held until it is taken down.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cli::UpArgs,
    command::cannot_run,
    exit::Exit,
    files,
    run::{
        artifacts, parent,
        protocol::{Outcome, Progress},
        world::Kind,
    },
};

/// Brings the network up and waits for Ctrl-C, SIGTERM or `dzsim down`.
pub(super) fn run(args: &UpArgs) -> anyhow::Result<Exit> {
    let cases = match files::load(std::slice::from_ref(&args.file), &args.options.change.set) {
        Ok(cases) => cases,
        Err(error) => {
            eprintln!("{error}");
            return Ok(Exit::BadInput);
        }
    };
    let names: Vec<&str> = cases.iter().map(|(_, case)| case.name.as_str()).collect();
    let case = match &args.case {
        None if names.len() == 1 => names[0],
        Some(wanted) if names.contains(&wanted.as_str()) => wanted,
        _ => {
            eprintln!("error: name one case with --case: {}", names.join(", "));
            return Ok(Exit::BadInput);
        }
    };
    if args.options.world == Kind::Virtual {
        eprintln!("error: a network in the virtual world cannot be held: it has no nodes to log in to");
        return Ok(Exit::BadInput);
    }
    if let Some(exit) = cannot_run(args.options.world) {
        return Ok(exit);
    }
    artifacts::make_room(&artifacts::folder(&args.options.artifacts, case), false)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("scenario").arg(&args.file).args(["--case", case, "--hold"]);
    parent::options(&mut command, &args.options);
    // Closing its standard input is how the scenario is asked to end in good order.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    dzsim_lab::bind_to_me(&mut command);
    // A terminal's Ctrl-C is for this process alone; it then ends the network.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().context("starting the scenario's process")?;
    let stdin = child.stdin.take();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    std::thread::spawn(move || {
        runtime.block_on(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        drop(stdin);
    });
    let mut outcome = None;
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines() {
            match serde_json::from_str(&line?) {
                Ok(Progress::Held { nodes }) => {
                    println!("{case} is up: {}", nodes.join(" "));
                    println!("`dzsim exec NODE [COMMAND]` from another shell; `dzsim down` or Ctrl-C ends it");
                }
                Ok(Progress::Finished(summary)) => outcome = Some(*summary),
                _ => {}
            }
        }
    }
    let mut errors = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut errors)?;
    }
    let status = child.wait()?;
    let summary = outcome.with_context(|| format!("the network ended with {status}\n{}", errors.trim_end()))?;
    if let Some(failure) = summary.failure {
        eprintln!("error: {}: {}", failure.title, failure.message);
    }
    Ok(if summary.outcome == Outcome::Passed { Exit::Passed } else { Exit::Failed })
}
