//! The same network on Linux namespaces, with processes and packets of this machine: a device reboots, and the tunnel
//! comes back.
//!
//! `cargo run -p dzsim --example real_packets`; no root is needed, `dzsim doctor` says what is.

use dzsim::{Scenario, World};

fn main() -> dzsim::Result {
    Scenario::default().world(World::Real).run(async |net| {
        let val1 = net.client("val1");
        val1.run("doublezero connect ibrl").await?;
        net.steps("[{ ping: { from: val1, to: nyc1, via: doublezero0 } }]").await?;
        net.steps("[{ fault: { node: nyc1, how: reboot } }]").await?;
        net.steps("[{ ping: { from: val1, to: nyc1, via: doublezero0 } }]").await?;
        let tunnels = val1.tunnels().await?;
        println!("{} tunnel, {}", tunnels.len(), tunnels[0].doublezero_status.session_status);
        Ok(())
    })?
}
