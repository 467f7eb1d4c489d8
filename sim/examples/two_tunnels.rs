//! A client's two tunnels to one device end on two of its addresses: the invariant of RFC 0001, in virtual time.
//!
//! `cargo run -p dzsim --example two_tunnels`

use dzsim::{Scenario, World};

const NETWORK: &str = "
network:
  devices: { nyc1: { exchange: nyc } }
  clients: { val1: { exchange: nyc } }
  groups: { mg01: { subscribers: [val1] } }
";

fn main() -> dzsim::Result {
    Scenario::from_yaml(NETWORK)?.world(World::Virtual).run(async |net| {
        let val1 = net.client("val1");
        val1.run("doublezero connect ibrl").await?;
        val1.run("doublezero connect multicast --subscribe mg01").await?;
        for tunnel in val1.tunnels().await? {
            println!("{} {} ends on {}", tunnel.tunnel_name, tunnel.user_type, tunnel.tunnel_dst);
        }
        println!("nyc1 has {:?}", net.device("nyc1").endpoints()?);
        Ok(())
    })?
}
