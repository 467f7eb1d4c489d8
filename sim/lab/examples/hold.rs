//! The smallest use of the lab: enters one, makes two nodes, starts a process in each, says so and holds them.
//!
//! `hold [COMMAND...]`: runs the command in the first node instead of holding, and ends as it ends.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use dzsim_lab::{Exit, Host, Lab, NodeKind, NodeName, NodeSpec, PortSpec, RoleName, Spawn, enter};

fn main() -> anyhow::Result<ExitCode> {
    let command: Vec<String> = std::env::args().skip(1).collect();
    let entered = enter()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        // On the lab's own tmpfs: the logs are of no interest when the lab is gone.
        let lab = Lab::new(Path::new("/run/logs")).await?;
        let mut specs = Vec::new();
        for number in 1..=2 {
            specs.push(NodeSpec {
                name: NodeName::new(&format!("n{number}"))?,
                kind: NodeKind::Host,
                ports: vec![PortSpec::uplink([Ipv4Addr::new(198, 51, 100, number)])],
                listen: Vec::new(),
            });
        }
        let nodes = lab.add_nodes(specs).await?;
        if !command.is_empty() {
            let spawn = Spawn::new(Host::Node(nodes[0].name.clone()), RoleName::new("command")?, command);
            let finished = lab.run_to_end(spawn, Duration::from_secs(60)).await?;
            print!("{}", finished.stdout);
            eprint!("{}", finished.stderr);
            return Ok(match finished.exit {
                Exit::Code(code) => ExitCode::from(code as u8),
                Exit::Signal(_) => ExitCode::FAILURE,
            });
        }
        for node in &nodes {
            // Leaves a child in a session of its own behind, as a daemon does.
            let argv = ["/bin/sh", "-c", "setsid sleep 1000 & exec sleep 1000"];
            lab.start(Spawn::new(Host::Node(node.name.clone()), RoleName::new("sleeper")?, argv)).await?;
        }
        println!("holding {}", entered.init);
        std::future::pending().await
    })
}
