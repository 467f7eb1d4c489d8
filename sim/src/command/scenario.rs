//! `dzsim scenario`: the process of one case. In the real world it enters its lab before it starts a thread; in the
//! virtual one a single thread runs all of it, with a clock that is paused.

use std::io::Write;

use anyhow::Context;
use dz_policy::Flags;
use dzsim_fabric::{CaptureConfig, Ring};
use dzsim_scenario::{Case, plan::leave_out};
use tokio::{runtime::Builder, sync::watch};

use crate::{
    capsule::{self, Manifest},
    cli::ScenarioArgs,
    command::run::SEED,
    entropy, environment,
    exit::{Error, Exit},
    held_networks::start_of,
    run::{
        artifacts,
        case::{self, Hold, Setup},
        protocol::{CaseSummary, Outcome, Progress},
        steps::Snapshots,
        stop::{self, Stop},
        world::Kind,
    },
    scenario_files,
};

/// The lab's own place for temporary files.
const TEMPORARY: &str = "/run/dz/tmp";

/// Stack of the thread that runs a case in virtual time, in bytes: as much as a main thread has.
const STACK: usize = 8 << 20;

/// Runs the case; standard output is for `dzsim run`.
pub(super) fn run(args: &ScenarioArgs) -> Result<Exit, Error> {
    environment::fix_umask();
    let text = scenario_files::read(&args.file).with_context(|| args.file.display().to_string())?;
    let cases = scenario_files::load(std::slice::from_ref(&args.file), &args.options.change.set)?;
    let found = cases.into_iter().find(|(_, case)| case.name == args.case);
    let (_, mut case) = found.with_context(|| format!("{} has no case {}", args.file.display(), args.case))?;
    if let Some(place) = args.options.without {
        leave_out(&mut case.plan.steps, place);
    }
    Ok(run_case(args, text, case)?)
}

fn run_case(args: &ScenarioArgs, text: String, case: Case) -> anyhow::Result<Exit> {
    let options = &args.options;
    // Inside the lab the working directory is the same, but who reads the summary may have another one.
    let root = std::path::absolute(&options.artifacts)?;
    let (name, seed) = (case.name.clone(), options.seed.or(case.seed).unwrap_or(SEED));
    let artifacts = artifacts::folder(&root, &name);
    let folder = match (&options.snapshots, options.record_snapshots) {
        (_, true) => None,
        (Some(folder), false) => Some(std::path::absolute(folder)?),
        (None, false) => Some(scenario_files::snapshots(&args.file.canonicalize()?)),
    };
    let file = args.called.clone().unwrap_or_else(|| args.file.clone());
    let snapshots = Snapshots { folder, file: file.clone(), case: name, update: options.update_snapshots };
    // The processes of the lab share the claim; it ends with the last of them.
    let claim = artifacts::claim(&artifacts, options.keep)?;
    let hold = match options.world {
        Kind::Real => Some(enter(args)?),
        Kind::Virtual => None,
    };
    // SAFETY: this process has one thread.
    case.policy.connect.variables().into_iter().for_each(|(name, value)| unsafe { std::env::set_var(name, value) });
    let stops = args.stop_before.is_some() || args.one_by_one;
    let compared = snapshots.folder.clone();
    let setup = Setup {
        file,
        text: text.clone(),
        seed,
        dataplane: options.dataplane,
        capture: CaptureConfig {
            path: artifacts.join(artifacts::CAPTURE),
            snaplen: options.snaplen,
            ring: options.capture_last.map(Ring::Packets),
        },
        artifacts: artifacts.clone(),
        snapshots,
        world: options.world,
        hold,
        bug: options.bug,
        stop: args.stop_before.map(Stop::new),
        listener: args.one_by_one.then_some(one_by_one),
        // Who stops in virtual time reads from standard input; elsewhere its end is the sign to end.
        end: match stops && options.world == Kind::Virtual {
            true => watch::channel(false).1,
            false => end_of_input(),
        },
    };
    let summary = match options.world {
        Kind::Real => in_real_time(case, setup)?,
        Kind::Virtual => in_virtual_time(case, setup)?,
    };
    if let (Outcome::Failed, Some(failure)) = (summary.outcome, &summary.failure) {
        let manifest = Manifest {
            form: Manifest::FORM,
            version: summary.version.clone(),
            file: summary.file.clone(),
            case: summary.case.clone(),
            seed: summary.seed,
            world: summary.world.clone(),
            dataplane: summary.dataplane.clone(),
            changes: options.change.set.iter().map(ToString::to_string).collect(),
            without: options.without.map(|place| place.to_string()),
            step: failure.step,
            message: failure.message.lines().next().unwrap_or_default().to_owned(),
        };
        capsule::write(&artifacts, &manifest, &text, compared.as_deref())
            .context("writing the capsule of the failure")?;
    }
    let exit = match summary.outcome {
        Outcome::Passed => Exit::Passed,
        Outcome::Failed => Exit::Failed,
        Outcome::TooSlow | Outcome::CannotRun | Outcome::NotRun => Exit::CannotRun,
    };
    tell(&Progress::Finished(Box::new(summary)));
    drop(claim);
    Ok(exit)
}

fn in_real_time(case: Case, setup: Setup) -> anyhow::Result<CaseSummary> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let summary = runtime.block_on(case::run(case, setup, &mut |progress| tell(&progress)))?;
    // The lab ends with this process; waiting for every thread of the runtime would only take time.
    runtime.shutdown_background();
    Ok(summary)
}

/// Everything happens in one thread, which begins with nothing random that does not follow from the seed.
fn in_virtual_time(case: Case, setup: Setup) -> anyhow::Result<CaseSummary> {
    entropy::from_seed(setup.seed);
    let world = std::thread::Builder::new().name("world".to_owned()).stack_size(STACK).spawn(move || {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
        runtime.block_on(case::run(case, setup, &mut |progress| tell(&progress)))
    })?;
    world.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Enters the lab of the case; when and by which process its network is held.
fn enter(args: &ScenarioArgs) -> anyhow::Result<Hold> {
    let holder = nix::unistd::getppid().as_raw();
    let entered = dzsim_lab::enter()?;
    // What libraries put into temporary folders goes with the lab, too, however it ends.
    std::fs::create_dir_all(TEMPORARY)?;
    // SAFETY: this process has one thread.
    unsafe { std::env::set_var("TMPDIR", TEMPORARY) };
    Ok(Hold {
        instead: args.hold,
        on_failure: args.pause_on_failure,
        init: entered.init,
        started: start_of(1).context("reading the start of the lab's first process")?,
        holder,
    })
}

/// Becomes true when standard input ends: the parent closes it to ask for the end.
fn end_of_input() -> watch::Receiver<bool> {
    let (ask, asked) = watch::channel(false);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        ask.send_replace(true);
        // Kept, since a receiver whose sender is gone has nothing to wait for.
        std::thread::park();
    });
    asked
}

/// Reports an event and waits until it is time for the next one. After the end of input it does not wait.
fn one_by_one(line: &str) {
    tell(&Progress::Event { line: line.to_owned() });
    stop::read_line();
}

fn tell(progress: &Progress) {
    let mut out = std::io::stdout().lock();
    // A parent that has gone takes this process with it.
    let _ = serde_json::to_writer(&mut out, progress).map_err(std::io::Error::from).and_then(|()| writeln!(out));
}
