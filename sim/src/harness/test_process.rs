//! A test in a process of its own: what `#[dzsim::test]` expands to calls [`run`].
//!
//! The first call starts the test binary again for this one test, with the environment of a scenario's process; in that
//! process the same call runs the body. So tests of one binary neither share a clock nor namespaces, and a test counts
//! as passed only if its body ran to its end.

use std::{
    fmt::Display,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
};

use dz_net::sandbox::run_to_end;
use nix::sys::{prctl::set_pdeathsig, signal::Signal};

use super::{Error, Network, Scenario, before_main::IN_LAB};
use crate::{environment, run::world::Kind};

/// Set in the inner process, to the name of the test.
const TEST: &str = "DZSIM_TEST";
/// Set in the inner process, to the folder of the artifacts.
const ARTIFACTS: &str = "DZSIM_TEST_ARTIFACTS";

/// What the attribute takes for a scenario.
pub trait IntoScenario {
    /// The scenario.
    ///
    /// # Errors
    /// It is not valid.
    fn into_scenario(self) -> Result<Scenario, Error>;
}

impl IntoScenario for Scenario {
    fn into_scenario(self) -> Result<Scenario, Error> {
        Ok(self)
    }
}

impl IntoScenario for Result<Scenario, Error> {
    fn into_scenario(self) -> Result<Scenario, Error> {
        self
    }
}

/// What a test returns.
pub trait Verdict {
    /// The reason of a failure.
    ///
    /// # Errors
    /// The test failed.
    fn verdict(self) -> Result<(), String>;
}

impl Verdict for () {
    fn verdict(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Display> Verdict for Result<(), E> {
    fn verdict(self) -> Result<(), String> {
        self.map_err(|error| format!("{error:#}"))
    }
}

/// Runs the test at this path, crate first, in this world.
///
/// # Panics
/// The test fails, as tests do.
pub fn run<V: Verdict>(
    path: &str,
    world: Kind,
    scenario: impl IntoScenario,
    body: impl AsyncFnOnce(Network) -> V + Send,
) {
    let name = path.split_once("::").map_or(path, |(_crate, rest)| rest);
    let scenario = scenario.into_scenario().unwrap_or_else(|error| panic!("{error}")).world(world);
    match std::env::var_os(TEST) {
        Some(inner) if inner == name => inside(name, scenario, body),
        _ => outside(name, world, &scenario),
    }
}

fn inside<V: Verdict>(name: &str, scenario: Scenario, body: impl AsyncFnOnce(Network) -> V + Send) {
    let scenario = match std::env::var_os(ARTIFACTS) {
        Some(folder) => scenario.artifacts(folder),
        None => scenario,
    };
    let verdict = scenario.run(async move |net| body(net).await.verdict());
    match verdict {
        Ok(Ok(())) => println!("{}", finished(name)),
        Ok(Err(error)) => panic!("{error}"),
        Err(error) => panic!("{error}"),
    }
}

fn outside(name: &str, world: Kind, scenario: &Scenario) {
    let folder = tempfile::Builder::new().prefix("dzsim-test-").tempdir().expect("a folder for the artifacts");
    let mut command = Command::new(std::env::current_exe().expect("the path of the test binary"));
    environment::clean(&mut command);
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1", "--include-ignored"])
        .envs(scenario.variables())
        .env(TEST, name)
        .env(ARTIFACTS, folder.path())
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null());
    if world == Kind::Real {
        dzsim_lab::bind_to_me(&mut command).env(IN_LAB, "1");
    }
    // SAFETY: the closure is one system call.
    unsafe { command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGKILL)?)) };
    let (status, output) = run_to_end(command).unwrap_or_else(|error| panic!("{name} cannot start: {error}"));
    if status.success() && output.contains(&finished(name)) {
        print!("{output}");
        return;
    }
    let artifacts = folder.keep();
    let why = if status.success() { "did not run".to_owned() } else { format!("failed ({status})") };
    panic!("{name} {why} in the {world} world:\n{output}\nartifacts: {}", artifacts.display());
}

fn finished(name: &str) -> String {
    format!("dzsim: {name} ran to its end")
}
