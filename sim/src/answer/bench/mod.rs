//! Benchmarks of this machine: each figure with its aim, beside a stored table.

pub mod fabric;
pub mod networks;
pub mod process_tree;
pub mod report;
pub mod rows;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use dzsim_testbed::{round_trips::PINGS, throughput::ROUNDS};

use self::{
    fabric::FabricFigures,
    process_tree::{Peak, ProcessorTime, memory_bytes},
    report::{Figure, Value},
    rows::{Row, Size},
};
use crate::{
    exit::Exit,
    interrupt::Programs,
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
    /// What is under way, which ends when this process is to end.
    pub programs: Programs,
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
    memory_gib: f64,
}

impl Bench<'_> {
    /// Measures one thing after the other, and reports each figure at once. What cannot be measured has the reason as its
    /// value; false if a run that should have passed is among that.
    pub fn measure(&self, report: &mut dyn FnMut(Figure)) -> bool {
        let mut all = true;
        for world in &self.worlds {
            let mut report = |row: Row, value| report(row.figure(*world, self.size, value));
            let mut rows = Rows { report: &mut report, all: true };
            match (world, &self.lacks) {
                (Kind::Virtual, _) => self.virtual_world(&mut rows),
                (Kind::Real, None) => self.real_world(&mut rows),
                (Kind::Real, Some(lacks)) => {
                    Row::of(*world).iter().for_each(|row| (rows.report)(*row, Value::Missing(lacks.clone())));
                }
            }
            all &= rows.all;
        }
        all
    }

    fn virtual_world(&self, rows: &mut Rows<'_>) {
        self.both_worlds(Kind::Virtual, rows);
        rows.take([Row::IdleRate], || {
            let idle = self.write("idle", &networks::idle(IDLE_S))?;
            Ok([f64::from(IDLE_S) / self.run(&idle, Kind::Virtual, &mut |_, _| Ok(()))?.0])
        });
        rows.take([Row::Large, Row::LargeMemory], || {
            let large = self.write("large", &networks::large(self.size, None))?;
            let mut peak = None;
            let (took, _) = self.run(&large, Kind::Virtual, &mut |_, pid| {
                peak.get_or_insert_with(|| Peak::of(pid));
                Ok(())
            })?;
            let peak = peak.context("a run without progress")?;
            Ok([took, gib(peak.bytes()?)])
        });
        rows.take([Row::Histories], || {
            let (histories, out) = (HISTORIES.to_string(), self.folder.join("explored"));
            let took = self.timed(&["explore", "--histories", &histories, "--out", &out.to_string_lossy()])?;
            Ok([f64::from(HISTORIES) / took])
        });
        rows.take([Row::Sweep], || {
            let file = self.write("sweep", &networks::swept(SWEPT))?;
            Ok([self.timed(&["sweep", &file.to_string_lossy(), "--seeds", &NETWORKS.to_string()])?])
        });
    }

    fn real_world(&self, rows: &mut Rows<'_>) {
        rows.take([Row::RttMedian, Row::RttP99, Row::Tunnel], || {
            let FabricFigures { rtt_error_median_ms, rtt_error_p99_ms, tunnel_ratio } = self.fabric()?;
            Ok([rtt_error_median_ms, rtt_error_p99_ms, tunnel_ratio])
        });
        self.both_worlds(Kind::Real, rows);
        rows.take([Row::Large, Row::OneMore, Row::IdleShare, Row::LargeMemory], || {
            let file = self.write("large", &networks::large(self.size, Some(self.effort.idle)))?;
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
            let Idle { share, memory_gib } = idle.context("a run without its idle step")?;
            let up: f64 = summary.phases.iter().filter(|(phase, _)| !is_later(phase)).map(|(_, millis)| millis).sum();
            let to_all = (up + all.millis + all.oracle_millis) / 1e3;
            Ok([to_all, (one.millis + one.oracle_millis) / 1e3, share * 100.0, memory_gib])
        });
    }

    /// The rows that each world has first.
    fn both_worlds(&self, world: Kind, rows: &mut Rows<'_>) {
        rows.take([Row::Small], || {
            let small = self.write("small", networks::SMALL)?;
            let mut best = f64::MAX;
            for _ in 0..self.effort.runs {
                best = best.min(self.run(&small, world, &mut |_, _| Ok(()))?.0);
            }
            Ok([best * 1e3])
        });
        let of_suite = [Row::Suite, Row::SuiteMemory];
        match &self.suite {
            Ok(suite) => rows.take(of_suite, || {
                // Some scenarios say that they can be run in the other world only.
                let options = self.options(suite, world, &["--record-snapshots"]);
                let (took, peak) = self.timed_until(&options, &[Exit::Passed, Exit::CannotRun])?;
                Ok([took, gib(peak.bytes()?)])
            }),
            Err(reason) => of_suite.into_iter().for_each(|row| (rows.report)(row, Value::Missing(reason.clone()))),
        }
    }

    /// The figures of the fabric, by a process in namespaces of its own.
    fn fabric(&self) -> anyhow::Result<FabricFigures> {
        let mut command = Command::new(&self.dzsim);
        let Effort { pings, rounds, .. } = self.effort;
        command.args(["fabric-figures", "--pings", &pings.to_string(), "--rounds", &rounds.to_string()]);
        let run = self.programs.start(dzsim_lab::bind_to_me(&mut command)).context("the measuring process")?;
        let (status, text, errors) = run.output()?;
        anyhow::ensure!(status.success(), "the fabric: {errors}");
        serde_json::from_str(&text).context("the figures of the fabric")
    }

    /// Watches a run while nothing is asked of its network.
    fn watch(&self, pid: u32) -> anyhow::Result<Idle> {
        let (before, start) = (ProcessorTime::of(pid), Instant::now());
        thread::sleep(self.effort.idle);
        let (after, elapsed) = (ProcessorTime::of(pid), start.elapsed());
        let used = after.since(&before).context("this kernel counts no processor time in /proc/PID/schedstat")?;
        Ok(Idle { share: used.as_secs_f64() / elapsed.as_secs_f64(), memory_gib: gib(memory_bytes(pid)?) })
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
        let start = Instant::now();
        let mut command = Command::new(&self.dzsim);
        let run = self.programs.start(
            command
                .args(self.options(file, world, &["--record-snapshots", "--capture-last", "1000", "--format", "json"]))
                .current_dir(self.folder),
        )?;
        let (pid, mut summary, mut looked) = (run.id(), None, Ok(()));
        let (status, errors) = run.finish(|line| {
            // Lines about all cases are no progress of one.
            match serde_json::from_str(&line) {
                Ok(Progress::Finished(case)) => summary = Some(*case),
                Ok(progress) if looked.is_ok() => looked = look(&progress, pid),
                Ok(_) | Err(_) => {}
            }
            Ok(())
        })?;
        let took = start.elapsed().as_secs_f64();
        let failure = summary.as_ref().and_then(|summary| summary.failure.as_ref()?.message.lines().next());
        let said = || format!("{}{errors}", failure.unwrap_or_default());
        anyhow::ensure!(status.success(), "{world}: {}: {}", file.display(), said());
        looked?;
        Ok((took, summary.context("a run without a summary")?))
    }

    fn timed<S: AsRef<str>>(&self, arguments: &[S]) -> anyhow::Result<f64> {
        Ok(self.timed_until(arguments, &[Exit::Passed])?.0)
    }

    /// Seconds that a command takes which may end in these ways, and the memory that it had at most.
    fn timed_until<S: AsRef<str>>(&self, arguments: &[S], ends: &[Exit]) -> anyhow::Result<(f64, Peak)> {
        let start = Instant::now();
        let mut command = Command::new(&self.dzsim);
        let run = self.programs.start(command.args(arguments.iter().map(AsRef::as_ref)).current_dir(self.folder))?;
        let peak = Peak::of(run.id());
        let (status, text, errors) = run.output()?;
        let took = start.elapsed().as_secs_f64();
        let ended = ends.iter().any(|end| status.code() == Some(*end as i32));
        anyhow::ensure!(ended, "{text}{errors}");
        Ok((took, peak))
    }
}

/// Where figures go.
struct Rows<'a> {
    report: &'a mut dyn FnMut(Row, Value),
    /// Whether each run has passed.
    all: bool,
}

impl Rows<'_> {
    /// Reports the figures of rows that are measured together, or why there are none.
    fn take<const N: usize>(&mut self, rows: [Row; N], measure: impl FnOnce() -> anyhow::Result<[f64; N]>) {
        match measure() {
            Ok(values) => rows.into_iter().zip(values).for_each(|(row, value)| {
                (self.report)(row, Value::Measured(value));
            }),
            Err(error) => {
                self.all = false;
                let reason = format!("{error:#}");
                let reason = reason.lines().next().unwrap_or_default();
                rows.into_iter().for_each(|row| (self.report)(row, Value::Missing(reason.to_owned())));
            }
        }
    }
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

/// What a run does after its network is up.
fn is_later(phase: &str) -> bool {
    matches!(phase, "steps" | "teardown")
}
