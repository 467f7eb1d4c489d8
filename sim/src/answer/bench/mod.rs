//! Benchmarks of this machine: each figure with its aim, beside a stored table.

pub mod networks;
pub mod report;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::Context;

use self::report::{Better, Figure};
use crate::{
    exit::Exit,
    run::{protocol::CaseSummary, world::Kind},
};

/// Runs of the small scenario, of which the fastest counts: the others say what else the machine did.
const RUNS: usize = 10;
/// Seconds of an idle network.
const IDLE_S: u32 = 1_000;
/// Histories that are explored.
const HISTORIES: u32 = 60;
/// Networks of a sweep.
const NETWORKS: usize = 200;
/// The size of mainnet.
const MAINNET: (usize, usize) = (86, 1_000);

/// This program, and a folder for what it leaves.
pub struct Bench<'a> {
    /// The program that is measured.
    pub dzsim: PathBuf,
    /// Where runs leave their artifacts.
    pub folder: &'a Path,
    /// Folder of scenarios that are timed all together; none if it is not there.
    pub suite: Option<PathBuf>,
    /// The worlds that are measured.
    pub worlds: Vec<Kind>,
}

impl Bench<'_> {
    /// Measures one thing after the other, and reports each figure at once.
    ///
    /// # Errors
    /// A run that did not pass.
    pub fn measure(&self, tell: &mut dyn FnMut(Figure)) -> anyhow::Result<()> {
        for world in &self.worlds {
            self.world(*world, tell)?;
        }
        if !self.worlds.contains(&Kind::Virtual) {
            return Ok(());
        }
        let (histories, out) = (HISTORIES.to_string(), self.folder.join("explored"));
        let took = self.timed(&["explore", "--histories", &histories, "--out", &out.to_string_lossy()])?;
        tell(figure("explore: histories of 20 steps", f64::from(HISTORIES) / took, "/s", 30.0, Better::Higher));
        let file = self.write("sweep", &networks::connect(10, 50))?;
        let took = self.timed(&["sweep", &file.to_string_lossy(), "--seeds", &NETWORKS.to_string()])?;
        tell(figure("sweep of 200 networks of 10 devices and 50 users", took, "s", 60.0, Better::Lower));
        Ok(())
    }

    fn world(&self, world: Kind, tell: &mut dyn FnMut(Figure)) -> anyhow::Result<()> {
        let name = |what: &str| format!("{world}: {what}");
        let small = self.write("small", networks::SMALL)?;
        let mut best = f64::MAX;
        for _ in 0..RUNS {
            best = best.min(self.run(&small, world)?.0);
        }
        let aim = if world == Kind::Virtual { 30.0 } else { 1_000.0 };
        tell(figure(&name("secondary-address, whole process"), best * 1e3, "ms", aim, Better::Lower));
        if let Some(suite) = &self.suite {
            // Some scenarios say that they can be run in the other world only.
            let options = self.options("run", suite, world, &["--record-snapshots"]);
            let took = self.timed_until(&options, &[Exit::Passed, Exit::CannotRun])?;
            let aim = if world == Kind::Virtual { 5.0 } else { 45.0 };
            tell(figure(&name("the suite"), took, "s", aim, Better::Lower));
        }
        if world == Kind::Virtual {
            let idle = self.write("idle", &networks::idle(IDLE_S))?;
            let (took, _) = self.run(&idle, world)?;
            let rate = f64::from(IDLE_S) / took;
            tell(figure("virtual: simulated seconds a second, 20 idle nodes", rate, "", 1_000.0, Better::Higher));
        }
        let (devices, clients) = MAINNET;
        let file = self.write("mainnet", &networks::connect(devices, clients))?;
        let (took, summary) = self.run(&file, world)?;
        if world == Kind::Virtual {
            tell(figure(&name("86 devices, 1,000 clients, connect and ping"), took, "s", 20.0, Better::Lower));
            let peak = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)?.max_rss();
            let gib = peak as f64 / f64::from(1 << 20);
            tell(figure(&name("its peak memory"), gib, "GiB", 2.0, Better::Lower));
            return Ok(());
        }
        let [all, one, ..] = summary.steps.as_slice() else { anyhow::bail!("a run without its steps") };
        let up: f64 = summary.phases.iter().filter(|(phase, _)| !is_later(phase)).map(|(_, millis)| millis).sum();
        let all = (up + all.millis + all.oracle_millis) / 1e3;
        tell(figure(&name("86 devices, 1,000 clients, to all tunnels up"), all, "s", 60.0, Better::Lower));
        let one = (one.millis + one.oracle_millis) / 1e3;
        tell(figure(&name("one more connect in that network, step and oracle"), one, "s", 1.5, Better::Lower));
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let file = self.folder.join(format!("{name}.yaml"));
        fs::write(&file, text).with_context(|| file.display().to_string())?;
        Ok(file)
    }

    fn artifacts(&self) -> PathBuf {
        self.folder.join("artifacts")
    }

    fn options(&self, verb: &str, file: &Path, world: Kind, more: &[&str]) -> Vec<String> {
        let (file, artifacts) = (file.to_string_lossy(), self.artifacts());
        let options = [verb, &file, "--world", &world.to_string(), "--artifacts", &artifacts.to_string_lossy()]
            .map(ToOwned::to_owned);
        options.into_iter().chain(more.iter().map(ToString::to_string)).collect()
    }

    /// Seconds that one scenario takes, the whole process, and its summary.
    fn run(&self, file: &Path, world: Kind) -> anyhow::Result<(f64, CaseSummary)> {
        let took = self.timed(&self.options("run", file, world, &["--record-snapshots", "--capture-last", "1000"]))?;
        let path = newest_summary(&self.artifacts()).context("a run without a summary")?;
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok((took, serde_json::from_str(&text).with_context(|| path.display().to_string())?))
    }

    fn timed<S: AsRef<str>>(&self, arguments: &[S]) -> anyhow::Result<f64> {
        self.timed_until(arguments, &[Exit::Passed])
    }

    fn timed_until<S: AsRef<str>>(&self, arguments: &[S], ends: &[Exit]) -> anyhow::Result<f64> {
        let start = Instant::now();
        let mut command = Command::new(&self.dzsim);
        let output = command.args(arguments.iter().map(AsRef::as_ref)).current_dir(self.folder).output();
        let output = output.with_context(|| format!("starting {}", self.dzsim.display()))?;
        let took = start.elapsed().as_secs_f64();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ended = ends.iter().any(|end| output.status.code() == Some(*end as i32));
        anyhow::ensure!(ended, "{}{}", text(&output.stdout), text(&output.stderr));
        Ok(took)
    }
}

/// What a run does after its network is up.
fn is_later(phase: &str) -> bool {
    matches!(phase, "steps" | "teardown")
}

fn figure(what: &str, value: f64, unit: &str, aim: f64, better: Better) -> Figure {
    Figure { what: what.to_owned(), value, unit: unit.to_owned(), aim, better }
}

/// The summary below a folder that was written last.
fn newest_summary(folder: &Path) -> Option<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with(crate::run::artifacts::SUMMARY) {
                found.push((entry.metadata().ok()?.modified().ok()?, path));
            }
        }
    }
    found.into_iter().max().map(|(_, path)| path)
}
