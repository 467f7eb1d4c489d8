//! A loop that a scenario cannot express: tunnels are made until one is refused.
//!
//! `cargo run -p dzsim --example fill_a_device`

use dzsim::Scenario;

const NETWORK: &str = "
network:
  devices: { nyc1: { exchange: nyc, max_users: 3 } }
  clients: { val: { exchange: nyc, count: 5 } }
";

fn main() -> dzsim::Result {
    Scenario::from_yaml(NETWORK)?.run(async |net| {
        for number in 1..=5 {
            let name = format!("val{number}");
            let output = net.client(&name).output("doublezero connect ibrl").await?;
            println!("{name}: exit code {}", output.code);
            if output.code != 0 {
                println!("{}", output.stderr.lines().next().unwrap_or_default());
                break;
            }
        }
        println!("users on the chain: {}", net.chain()?.users().len());
        Ok(())
    })?
}
