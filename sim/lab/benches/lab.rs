//! Benchmarks of the lab: bringing nodes up and down, memory of a node, starting a process.
//!
//! Every measurement is made in a lab of its own, in a process of its own.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use dz_net::netns::NetNs;
use dzsim_lab::{Host, Lab, NodeKind, NodeName, NodeSpec, PortSpec, RoleName, Spawn, bind_to_me, doctor, enter};

/// Stands for the bank, which the scenario process holds, in bytes.
const BALLAST: usize = 300 << 20;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            let start = Instant::now();
            doctor::check();
            println!("doctor                         {:>9.1} ms", ms(start.elapsed()));
            for arguments in [&["enter"][..], &["nodes", "10"], &["nodes", "100"], &["nodes", "1000"], &["processes"]] {
                let start = Instant::now();
                let status = bind_to_me(Command::new(std::env::current_exe()?).args(arguments)).status()?;
                anyhow::ensure!(status.success(), "{arguments:?} ended with {status}");
                println!("  in all, with entering and leaving {:>4.0} ms", ms(start.elapsed()));
            }
            Ok(())
        }
        ["enter"] => {
            let start = Instant::now();
            enter()?;
            println!("enter                          {:>9.1} ms", ms(start.elapsed()));
            Ok(())
        }
        ["nodes", count] => in_lab(async |lab| nodes(&lab, count.parse()?).await),
        ["processes"] => in_lab(async |lab| processes(&lab).await),
        _ => anyhow::bail!("unknown arguments {arguments:?}"),
    }
}

fn in_lab(body: impl AsyncFnOnce(Lab) -> anyhow::Result<()>) -> anyhow::Result<()> {
    enter()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async { body(Lab::new(Path::new("/run/logs")).await?).await })
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn spec(number: u32) -> anyhow::Result<NodeSpec> {
    Ok(NodeSpec {
        name: NodeName::new(&format!("n{number}"))?,
        kind: NodeKind::Host,
        ports: vec![PortSpec::uplink([Ipv4Addr::from(0x0a00_0001 + number)])],
        listen: vec!["127.0.0.1:8899".parse()?, "127.0.0.1:8900".parse()?],
    })
}

/// Available memory of the machine, in KiB.
fn available() -> anyhow::Result<i64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    Ok(line.and_then(|line| line.split_whitespace().next()).unwrap_or_default().parse()?)
}

async fn nodes(lab: &Lab, count: u32) -> anyhow::Result<()> {
    let before = available()?;
    let specs = (0..count).map(spec).collect::<Result<_, _>>()?;
    let start = Instant::now();
    let made = lab.add_nodes(specs).await?;
    let up = start.elapsed();
    let memory = (before - available()?) / i64::from(count);
    println!(
        "{count:>5} nodes, uplink, 2 listeners {:>8.1} ms  {:>6.2} ms a node  {memory:>4} KiB a node",
        ms(up),
        ms(up) / f64::from(count)
    );
    drop(made);
    Ok(())
}

async fn processes(lab: &Lab) -> anyhow::Result<()> {
    const COUNT: u32 = 200;
    let _made = lab.add_nodes(vec![spec(0)?]).await?;
    let host = Host::Node(NodeName::new("n0")?);
    let ballast = vec![1_u8; BALLAST];
    let start = Instant::now();
    for _ in 0..COUNT {
        let spawn = Spawn::new(host.clone(), RoleName::new("true")?, ["/bin/true"]);
        lab.run_to_end(spawn, Duration::from_secs(10)).await?;
    }
    println!("a process, start to end        {:>9.2} ms", ms(start.elapsed()) / f64::from(COUNT));
    let netns: NetNs = lab.node(&NodeName::new("n0")?)?.netns();
    let start = Instant::now();
    for _ in 0..COUNT {
        netns.wrap(&mut Command::new("/bin/true")).status()?;
    }
    println!("the same by fork and exec      {:>9.2} ms", ms(start.elapsed()) / f64::from(COUNT));
    drop(ballast);
    Ok(())
}
