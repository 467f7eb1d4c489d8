//! The command line of `dzsim`.

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use dz_net::gre::Dataplane;
use dzsim_scenario::{Change, plan::StepPlace};
use strum::VariantNames;

use crate::run::world::{Kind, bug::Bug};

use crate::answer::{explore::draw::Weights, graph, shard::Shard, table::Form};

/// The DoubleZero stack on one machine: in namespaces with real packets, or on modelled hosts in virtual time.
///
/// Exit codes: 0 all passed, 1 a scenario failed, 2 bad input, 3 this machine cannot run it, 130 and 143 interrupted.
#[derive(Debug, Parser)]
#[command(name = "dzsim", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios, side by side.
    Run(RunArgs),
    /// Validate scenarios without running them.
    Check(CheckArgs),
    /// Print the JSON Schema of a scenario file.
    Schema,
    /// Bring a scenario's network up and hold it until `down` or Ctrl-C; its steps are not run.
    Up(UpArgs),
    /// Run a command, or a shell, in a node of a network that is held.
    Exec(ExecArgs),
    /// Show the networks that are held.
    Status(HeldArgs),
    /// Take a network that is held down.
    Down(DownArgs),
    /// Run the chain alone and serve its RPC.
    Ledger(LedgerArgs),
    /// Show what this machine can do, and how to fix what it cannot.
    Doctor(DoctorArgs),
    /// Draw the network of a scenario.
    Graph(GraphArgs),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Run each scenario without each of its steps that act: one that still passes has a step that proves nothing.
    Evidence(EvidenceArgs),
    /// Write man pages of dzsim and of the products' programs.
    Man(ManArgs),
    /// Run a matrix and print one table: cases by what they measured.
    Sweep(SweepArgs),
    /// Run two policies, files or builds and print what differs, as Markdown.
    Compare(CompareArgs),
    /// Run random histories over a network, with the oracle after each step; a failure is shrunk to a scenario file.
    Explore(ExploreArgs),
    /// Run a failed run again from its capsule, to the step before the failure, and look around there.
    Replay(ReplayArgs),
    /// Measure how fast this is here, beside the aims and beside a stored table.
    Bench(BenchArgs),
    /// Check, run or start an RFC whose claims name what proves them.
    Rfc(RfcArgs),
    /// Run one role of the stack; the simulator starts its nodes' processes so.
    #[command(hide = true)]
    Node(NodeArgs),
    /// The helper that holds a node's userspace tunnels; agents and daemons start it by this word.
    #[command(hide = true)]
    GreHelper,
    /// Removes a folder when the process that started this one has ended; `ledger` starts it.
    #[command(hide = true)]
    CleanUp {
        /// The folder.
        folder: PathBuf,
    },
    /// Measures the fabric in namespaces of its own; `bench` starts it.
    #[command(hide = true)]
    FabricFigures(FabricFiguresArgs),
    /// The process of one scenario; `run` starts it.
    #[command(hide = true)]
    Scenario(ScenarioArgs),
}

/// Files and folders.
#[derive(Args, Clone, Debug)]
pub struct FilesArgs {
    /// Scenario files, or folders of them.
    #[arg(required = true, value_name = "FILE|DIR")]
    pub paths: Vec<PathBuf>,
}

/// Changes to what the files say.
#[derive(Args, Clone, Debug, Default)]
pub struct ChangeArgs {
    /// Put a value in the place of the file's, such as `policy.endpoints_per_device=3`; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Change>,
}

impl ChangeArgs {
    /// The same as options for another run of this program.
    pub fn as_options(&self) -> Vec<String> {
        self.set.iter().flat_map(|change| ["--set".to_owned(), change.to_string()]).collect()
    }
}

/// Arguments of `graph`.
#[derive(Args, Clone, Debug)]
pub struct GraphArgs {
    /// The scenario.
    pub file: PathBuf,
    /// Its case. Default: the first.
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = graph::Form::Mermaid)]
    pub format: graph::Form,
}

/// Arguments of `bench`.
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// The worlds that are measured, one after the other.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Kind::Virtual, Kind::Real])]
    pub world: Vec<Kind>,
    /// Folder of the scenarios that are timed all together.
    #[arg(long, value_name = "DIR", default_value = "scenarios")]
    pub suite: PathBuf,
    /// Compare with a table that --store has written, as ratios.
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Write the table for later.
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,
    /// Devices of the large network. The aims are for the default.
    #[arg(long, value_name = "NUMBER", default_value = "86")]
    pub devices: NonZeroUsize,
    /// Clients of the large network. The aims are for the default.
    #[arg(long, value_name = "NUMBER", default_value = "1000")]
    pub clients: NonZeroUsize,
}

/// Arguments of `fabric-figures`.
#[derive(Args, Clone, Debug)]
pub struct FabricFiguresArgs {
    /// Round trips that are measured.
    #[arg(long)]
    pub pings: NonZeroUsize,
    /// Connections for each throughput.
    #[arg(long)]
    pub rounds: NonZeroUsize,
}

/// Arguments of `completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Args, Clone, Debug)]
pub struct ManArgs {
    /// The folder that gets the pages.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// Arguments of `check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// What to validate.
    #[command(flatten)]
    pub files: FilesArgs,
    /// Output format.
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    pub format: CheckFormat,
}

/// Output formats of `check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// The line of the file and what is wrong with it.
    Human,
    /// One JSON array of everything that is wrong.
    Json,
    /// Annotations of GitHub Actions.
    Github,
}

/// How a scenario is run.
#[derive(Args, Clone, Debug)]
pub struct RunOptions {
    /// Changes to the file.
    #[command(flatten)]
    pub change: ChangeArgs,
    /// The world it runs in: namespaces and kernels in real time, or one process in virtual time, which needs nothing
    /// of this machine.
    #[arg(long, value_enum, default_value_t)]
    pub world: Kind,
    /// Data plane: where tunnels are created.
    #[arg(long, value_parser = dataplane(), default_value_t)]
    pub dataplane: Dataplane,
    /// Seed of all randomness; the scenario's own, or 1, if not given.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Folder that gets a folder for each case.
    #[arg(long, value_name = "DIR", default_value = "artifacts")]
    pub artifacts: PathBuf,
    /// Bytes kept of each captured packet; all of it if not given.
    #[arg(long, value_name = "BYTES")]
    pub snaplen: Option<u32>,
    /// Keep only the last PACKETS packets of the capture, for long runs. Default: all.
    #[arg(long, value_name = "PACKETS")]
    pub capture_last: Option<usize>,
    /// Folder of the snapshots that `snapshot` steps compare with; `snapshots/scenarios` beside the folder `scenarios`
    /// that the file is in, or `snapshots` beside the file, if not given.
    #[arg(long, value_name = "DIR")]
    pub snapshots: Option<PathBuf>,
    /// Leave the texts of snapshots in the artifacts and compare them with nothing.
    #[arg(long, conflicts_with = "update_snapshots")]
    pub record_snapshots: bool,
    /// Write snapshots that differ or are missing, instead of failing.
    #[arg(long)]
    pub update_snapshots: bool,
    /// Put a bug in on purpose, each in its world: what finds faults is tested by it.
    #[arg(long, value_enum, hide = true)]
    pub bug: Option<Bug>,
    /// Keep the artifacts of earlier runs of the same case: their folder gets a number.
    #[arg(long)]
    pub keep: bool,
    /// Leave out the step that begins here in the file, to see what fails without it.
    #[arg(long, value_name = "LINE:COLUMN")]
    pub without: Option<StepPlace>,
}

impl RunOptions {
    /// Nothing but a world and a folder for what runs leave.
    pub fn new(world: Kind, artifacts: &Path) -> Self {
        Self {
            change: ChangeArgs::default(),
            world,
            dataplane: Dataplane::default(),
            seed: None,
            artifacts: artifacts.to_owned(),
            snaplen: None,
            capture_last: None,
            snapshots: None,
            record_snapshots: false,
            update_snapshots: false,
            bug: None,
            keep: false,
            without: None,
        }
    }
}

/// Arguments of `run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// What to run.
    #[command(flatten)]
    pub files: FilesArgs,
    /// How to run it.
    #[command(flatten)]
    pub options: RunOptions,
    /// Run only cases whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Run only this share of the cases, such as 2/8.
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,
    /// Scenarios at a time. Default: three for each processor.
    #[arg(long, short = 'j', value_name = "NUMBER")]
    pub jobs: Option<usize>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Write a JUnit document to this file, whatever the format of the output.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the timeline of all cases to this file, in Chrome's trace format, which Perfetto shows.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Write a page to this file: the network, a timeline, packets and pools of each case, and what failed.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Hold the network of a case that failed until Enter is pressed.
    #[arg(long)]
    pub pause_on_failure: bool,
}

/// Output formats of `run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Live lines for people.
    Human,
    /// One JSON object a line.
    Json,
    /// One JUnit document.
    Junit,
}

/// Arguments of `up`.
#[derive(Args, Clone, Debug)]
pub struct UpArgs {
    /// The scenario.
    pub file: PathBuf,
    /// Its case, if it has several.
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
    /// How to run it.
    #[command(flatten)]
    pub options: RunOptions,
}

/// Arguments of `replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// The capsule that a failed run left: capsule.tar.zst.
    pub capsule: PathBuf,
    /// Stop before this step. Default: the one that failed.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub at: Option<u64>,
    /// Stop after every event until then; virtual time only.
    #[arg(long)]
    pub step: bool,
    /// The node of the shell. Default: the one that the step names.
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    /// Folder that gets the unpacked capsule and what the replay leaves. Default: one that goes with the replay.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Where networks that are held are looked for.
#[derive(Args, Clone, Debug)]
pub struct HeldArgs {
    /// The folder of artifacts they were started with.
    #[arg(long, value_name = "DIR", default_value = "artifacts")]
    pub artifacts: PathBuf,
}

/// Arguments of `exec`.
#[derive(Args, Clone, Debug)]
pub struct ExecArgs {
    /// Where to look.
    #[command(flatten)]
    pub held: HeldArgs,
    /// The network's case, if several are held.
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
    /// The node: a device, a client, or `operator`.
    pub node: String,
    /// The command; a shell if there is none. `doublezero` is the command line of that node's user.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<std::ffi::OsString>,
}

/// Arguments of `down`.
#[derive(Args, Clone, Debug)]
pub struct DownArgs {
    /// Where to look.
    #[command(flatten)]
    pub held: HeldArgs,
    /// The network's case. Default: all networks.
    pub case: Option<String>,
}

/// Arguments of `ledger`.
#[derive(Args, Clone, Debug)]
pub struct LedgerArgs {
    /// Address of the RPC server; the WebSocket is on the next port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8899")]
    pub rpc: SocketAddr,
    /// A scenario whose network is put on the chain first.
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Seed of the keys.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// A web page that is answered, by its origin (http://localhost:3000), or `*` for all; may be given again. Without
    /// it none is: any page that is opened on this machine could use the ledger.
    #[arg(long, value_name = "ORIGIN")]
    pub cors: Vec<String>,
}

/// Arguments of `doctor`.
#[derive(Args, Clone, Debug)]
pub struct DoctorArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `node`.
#[derive(Args, Clone, Debug)]
pub struct NodeArgs {
    /// The role and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub role: Vec<String>,
}

/// Arguments of `scenario`.
#[derive(Args, Clone, Debug)]
pub struct ScenarioArgs {
    /// The file.
    pub file: PathBuf,
    /// The case in it.
    #[arg(long)]
    pub case: String,
    /// How to run it.
    #[command(flatten)]
    pub options: RunOptions,
    /// Hold the network instead of running the steps.
    #[arg(long)]
    pub hold: bool,
    /// Stop before this step.
    #[arg(long, value_name = "NUMBER")]
    pub stop_before: Option<usize>,
    /// Tell each event and wait for a line on standard input.
    #[arg(long)]
    pub one_by_one: bool,
    /// Name of the file in reports.
    #[arg(long, value_name = "FILE")]
    pub called: Option<PathBuf>,
    /// Hold the network of a case that failed until Enter is pressed.
    #[arg(long)]
    pub pause_on_failure: bool,
}

/// Arguments of `evidence`.
#[derive(Args, Clone, Debug)]
pub struct EvidenceArgs {
    /// Scenario files, or folders of them.
    #[command(flatten)]
    pub files: FilesArgs,
    /// Steps that may be left out, one a line as this command prints them, each with its reason behind it. A line that
    /// is not needed fails, too.
    #[arg(long, value_name = "FILE")]
    pub allow: Option<PathBuf>,
    /// The world that they run in.
    #[arg(long, value_enum, default_value_t = Kind::Virtual)]
    pub world: Kind,
    /// Runs at a time; the number of processors if not given.
    #[arg(long, short = 'j', value_name = "NUMBER")]
    pub jobs: Option<usize>,
}

/// Arguments of `sweep`.
#[derive(Args, Clone, Debug)]
pub struct SweepArgs {
    /// Scenario files or folders; with --merge, tables that --format json printed.
    #[arg(required = true, value_name = "FILE|DIR")]
    pub paths: Vec<PathBuf>,
    /// Changes to the files.
    #[command(flatten)]
    pub change: ChangeArgs,
    /// The world that cases run in.
    #[arg(long, value_enum, default_value_t = Kind::Virtual)]
    pub world: Kind,
    /// Run each case with the seeds 1 to this; numbers are then shown as median and 99th percentile.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Form::Table)]
    pub format: Form,
    /// Write a picture: a line over one variable, a heat map over two.
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Write a page with the table, its pictures and the cases that failed.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// The measure that --plot draws. Default: the first that is a number in every row.
    #[arg(long, value_name = "NAME")]
    pub measure: Option<String>,
    /// Run only this share of the cases, such as 2/8.
    #[arg(long, value_name = "K/N", conflicts_with = "merge")]
    pub shard: Option<Shard>,
    /// Make one table of the parts that shards printed.
    #[arg(long)]
    pub merge: bool,
}

/// Arguments of `compare`.
#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// A scenario.
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// Another one. Default: the same, with the changes or the build that are named.
    #[arg(value_name = "B")]
    pub b: Option<PathBuf>,
    /// Changes to the second side.
    #[command(flatten)]
    pub change: ChangeArgs,
    /// The world that both sides run in.
    #[arg(long, value_enum, default_value_t = Kind::Virtual)]
    pub world: Kind,
    /// Write a page with both sides and the pictures of each.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// The dzsim program that runs the second side.
    #[arg(long, value_name = "PATH")]
    pub with: Option<PathBuf>,
}

/// Arguments of `explore`.
#[derive(Args, Clone, Debug)]
pub struct ExploreArgs {
    /// A scenario whose network and policy are explored; its steps are not run. Default: a network of three devices, three
    /// clients, two groups and a backbone.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Number of histories, unless the time is over before.
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000)]
    pub histories: u64,
    /// Stop after this time, such as 10m.
    #[arg(long = "for", value_name = "DURATION")]
    pub time: Option<humantime::Duration>,
    /// Steps of a history.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub length: usize,
    /// Seed of the first history; the next one has the next seed.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Weight of each group of steps in the draw.
    #[arg(long, value_name = "GROUP=N,...", default_value = "client=10,operator=4,fault=3,heal=3")]
    pub weights: Weights,
    /// Folder that gets the scenario of a failure.
    #[arg(long, value_name = "DIR", default_value = "explored")]
    pub out: PathBuf,
    /// The world that histories run in.
    #[arg(long, value_enum, default_value_t = Kind::Virtual)]
    pub world: Kind,
    /// Put a bug in on purpose: exploring is tested by what it finds.
    #[arg(long, value_enum, hide = true)]
    pub bug: Option<Bug>,
}

/// Arguments of `rfc`.
#[derive(Args, Clone, Debug)]
pub struct RfcArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: RfcCommand,
}

/// The verbs of `rfc`.
#[derive(Clone, Debug, Subcommand)]
pub enum RfcCommand {
    /// Find claims without proof, proofs that are missing or fail, and figures that are out of date.
    Check {
        /// The RFCs.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// First write what each figure's command prints now into the file.
        #[arg(long)]
        update_figures: bool,
        /// How proofs are run.
        #[command(flatten)]
        proof: RfcProofArgs,
    },
    /// Run every proof, the tests too, and print the status of each claim.
    Run {
        /// The RFC.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Output format.
        #[arg(long, value_enum, default_value_t = RfcFormat::Md)]
        format: RfcFormat,
        /// Write a page with the claims and what became of their proofs.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// How proofs are run.
        #[command(flatten)]
        proof: RfcProofArgs,
    },
    /// Start an RFC from the template, with the next free number.
    New {
        /// Its title.
        title: String,
        /// The folder of RFCs.
        #[arg(long, value_name = "DIR", default_value = "rfcs")]
        folder: PathBuf,
    },
}

/// How the proofs of an RFC are run.
#[derive(Args, Clone, Debug)]
pub struct RfcProofArgs {
    /// The world that scenarios are run in.
    #[arg(long, value_enum, default_value_t = Kind::Virtual)]
    pub world: Kind,
    /// Leave tests to `cargo test`.
    #[arg(long)]
    pub skip_tests: bool,
}

/// Output formats of `rfc run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RfcFormat {
    /// A Markdown table.
    Md,
    /// JSON.
    Json,
}

/// The words for where tunnels are made, as the products have them.
fn dataplane() -> impl TypedValueParser<Value = Dataplane> {
    PossibleValuesParser::new(Dataplane::VARIANTS).try_map(|word| word.parse::<Dataplane>())
}
