//! A network in which nothing happens costs next to nothing: no role of it keeps waking up, and all of it together takes
//! little processor time.
//!
//! Counted are voluntary context switches, each of which is a wait that was woken, and processor time. Neither is time on a
//! clock: a process that is kept from running wakes no more often for that. Processor time depends on the processor, and
//! its limit leaves room for that.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use dzsim::answer::bench::process_tree::{ProcessorTime, descendants};
use rstest::rstest;
use tempfile::TempDir;

/// Wake-ups a second that a role may make.
const LIMIT: f64 = 5.0;
/// Share of one core that each ten nodes of a network may take, and a network of fewer. A debug build takes 1.4 % with ten
/// nodes on two cores of 2 to 3 GHz, and up to 4 % while daemons probe; a slower processor takes more of the same time.
const SHARE: f64 = if cfg!(debug_assertions) { 0.05 } else { 0.02 };
/// How long is counted at a time.
const WINDOW: Duration = Duration::from_secs(2);
/// How long a network may take to become calm.
const DEADLINE: Duration = Duration::from_secs(60);

/// A network that `dzsim up` holds.
struct Network {
    holder: Child,
    /// What it says; it ends when nobody reads that any more.
    _said: Lines<BufReader<ChildStdout>>,
    folder: TempDir,
}

impl Network {
    fn up(scenario: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("idle.yaml"), scenario).unwrap();
        let mut holder = Command::new(env!("CARGO_BIN_EXE_dzsim"))
            .args(["up", "idle.yaml"])
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(holder.stdout.take().unwrap()).lines();
        let up = said.by_ref().map(Result::unwrap).any(|line| line.contains(" is up: "));
        let network = Self { holder, _said: said, folder };
        assert!(up, "the network does not come up");
        network
    }

    /// Runs a command at a node: its first word is the node.
    fn exec(&self, line: &str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dzsim"));
        let output = command.arg("exec").args(line.split(' ')).current_dir(&self.folder).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The wake-ups so far of each process that plays a role, by its pid and the words it was started with.
    fn wake_ups(&self) -> BTreeMap<(u32, String), u64> {
        let mut found = BTreeMap::new();
        for pid in descendants(self.holder.id()) {
            // A process that ends while it is looked at is none of the network's roles.
            let Ok(words) = fs::read(format!("/proc/{pid}/cmdline")) else { continue };
            let words: Vec<_> = words.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
            let role = match words.get(1).map(AsRef::as_ref) {
                Some("node") => &words[2..],
                Some("gre-helper") => &words[1..],
                _ => continue,
            };
            if let Some(count) = switches(pid) {
                found.insert((pid, role.join(" ")), count);
            }
        }
        found
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The network ends with its holder.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// The voluntary context switches of all threads of a process.
fn switches(pid: u32) -> Option<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let status = fs::read_to_string(task.ok()?.path().join("status")).ok()?;
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        sum += count.trim().parse::<u64>().ok()?;
    }
    Some(sum)
}

#[rstest]
#[case::no_groups(
    "network:
  devices: { nyc1: { exchange: nyc } }
  clients: { val1: { exchange: nyc } }
steps: []
",
    2,
    &["val1 doublezero connect ibrl"]
)]
#[case::groups(
    "network:
  devices: { nyc1: { exchange: nyc } }
  clients: { val1: { exchange: nyc }, val2: { exchange: nyc } }
  groups: { mg01: { publishers: val1, subscribers: val2 } }
steps: []
",
    3,
    &["val1 doublezero connect multicast --publish mg01", "val2 doublezero connect multicast --subscribe mg01"]
)]
#[case::links(
    "network:
  devices: { nyc1: { exchange: nyc }, pit1: { exchange: pit }, chi1: { exchange: chi } }
  clients: { val1: { exchange: nyc }, val2: { exchange: chi } }
  links: { nyc1-chi1: {}, nyc1-pit1: {}, pit1-chi1: {} }
steps: []
",
    5,
    &["val1 doublezero connect ibrl", "val2 doublezero connect ibrl", "operator doublezero link drain nyc1-chi1"]
)]
#[case::drained(
    "network:
  devices: { nyc1: { exchange: nyc } }
  clients: { val1: { exchange: nyc } }
steps: []
",
    2,
    &["val1 doublezero connect ibrl", "operator doublezero device drain nyc1"]
)]
#[case::ten_nodes(
    "network:
  devices:
    nyc1: { exchange: nyc }
    lon1: { exchange: lon }
    fra1: { exchange: fra }
    ams1: { exchange: ams }
    tyo1: { exchange: tyo }
  clients:
    val1: { exchange: nyc }
    val2: { exchange: lon }
    val3: { exchange: fra }
    val4: { exchange: ams }
    val5: { exchange: tyo }
steps: []
",
    10,
    &[
        "val1 doublezero connect ibrl",
        "val2 doublezero connect ibrl",
        "val3 doublezero connect ibrl",
        "val4 doublezero connect ibrl",
        "val5 doublezero connect ibrl",
    ]
)]
fn an_idle_network_sleeps(#[case] scenario: &str, #[case] nodes: u32, #[case] commands: &[&str]) {
    let network = Network::up(scenario);
    commands.iter().for_each(|line| network.exec(line));
    let limit = SHARE * f64::from(nodes.div_ceil(10));
    let deadline = Instant::now() + DEADLINE;
    loop {
        let (before, start) = (network.wake_ups(), Instant::now());
        let processor = ProcessorTime::of(network.holder.id());
        assert!(before.keys().any(|(_, words)| words.starts_with("agent ")), "no agent among {before:?}");
        assert!(before.keys().any(|(_, words)| words.starts_with("gre-helper")), "no helper among {before:?}");
        std::thread::sleep(WINDOW);
        let (after, seconds) = (network.wake_ups(), start.elapsed().as_secs_f64());
        let used =
            ProcessorTime::of(network.holder.id()).since(&processor).expect("a kernel that counts processor time");
        let share = used.as_secs_f64() / seconds;
        let rate = |(role, count): (&(u32, String), &u64)| {
            let new = count.saturating_sub(before.get(role).copied().unwrap_or_default());
            (new as f64 / seconds, role.1.clone())
        };
        let awake: Vec<_> = after.iter().map(rate).filter(|(rate, _)| *rate >= LIMIT).collect();
        if awake.is_empty() && share < limit {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "wake-ups a second, still {LIMIT} or more: {awake:#?}; processor time, of one core: {share}, to be below {limit}"
        );
    }
}
