//! A run in virtual time is the same to the byte each time, whatever else the machine does.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// What must be equal.
const EVIDENCE: [&str; 3] = ["events.jsonl", "chain.json", "capture.pcapng"];

/// Scenarios in which chance decides something, or several things happen at a time.
const SCENARIOS: [&str; 5] = [
    "faults/lost-notifications",
    "faults/lossy-path",
    "faults/two-activators",
    "selection/many-at-once",
    "selection/two-connects-at-once",
];

fn run(scenario: &str, seed: u64, artifacts: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO_BIN_EXE_dzsim"))
        .arg("run")
        .arg(root.join("scenarios").join(scenario).with_extension("yaml"))
        .args(["--world", "virtual", "--record-snapshots", "--seed", &seed.to_string()])
        .arg("--artifacts")
        .arg(artifacts)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Keeps every processor busy until it is dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn start() -> Self {
        let busy = Arc::new(AtomicBool::new(true));
        for _ in 0..2 * thread::available_parallelism().map_or(1, usize::from) {
            let busy = Arc::clone(&busy);
            thread::spawn(move || while busy.load(Ordering::Relaxed) {});
        }
        Self(busy)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[test]
fn the_same_seed_leaves_the_same_bytes_whatever_the_load() {
    let folder = tempfile::tempdir().unwrap();
    for scenario in SCENARIOS {
        let [idle, loaded, other] = ["idle", "loaded", "other"].map(|name| folder.path().join(name));
        run(scenario, 7, &idle);
        {
            let _load = Load::start();
            run(scenario, 7, &loaded);
        }
        run(scenario, 8, &other);
        let read = |root: &Path, name: &str| fs::read(root.join(scenario).join(name)).unwrap();
        for name in EVIDENCE {
            assert!(read(&idle, name) == read(&loaded, name), "{name} of {scenario} differs between two runs");
        }
        assert!(
            read(&idle, "events.jsonl") != read(&other, "events.jsonl"),
            "the seed decides nothing in {scenario}: this test could not fail"
        );
    }
}
