//! `dzsim replay`: a failed run again, up to the step before its failure.

use std::{
    fs,
    io::{IsTerminal, Write, stderr, stdin},
    path::Path,
    str::FromStr,
};

use anyhow::Context;
use clap::ValueEnum;
use dzsim_scenario::{
    Plan,
    plan::{Action, Program, Run, Step},
};
use serde_json::Value;

use super::{exec, prepare};
use crate::{
    capsule::{self, Manifest},
    cli::{ChangeArgs, ReplayArgs, RunOptions},
    exit::{Error, Exit, answer, complain},
    held_networks::Held,
    interrupt,
    run::{
        artifacts,
        protocol::{Outcome, Progress},
        stop,
        world::Kind,
    },
    runner::{self, Children, Job, Mode},
    scenario_files,
};

/// Unpacks the capsule and runs it.
pub(super) fn run(args: &ReplayArgs) -> Result<Exit, Error> {
    let temporary = tempfile::tempdir().context("making a folder for the capsule")?;
    let folder = args.out.clone().unwrap_or_else(|| temporary.path().to_owned());
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let manifest = capsule::unpack(&args.capsule, &folder)
        .map_err(|error| Error::input(format!("{}: {error}", args.capsule.display())))?;
    let options = options(&manifest, &folder)?;
    if args.step && options.world == Kind::Real {
        return Err(Error::input("--step goes one event at a time in virtual time; this run was in the real world"));
    }
    let plan = plan(&manifest, &manifest.scenario(&folder), &options)?;
    prepare(&options)?;
    let before = args.at.and_then(|at| usize::try_from(at).ok()).or(manifest.step);
    introduce(&manifest)?;
    let job = Job {
        file: manifest.scenario(&folder),
        called: Some(manifest.file.clone()),
        case: manifest.case.clone(),
        seed: manifest.seed,
        steps: 0,
        only_in: None,
    };
    let children = Children::default();
    let ending = children.clone();
    let mut asked = false;
    interrupt::watch(move |_| {
        if std::mem::replace(&mut asked, true) {
            ending.kill();
        }
        ending.end();
    })?;
    let node = args.node.clone().or_else(|| node_of(&plan, before?));
    let mut talk = Talk { node, children: children.clone(), case: &job.case, stepping: args.step, failed: None };
    let mode = Mode::StopBefore { step: before, one_by_one: args.step };
    let summary = runner::run_one(&job, &options, mode, &children, |progress| talk.hear(&progress, &options));
    if let Some(error) = talk.failed {
        return Err(error);
    }
    let message = summary.failure.as_ref().map(|failure| failure.message.lines().next().unwrap_or_default().to_owned());
    match (summary.outcome, message) {
        (Outcome::Passed, _) => answer("it passed")?,
        (Outcome::NotRun, Some(message)) => answer(message)?,
        (Outcome::Failed, Some(message)) => {
            let step = summary.failure.as_ref().and_then(|failure| failure.step);
            let place = step.map_or_else(String::new, |step| format!(" in step {step}"));
            answer(format!("it failed{place}: {message}"))?;
        }
        (_, message) => {
            complain(format!("error: {}", message.unwrap_or_default()));
            return Ok(Exit::CannotRun);
        }
    }
    if options.world == Kind::Virtual {
        compare(&capsule::run(&folder), &artifacts::folder(&options.artifacts, &manifest.case))?;
    }
    if !stdin().is_terminal() {
        let capsule = crate::shell_word::quoted(&args.capsule.to_string_lossy());
        answer(format!("to go on from here, at a terminal: dzsim replay {capsule}{}", at(before)))?;
    }
    Ok(Exit::Passed)
}

fn at(before: Option<usize>) -> String {
    before.map_or_else(String::new, |step| format!(" --at {step}"))
}

/// The run's own options.
fn options(manifest: &Manifest, folder: &Path) -> Result<RunOptions, Error> {
    let refused = |what: &str, value: &str| Error::input(format!("capsule.json in the capsule: no {what} `{value}`"));
    let set = manifest.changes.iter().map(|change| change.parse().map_err(Error::input)).collect::<Result<_, _>>()?;
    let snapshots = capsule::snapshots(folder);
    let world = Kind::from_str(&manifest.world, false).map_err(|_| refused("world", &manifest.world))?;
    let artifacts = std::path::absolute(folder.join("replay")).context("the folder of the replay")?;
    Ok(RunOptions {
        change: ChangeArgs { set },
        dataplane: FromStr::from_str(&manifest.dataplane).map_err(|_| refused("data plane", &manifest.dataplane))?,
        seed: Some(manifest.seed),
        // A run that compared with none had none with it.
        record_snapshots: !snapshots.exists(),
        snapshots: snapshots.exists().then_some(snapshots),
        without: manifest.without.as_ref().map(|place| place.parse().map_err(Error::input)).transpose()?,
        ..RunOptions::new(world, &artifacts)
    })
}

/// The case of the capsule. A program of its author's is refused: it is not in the capsule, and whatever stands in its place would be
/// run with the rights of who replays.
fn plan(manifest: &Manifest, file: &Path, options: &RunOptions) -> Result<Plan, Error> {
    let cases = scenario_files::load(&[file.to_owned()], &options.change.set)?;
    let found = cases.into_iter().find(|(_, case)| case.name == manifest.case);
    let (_, case) = found.ok_or_else(|| Error::input(format!("the capsule has no case {}", manifest.case)))?;
    match own_program(&case.plan.steps) {
        None => Ok(case.plan),
        Some(program) => Err(Error::input(format!(
            "the scenario runs {program}, a program of its author's, which is not in the capsule: expected `doublezero` only"
        ))),
    }
}

/// The first program among these steps that is not the products'.
fn own_program(steps: &[Step]) -> Option<&str> {
    steps.iter().find_map(|step| match &step.action {
        Action::Run(Run { program: Program::Own(path), .. }) => Some(path.as_str()),
        _ => step.inner().into_iter().find_map(|steps| own_program(steps)),
    })
}

/// The node that a step names.
fn node_of(plan: &Plan, step: usize) -> Option<String> {
    let title = &plan.steps.get(step.checked_sub(1)?)?.title;
    stop::named(plan, title).map(|node| node.to_string())
}

fn introduce(manifest: &Manifest) -> Result<(), Error> {
    let Manifest { case, version, seed, world, step, message, .. } = manifest;
    let place = step.map_or_else(|| "before its first step".to_owned(), |step| format!("in step {step}"));
    answer(format!("{case}, {world} world, seed {seed}, dzsim {version}; it failed {place}: {message}"))?;
    if version != env!("CARGO_PKG_VERSION") {
        complain(format!("this is dzsim {}: what it does may differ", env!("CARGO_PKG_VERSION")));
    }
    Ok(())
}

/// What the run says, and what is said to it.
struct Talk<'a> {
    /// The node of the shell, if it is known.
    node: Option<String>,
    children: Children,
    case: &'a str,
    /// Whether each event is still waited for.
    stepping: bool,
    failed: Option<Error>,
}

impl Talk<'_> {
    fn hear(&mut self, progress: &Progress, options: &RunOptions) {
        let done = match progress {
            Progress::Step { number, title } if !self.stepping => answer(format!("{number}  {title}")),
            Progress::Event { line } => self.event(line),
            Progress::Answer { text } => answer(text),
            Progress::Asks { before, title, node } => self.ask(*before, title, node),
            Progress::Held { nodes, .. } => self.shell(nodes, options),
            _ => Ok(()),
        };
        if let Err(error) = done {
            self.failed = Some(error);
            self.children.end();
        }
    }

    /// Shows an event and waits for Enter. Without a terminal, and after `go`, nobody waits.
    fn event(&mut self, line: &str) -> Result<(), Error> {
        let shown = if self.stepping { answer(event(line)) } else { Ok(()) };
        if self.stepping && stdin().is_terminal() {
            self.prompt("Enter: next event, `go`: to the step> ");
            self.stepping = stop::read_line().is_some_and(|line| line.trim() != "go");
        }
        self.children.say(self.case, "");
        shown
    }

    fn ask(&mut self, before: usize, title: &str, node: &str) -> Result<(), Error> {
        self.stepping = false;
        if stdin().is_terminal() {
            self.prompt(&format!("before step {before}: {title}\n{node}> "));
        }
        match stop::read_line() {
            Some(line) => self.children.say(self.case, line.trim_end()),
            None => self.children.release(self.case),
        }
        Ok(())
    }

    /// Opens a shell in a node of the network that is held, and lets go of it afterwards.
    fn shell(&self, nodes: &[String], options: &RunOptions) -> Result<(), Error> {
        let ended = if stdin().is_terminal() && !nodes.is_empty() {
            Held::one(&options.artifacts, None)
                .and_then(|held| exec::inside(&held, self.node.as_ref().unwrap_or(&nodes[0]), &[]))
                .map(drop)
        } else {
            Ok(())
        };
        self.children.release(self.case);
        ended
    }

    fn prompt(&self, text: &str) {
        // Who answers has seen it, or does not need it.
        let _ = write!(stderr(), "{text}").and_then(|()| stderr().flush());
    }
}

/// An event as people read it.
fn event(line: &str) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(line) else { return line.to_owned() };
    let time = fields.remove("t_ns").and_then(|time| time.as_f64()).unwrap_or_default() / 1e9;
    let mut text =
        |name: &str| fields.remove(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let (who, what) = (text("who"), text("event"));
    let rest: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    format!("{time:>12.6} s  {who}  {what}{rest}")
}

/// Compares what happened with what had happened, up to where the replay stopped: in virtual time every byte is the same.
fn compare(before: &Path, now: &Path) -> Result<(), Error> {
    let read = |folder: &Path| -> anyhow::Result<Vec<String>> {
        let path = folder.join(artifacts::EVENTS);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(text.lines().map(str::to_owned).collect())
    };
    let (before, now) = (read(before)?, read(now)?);
    let time = |line: &String| serde_json::from_str::<Value>(line).ok()?["t_ns"].as_u64();
    // What happened in the moment of the stop is not complete.
    let stopped = now.len() < before.len();
    let end = now.last().and_then(time);
    let whole = |line: &&String| !stopped || time(line) < end;
    let now: Vec<&String> = now.iter().filter(whole).collect();
    match now.iter().zip(&before).position(|(now, before)| *now != before) {
        None => answer(format!("{} events, each the same as in the capsule", now.len())),
        Some(at) => {
            answer(format!("event {} is not as in the capsule: expected\n  {}\ngot\n  {}", at + 1, before[at], now[at]))
        }
    }
}
