//! Benchmarks of this machine: each figure with its aim, beside a stored table.

pub mod fabric;
pub mod networks;
pub mod process_tree;
pub mod report;
pub mod rows;

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use dzsim_testbed::{round_trips::PINGS, throughput::ROUNDS};

use self::{
    fabric::FabricFigures,
    process_tree::{ProcessorTime, memory_bytes},
    report::{Figure, Value},
    rows::{Row, Size},
};
use crate::{
    exit::Exit,
    run::{
        protocol::{CaseSummary, Progress},
        world::Kind,
    },
};

/// Seconds of an idle network in virtual time.
const IDLE_S: u32 = 1_000;
/// Histories that are explored.
const HISTORIES: u32 = 60;
/// Networks of a sweep, and the size of each.
const NETWORKS: usize = 200;
const SWEPT: Size = Size { devices: 10, clients: 50 };

/// This program, and a folder for what it leaves.
pub struct Bench<'a> {
    /// The program that is measured.
    pub dzsim: PathBuf,
    /// Where runs leave their artifacts.
    pub folder: &'a Path,
    /// Folder of scenarios that are timed all together, or why there is none.
    pub suite: Result<PathBuf, String>,
    /// The worlds that are measured.
    pub worlds: Vec<Kind>,
    /// What this machine lacks for the real world.
    pub lacks: Option<String>,
    /// The size of the large network.
    pub size: Size,
    /// Time that is spent on each figure.
    pub effort: Effort,
}

/// Time that is spent on each figure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Runs of the small scenario, of which the fastest counts: the others say what else the machine did.
    pub runs: usize,
    /// Stretch in real time over which the large network is watched while nothing is asked of it.
    pub idle: Duration,
    /// Round trips.
    pub pings: usize,
    /// Connections for each throughput.
    pub rounds: usize,
}

impl Default for Effort {
    fn default() -> Self {
        Self { runs: 10, idle: Duration::from_secs(20), pings: PINGS, rounds: ROUNDS }
    }
}

/// What an idle network used.
struct Idle {
    /// Share of one core.
    share: f64,
    /// In GiB.
    memory: Value,
}

impl Bench<'_> {
    /// Measures one thing after the other, and reports each figure at once.
    ///
    /// # Errors
    /// A run that did not pass.
    pub fn measure(&self, report: &mut dyn FnMut(Figure)) -> anyhow::Result<()> {
        for world in &self.worlds {
            let mut report = |row: Row, value| report(row.figure(*world, self.size, value));
            match (world, &self.lacks) {
                (Kind::Virtual, _) => self.virtual_world(&mut report)?,
                (Kind::Real, None) => self.real_world(&mut report)?,
                (Kind::Real, Some(lacks)) => {
                    Row::of(*world).iter().for_each(|row| report(*row, Value::Missing(lacks.clone())));
                }
            }
        }
        Ok(())
    }

    fn virtual_world(&self, report: &mut dyn FnMut(Row, Value)) -> anyhow::Result<()> {
        self.both_worlds(Kind::Virtual, report)?;
        let mut measured = |row, value| report(row, Value::Measured(value));
        let idle = self.write("idle", &networks::idle(IDLE_S))?;
        let (took, _) = self.run(&idle, Kind::Virtual, &mut |_, _| Ok(()))?;
        measured(Row::IdleRate, f64::from(IDLE_S) / took);
        let large = self.write("large", &networks::connect(self.size, None))?;
        let (took, _) = self.run(&large, Kind::Virtual, &mut |_, _| Ok(()))?;
        measured(Row::Large, took);
        let peak = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)?.max_rss();
        measured(Row::LargeMemory, peak as f64 / f64::from(1 << 20));
        let (histories, out) = (HISTORIES.to_string(), self.folder.join("explored"));
        let took = self.timed(&["explore", "--histories", &histories, "--out", &out.to_string_lossy()])?;
        measured(Row::Histories, f64::from(HISTORIES) / took);
        let file = self.write("sweep", &networks::connect(SWEPT, None))?;
        let took = self.timed(&["sweep", &file.to_string_lossy(), "--seeds", &NETWORKS.to_string()])?;
        measured(Row::Sweep, took);
        Ok(())
    }

    fn real_world(&self, report: &mut dyn FnMut(Row, Value)) -> anyhow::Result<()> {
        let fabric = self.fabric()?;
        report(Row::RttMedian, Value::Measured(fabric.rtt_error_median_ms));
        report(Row::RttP99, Value::Measured(fabric.rtt_error_p99_ms));
        report(Row::Tunnel, Value::Measured(fabric.tunnel_ratio));
        self.both_worlds(Kind::Real, report)?;
        let file = self.write("large", &networks::connect(self.size, Some(self.effort.idle)))?;
        let mut idle = None;
        let (_, summary) = self.run(&file, Kind::Real, &mut |progress, pid| {
            if matches!(progress, Progress::Step { number: networks::IDLE_STEP, .. }) {
                idle = Some(self.watch(pid)?);
            }
            Ok(())
        })?;
        let [all, one, waited, ..] = summary.steps.as_slice() else { anyhow::bail!("a run without its steps") };
        let stretch = self.effort.idle.as_secs_f64() * 1e3;
        anyhow::ensure!(waited.millis > stretch, "the network was idle for {} ms, not {stretch}", waited.millis);
        let idle = idle.context("a run without its idle step")?;
        let up: f64 = summary.phases.iter().filter(|(phase, _)| !is_later(phase)).map(|(_, millis)| millis).sum();
        let mut measured = |row, value| report(row, Value::Measured(value));
        measured(Row::Large, (up + all.millis + all.oracle_millis) / 1e3);
        measured(Row::OneMore, (one.millis + one.oracle_millis) / 1e3);
        measured(Row::IdleShare, idle.share * 100.0);
        report(Row::LargeMemory, idle.memory);
        Ok(())
    }

    /// The rows that each world has first.
    fn both_worlds(&self, world: Kind, report: &mut dyn FnMut(Row, Value)) -> anyhow::Result<()> {
        let small = self.write("small", networks::SMALL)?;
        let mut best = f64::MAX;
        for _ in 0..self.effort.runs {
            best = best.min(self.run(&small, world, &mut |_, _| Ok(()))?.0);
        }
        report(Row::Small, Value::Measured(best * 1e3));
        let suite = match &self.suite {
            Ok(suite) => suite,
            Err(reason) => {
                report(Row::Suite, Value::Missing(reason.clone()));
                return Ok(());
            }
        };
        // Some scenarios say that they can be run in the other world only.
        let options = self.options(suite, world, &["--record-snapshots"]);
        report(Row::Suite, Value::Measured(self.timed_until(&options, &[Exit::Passed, Exit::CannotRun])?));
        Ok(())
    }

    /// The figures of the fabric, by a process in namespaces of its own.
    fn fabric(&self) -> anyhow::Result<FabricFigures> {
        let mut command = Command::new(&self.dzsim);
        let Effort { pings, rounds, .. } = self.effort;
        command.args(["fabric-figures", "--pings", &pings.to_string(), "--rounds", &rounds.to_string()]);
        let output = dzsim_lab::bind_to_me(&mut command).output().context("starting the measuring process")?;
        anyhow::ensure!(output.status.success(), "the fabric: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).context("the figures of the fabric")
    }

    /// Watches a run while nothing is asked of its network.
    fn watch(&self, pid: u32) -> anyhow::Result<Idle> {
        let (before, start) = (ProcessorTime::of(pid), Instant::now());
        thread::sleep(self.effort.idle);
        let (after, elapsed) = (ProcessorTime::of(pid), start.elapsed());
        let used = after.since(&before).context("this kernel counts no processor time in /proc/PID/schedstat")?;
        let memory = match memory_bytes(pid) {
            Ok(bytes) => Value::Measured(bytes as f64 / f64::from(1 << 30)),
            Err(error) => Value::Missing(error.to_string()),
        };
        Ok(Idle { share: used.as_secs_f64() / elapsed.as_secs_f64(), memory })
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let file = self.folder.join(format!("{name}.yaml"));
        fs::write(&file, text).with_context(|| file.display().to_string())?;
        Ok(file)
    }

    /// The arguments of a run.
    fn options(&self, file: &Path, world: Kind, more: &[&str]) -> Vec<String> {
        let (file, artifacts) = (file.to_string_lossy(), self.folder.join("artifacts"));
        let options = ["run", &file, "--world", &world.to_string(), "--artifacts", &artifacts.to_string_lossy()]
            .map(ToOwned::to_owned);
        options.into_iter().chain(more.iter().map(ToString::to_string)).collect()
    }

    /// Seconds that one scenario takes, the whole process, and its summary. Calls `look` at each progress, with the pid of
    /// the run.
    fn run(
        &self,
        file: &Path,
        world: Kind,
        look: &mut dyn FnMut(&Progress, u32) -> anyhow::Result<()>,
    ) -> anyhow::Result<(f64, CaseSummary)> {
        let complaints = self.folder.join("stderr");
        let start = Instant::now();
        let mut run = Command::new(&self.dzsim)
            .args(self.options(file, world, &["--record-snapshots", "--capture-last", "1000", "--format", "json"]))
            .current_dir(self.folder)
            .stdout(Stdio::piped())
            .stderr(File::create(&complaints)?)
            .spawn()
            .with_context(|| format!("starting {}", self.dzsim.display()))?;
        let (mut summary, mut looked) = (None, Ok(()));
        for line in run.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
            // Lines about all cases are no progress of one.
            match serde_json::from_str(&line?) {
                Ok(Progress::Finished(case)) => summary = Some(*case),
                Ok(progress) if looked.is_ok() => looked = look(&progress, run.id()),
                Ok(_) | Err(_) => {}
            }
        }
        let (status, took) = (run.wait()?, start.elapsed().as_secs_f64());
        let failure = summary.as_ref().and_then(|summary| summary.failure.as_ref()?.message.lines().next());
        let said = || format!("{}{}", failure.unwrap_or_default(), fs::read_to_string(&complaints).unwrap_or_default());
        anyhow::ensure!(status.success(), "{world}: {}: {}", file.display(), said());
        looked?;
        Ok((took, summary.context("a run without a summary")?))
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
