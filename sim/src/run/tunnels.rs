//! The tunnels a node has, whichever way they were made.

use dz_net::{
    gre::{self, HelperCommand, Tunnel},
    netns::NetNs,
};

use crate::cli::Dataplane;

/// All tunnels of a node. Looking starts no helper: one that does not run has no tunnels.
pub async fn list(netns: &NetNs, dataplane: Dataplane) -> anyhow::Result<Vec<Tunnel>> {
    let dataplane = match dataplane {
        Dataplane::Auto => gre::Dataplane::Auto,
        Dataplane::Kernel => gre::Dataplane::Kernel,
        Dataplane::Userspace => gre::Dataplane::Userspace,
    };
    let helper = HelperCommand::this_program(["gre-helper"])?;
    // Both backends work on the namespace of the thread that asks.
    let listing = netns.spawn("tunnels", move || async move { gre::open(dataplane, helper).await?.list().await })?;
    Ok(listing.output().await??)
}
