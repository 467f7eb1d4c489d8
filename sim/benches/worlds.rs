//! How long runs in virtual time take, each the whole process of `dzsim run`: `cargo bench -p dzsim --bench worlds`. With
//! a number of devices and one of clients it measures a network of that size only.

use std::{fmt::Write as _, fs, path::Path, process::Command, time::Instant};

use anyhow::Context;

/// Runs of the small scenario, of which the fastest counts: the others say what else the machine did.
const RUNS: usize = 20;
/// Metros that nodes are spread over.
const METROS: [&str; 8] = ["nyc", "lon", "fra", "ams", "tyo", "sin", "chi", "lax"];

fn main() -> anyhow::Result<()> {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let folder = tempfile::tempdir()?;
    if let [devices, clients] = numbers[..] {
        return connect(folder.path(), devices, clients);
    }
    let small = root.join("scenarios/termination/secondary-address.yaml");
    let mut best = f64::MAX;
    for _ in 0..RUNS {
        best = best.min(run(&small, folder.path(), &[])?);
    }
    row("termination/secondary-address, whole process", best * 1e3, "ms");
    row("the suite", run(&root.join("scenarios"), folder.path(), &[])?, "s");
    idle(folder.path())?;
    connect(folder.path(), 10, 50)?;
    connect(folder.path(), 40, 200)?;
    connect(folder.path(), 86, 1_000)
}

fn row(what: &str, value: f64, unit: &str) {
    println!("{what:<58} {value:>9.1} {unit}");
}

/// Seconds that `dzsim run` takes in virtual time.
fn run(what: &Path, folder: &Path, options: &[&str]) -> anyhow::Result<f64> {
    let start = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_dzsim"))
        .arg("run")
        .arg(what)
        .args(["--world", "virtual", "--record-snapshots", "--artifacts"])
        .arg(folder.join("artifacts"))
        .args(options)
        .output()
        .context("starting dzsim")?;
    let took = start.elapsed().as_secs_f64();
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(took)
}

/// A network of so many nodes, as the head of a scenario.
fn network(devices: usize, clients: usize) -> anyhow::Result<String> {
    let mut text =
        "# Measured by benches/worlds.rs.\ntimeouts: { step: 1h, bring_up: 1h, settle: 1h }\nnetwork:\n  devices:\n"
            .to_owned();
    for number in 0..devices {
        writeln!(text, "    d{number}: {{ exchange: {} }}", METROS[number % METROS.len()])?;
    }
    text.push_str("  clients:\n");
    for number in 0..clients {
        writeln!(text, "    c{number}: {{ exchange: {} }}", METROS[number % METROS.len()])?;
    }
    text.push_str("steps:\n");
    Ok(text)
}

/// Simulated seconds a second: 20 nodes do nothing while one of them is pinged now and then.
fn idle(folder: &Path) -> anyhow::Result<()> {
    const SECONDS: u16 = 1_000;
    let file = folder.join("idle.yaml");
    let mut text = network(10, 10)?;
    writeln!(text, "  - ping: {{ from: c0, to: d0, count: {}, interval: 10s }}", SECONDS / 10)?;
    fs::write(&file, text)?;
    row("simulated seconds a second, 20 idle nodes", f64::from(SECONDS) / run(&file, folder, &[])?, "");
    Ok(())
}

/// All clients connect at the same time, then each is answered one ping.
fn connect(folder: &Path, devices: usize, clients: usize) -> anyhow::Result<()> {
    let file = folder.join(format!("connect-{devices}-{clients}.yaml"));
    let mut text = network(devices, clients)?;
    text.push_str("  - parallel:\n");
    for number in 0..clients {
        writeln!(text, "      - [{{ run: doublezero connect ibrl, on: c{number} }}]")?;
    }
    text.push_str("  - parallel:\n");
    for number in 0..clients {
        writeln!(text, "      - [{{ ping: {{ from: c{number}, to: d{}, count: 1 }} }}]", number % devices)?;
    }
    fs::write(&file, text)?;
    let name = format!("{devices} devices, {clients} clients connect and ping");
    row(&name, run(&file, folder, &["--capture-last", "1000"])?, "s");
    Ok(())
}
